// The list of rooms. Rows are kept and updated, so that focus survives a refresh.

import { $, Rows, el, setText, setTone } from './dom.js';
import { fps, plural, standing } from './format.js';

const rows = new Rows($('rooms'), makeRow, update);
/** The key of the room that is shown, and what opens another one. */
let chosen;
let open;

export function renderRooms(sessions, shown, choose) {
  [chosen, open] = [shown, choose];
  const sorted = [...sessions].sort((a, b) => a.key.localeCompare(b.key));
  rows.show(sorted, ({ key }) => key);
  setText($('rooms-count'), String(sorted.length || ''));
  $('rooms-empty').hidden = sorted.length > 0;
}

function update(row, record) {
  const [name, rate, page, state, viewers] = row.firstElementChild.children;
  row.firstElementChild.setAttribute('aria-current', record.key === chosen);
  setText(name, record.key);
  setText(rate, record.capturing ? `${fps(record.video.fps)} fps` : 'idle');
  setText(page, record.current_url.replace(/^https?:\/\//, ''));
  setTone(state, ...standing(record));
  // The LiveKit room is one subscription, so it counts as one viewer.
  setText(viewers, plural(record.viewers.whep + Number(record.viewers.livekit), 'viewer'));
}

function makeRow({ key: room }) {
  const parts = ['room-name', 'room-rate', 'room-page', 'room-state dot', 'room-viewers'];
  const link = el('a', { class: 'room', href: `/?room=${encodeURIComponent(room)}` },
    ...parts.map((part) => el('span', { class: part })));
  link.addEventListener('click', (click) => {
    if (click.metaKey || click.ctrlKey || click.shiftKey) return;
    click.preventDefault();
    open(room);
  });
  return el('li', {}, link);
}
