// The dialog that a session's page waits with, and the answer to it.

import * as calls from './calls.js';
import { $, busy, setText } from './dom.js';

/** The dialog that is shown; a further one with the same words is another one. */
let shown = '';

/** `run` does something on the session, and says what went wrong. */
export function startAsked(run) {
  const answer = (accept) => {
    const text = accept && !$('asked-field').hidden ? { text: $('asked-field').value } : {};
    return run((key) => calls.act(key, 'handle_dialog', { accept, ...text }));
  };
  $('asked-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('asked-yes'), () => answer(true));
  });
  $('asked-no').addEventListener('click', () => busy($('asked-no'), () => answer(false)));
}

export function renderAsked(record, context, isShared) {
  const dialog = record && !isShared ? context?.dialog : null;
  $('asked').hidden = !dialog;
  const now = dialog ? JSON.stringify([record.session_id, dialog.type, dialog.message]) : '';
  if (now === shown) return;
  shown = now;
  if (!dialog) return;
  const isLeaving = dialog.type === 'beforeunload';
  setText($('asked-text'), isLeaving ? 'Leave this page? What was entered may be lost.' : dialog.message);
  $('asked-field').hidden = dialog.type !== 'prompt';
  $('asked-field').value = dialog.default_value ?? '';
  $('asked-no').hidden = dialog.type === 'alert';
  setText($('asked-no'), isLeaving ? 'Stay' : 'Cancel');
  setText($('asked-yes'), isLeaving ? 'Leave' : 'OK');
  // The page can do nothing else: whoever has scrolled past it sees it all the same.
  $('asked').scrollIntoView({ block: 'nearest' });
}
