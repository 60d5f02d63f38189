// The address of the page that is shown: where it is, where it shall go, and back, forward and again.

import * as calls from './calls.js';
import { $, busy, setText } from './dom.js';

const BUTTONS = { 'page-back': 'go_back', 'page-forward': 'go_forward', 'page-reload': 'refresh' };

let shown = '';

/** `run` does something on the session, and says what went wrong. */
export function startAddress(run) {
  for (const [id, type] of Object.entries(BUTTONS)) {
    $(id).addEventListener('click', () => busy($(id), () => run((key) => calls.act(key, type))));
  }
  $('address-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const url = $('address').value.trim();
    if (!url) return;
    busy($('address-form'), async () => {
      await run((key) => calls.act(key, 'navigate', { url }));
      // It may have gone on to another one, or not have gone at all.
      $('address').value = shown;
    });
  });
  $('address').addEventListener('focus', () => $('address').select());
  $('address').addEventListener('keydown', ({ key }) => { if (key === 'Escape') $('address').value = shown; });
}

export function renderAddress(record, mayDrive) {
  const url = record?.current_url ?? '';
  setText($('page-title'), record?.page_error ?? record?.title ?? '');
  $('page-title').dataset.tone = record?.page_error ? 'wrong' : '';
  $('address-form').hidden = !mayDrive;
  $('page-url').hidden = mayDrive;
  setText($('page-url'), url);
  $('page-url').title = url;
  if (url === shown) return;
  // What is being typed stays.
  const isTyped = document.activeElement === $('address') && $('address').value !== shown;
  shown = url;
  if (!isTyped) $('address').value = url;
}
