// Asks before what cannot be undone.

import { $, setText } from './dom.js';

/** Asks; gives null for no, else whether the box of `check` was ticked. */
export function confirm({ title, text, action, check = '' }) {
  const dialog = $('confirm-dialog');
  setText($('confirm-title'), title);
  setText($('confirm-text'), text);
  setText($('confirm-yes'), action);
  setText($('confirm-check-words'), check);
  $('confirm-check-row').hidden = !check;
  $('confirm-check').checked = false;
  dialog.returnValue = '';
  dialog.showModal();
  // Not what cannot be undone, for whoever presses Enter too early.
  $('confirm-no').focus();
  return new Promise((done) => {
    dialog.addEventListener('close', () => done(dialog.returnValue === 'yes' ? $('confirm-check').checked : null), { once: true });
  });
}
