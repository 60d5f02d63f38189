// The link by which a user logs in: shown, copied, and followed until somebody says Done there.

import { button, el, setText } from './dom.js';
import { EventStream } from './events.js';
import { at } from './format.js';

const COPIED_MS = 1_500;
const LEFT = {
  declined: 'The login page was left without a login. The link is still good.',
  gone: 'The login page was closed. When somebody has logged in there, verify.',
  idle: 'Nobody does anything on the login page. The link is still good.',
};

export class LoginLink {
  node;
  /** When it was shown first. */
  shownAt = Date.now();
  #stream;
  #words = el('p', { role: 'status' });

  /** `left` is called with `done`, or with what to say, when the person leaves the page. */
  constructor(id, { takeover_url: url, expires_at: until, message, madeAt }, left) {
    const open = el('a', { class: 'button primary', href: url, target: '_blank', rel: 'noopener noreferrer' }, 'Open the login page ↗');
    this.node = el('div', { class: 'login-link' },
      el('p', {}, message), el('div', { class: 'buttons' }, open, copyButton(url)), this.#words,
      el('p', { class: 'quiet' }, `Whoever has this link is let in, until ${at(until)}. It is verified by itself when Done is pressed there.`));
    this.#stream = new EventStream(`_connection-${id}`, (event) => this.#heard(event, madeAt, left), () => {});
  }

  #heard({ type, cause, who, timestamp }, madeAt, left) {
    // What was before the link is told again at the beginning.
    if (type !== 'control' || timestamp < madeAt) return;
    if (cause === 'taken') setText(this.#words, `${who ?? 'Somebody'} is on the login page.`);
    else setText(this.#words, '');
    if (cause === 'done') left('done');
    else if (LEFT[cause]) left(LEFT[cause]);
  }

  close() {
    this.#stream.close();
  }
}

/** Copies, or where the clipboard is closed selects what is to be copied by hand. */
function copyButton(url) {
  const field = el('input', { class: 'copied', readonly: '', value: url, 'aria-label': 'The link' });
  field.addEventListener('focus', () => field.select());
  const copy = button('Copy the link', async () => {
    field.focus();
    if (!navigator.clipboard) return setText(copy, 'Press Ctrl+C');
    await navigator.clipboard.writeText(url).then(() => setText(copy, 'Copied'), () => setText(copy, 'Press Ctrl+C'));
    setTimeout(() => setText(copy, 'Copy the link'), COPIED_MS);
  });
  const both = el('span', { class: 'copy' }, field, copy);
  return both;
}
