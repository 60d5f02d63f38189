// The list of rooms. Rows are kept and updated, so that focus and hover survive a refresh.

import { $, el, setText } from './dom.js';
import { fps, plural } from './format.js';

const rows = new Map();

export function renderRooms(sessions, chosen, open) {
  const list = $('rooms');
  const sorted = [...sessions].sort((a, b) => a.room_name.localeCompare(b.room_name));
  const present = new Set(sorted.map(({ room_name: room }) => room));
  for (const [room, row] of rows) {
    if (present.has(room)) continue;
    row.item.remove();
    rows.delete(room);
  }
  sorted.forEach((record, at) => {
    const row = rows.get(record.room_name) ?? makeRow(record.room_name, open);
    if (list.children[at] !== row.item) list.insertBefore(row.item, list.children[at] ?? null);
    update(row, record, record.room_name === chosen);
  });
  setText($('rooms-count'), sorted.length ? String(sorted.length) : '');
  $('rooms-empty').hidden = sorted.length > 0;
}

/** Everybody who watches: the LiveKit room counts as one, because it is one subscription. */
export const viewerCount = ({ viewers }) => (viewers?.whep ?? 0) + (viewers?.livekit ? 1 : 0);

function makeRow(room, open) {
  const parts = {
    state: el('span', { class: 'room-state' }),
    page: el('span', { class: 'room-page' }),
    rate: el('span', { class: 'room-rate' }),
    viewers: el('span', { class: 'room-viewers' }),
  };
  const link = el('a', { class: 'room', href: `/?room=${encodeURIComponent(room)}` },
    el('span', { class: 'room-name' }, room), parts.rate, parts.page, parts.state, parts.viewers);
  link.addEventListener('click', (click) => {
    if (click.metaKey || click.ctrlKey || click.shiftKey || click.button) return;
    click.preventDefault();
    open(room);
  });
  const row = { ...parts, link, item: el('li', {}, link) };
  rows.set(room, row);
  return row;
}

function update(row, record, chosen) {
  row.link.dataset.state = record.state;
  if (chosen) row.link.setAttribute('aria-current', 'true');
  else row.link.removeAttribute('aria-current');
  const viewers = viewerCount(record);
  setText(row.state, record.state);
  setText(row.page, (record.current_url || 'about:blank').replace(/^https?:\/\//, ''));
  setText(row.rate, record.capturing ? `${fps(record.video?.fps)} fps` : 'idle');
  setText(row.viewers, viewers ? plural(viewers, 'viewer') : 'nobody watching');
}
