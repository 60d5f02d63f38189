// The tabs of a session's browser: listed, switched, closed, and opened.

import * as calls from './calls.js';
import { $, Rows, button, el, part, setText } from './dom.js';

let session = null;
let tell = () => {};
let isOnly = true;

const rows = new Rows($('tabs-list'), make, update);

/** `run` does something on the session, and says what went wrong. */
export function startTabs(run) {
  tell = run;
  $('tab-new').addEventListener('click', () => {
    $('tab-url').value = '';
    $('tab-dialog').returnValue = '';
    $('tab-dialog').showModal();
  });
  $('tab-form').addEventListener('submit', () => {
    const url = $('tab-url').value.trim();
    tell((key) => calls.act(key, 'new_tab', url ? { url } : {}));
  });
  $('tab-cancel').addEventListener('click', () => $('tab-dialog').close());
}

export function renderTabs(record, context) {
  session = record;
  const tabs = session ? context?.tabs ?? [] : [];
  isOnly = tabs.length < 2;
  $('tabs').hidden = !tabs.length;
  // Of another session a tab of that number is another tab.
  rows.show(tabs, ({ tab }) => `${session.session_id} ${tab}`);
}

function make({ tab }) {
  const show = button('', () => tell((key) => calls.act(key, 'switch_tab', { tab })), { class: 'tab-show', 'data-part': 'show' });
  const close = button('×', () => tell((key) => calls.act(key, 'close_tab', { tab })), { class: 'tab-close', 'data-part': 'close' });
  return el('li', { class: 'tab', 'data-tab': tab }, show, close);
}

/** Moves the list, and nothing round it, so that a tab is seen whole. */
function reveal(row) {
  const list = row.parentElement;
  if (!list) return;
  const [seen, tab] = [list.getBoundingClientRect(), row.getBoundingClientRect()];
  list.scrollLeft += Math.max(0, tab.right - seen.right) + Math.min(0, tab.left - seen.left);
}

function update(row, { url, title, current }) {
  const name = title || url.replace(/^https?:\/\//, '') || 'Empty page';
  if (current && row.dataset.current !== 'true') requestAnimationFrame(() => reveal(row));
  row.dataset.current = current;
  const show = part(row, 'show');
  setText(show, name);
  show.title = `${title}\n${url}`.trim();
  show.setAttribute('aria-pressed', current);
  part(row, 'close').hidden = isOnly;
  part(row, 'close').setAttribute('aria-label', `Close the tab ${name}`);
  part(row, 'close').title = `Close ${name}`;
}
