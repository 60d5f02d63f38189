// The list of rooms. Rows are kept and updated, so that focus survives a refresh.

import { $, el, setText, setTone } from './dom.js';
import { fps, plural, standing } from './format.js';

const rows = new Map();

export function renderRooms(sessions, chosen, open) {
  const sorted = [...sessions].sort((a, b) => a.key.localeCompare(b.key));
  for (const [room, row] of rows) {
    if (sorted.some((record) => record.key === room)) continue;
    row.remove();
    rows.delete(room);
  }
  sorted.forEach((record, at) => {
    const row = rows.get(record.key) ?? makeRow(record.key, open);
    const there = $('rooms').children[at] ?? null;
    if (there !== row) $('rooms').insertBefore(row, there);
    const [name, rate, page, state, viewers] = row.firstElementChild.children;
    row.firstElementChild.setAttribute('aria-current', record.key === chosen);
    setText(name, record.key);
    setText(rate, record.capturing ? `${fps(record.video.fps)} fps` : 'idle');
    setText(page, record.current_url.replace(/^https?:\/\//, ''));
    setTone(state, ...standing(record));
    // The LiveKit room is one subscription, so it counts as one viewer.
    setText(viewers, plural(record.viewers.whep + Number(record.viewers.livekit), 'viewer'));
  });
  setText($('rooms-count'), String(sorted.length || ''));
  $('rooms-empty').hidden = sorted.length > 0;
}

function makeRow(room, open) {
  const parts = ['room-name', 'room-rate', 'room-page', 'room-state dot', 'room-viewers'];
  const link = el('a', { class: 'room', href: `/?room=${encodeURIComponent(room)}` },
    ...parts.map((part) => el('span', { class: part })));
  link.addEventListener('click', (click) => {
    if (click.metaKey || click.ctrlKey || click.shiftKey) return;
    click.preventDefault();
    open(room);
  });
  const row = el('li', {}, link);
  rows.set(room, row);
  return row;
}
