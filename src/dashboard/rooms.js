// The list of rooms. Rows are kept and updated, so that focus survives a refresh.

import { $, Rows, el, setText, setTone } from './dom.js';
import { fps, plural, standing } from './format.js';

const rows = new Rows($('rooms'), makeRow, update);
/** The key of the room that is shown, and what opens another one. */
let chosen;
let open;
/** Whether what is known of them is out of date. */
let isOld = false;

export function renderRooms(sessions, shown, choose, isStale) {
  [chosen, open, isOld] = [shown, choose, isStale];
  const found = sessions.filter(isSought).sort((a, b) => a.key.localeCompare(b.key));
  rows.show(found, ({ key }) => key);
  const isSome = found.length < sessions.length;
  setText($('rooms-count'), isSome ? `${found.length} of ${sessions.length}` : String(sessions.length || ''));
  $('rooms-empty').hidden = found.length > 0;
  setText($('rooms-empty'), isSome ? 'No room or page of these words.' : 'Rooms with a session are listed here.');
}

/** `again` shows the lists by the words that are typed. */
export function startSearch(again) {
  $('rooms-search').addEventListener('input', again);
}

/** Whether a session is one of those that the words typed mean: by room, name, page or address. */
export function isSought({ room_name: room, session_name: name, title, current_url: url }) {
  const text = [room, name, title, url].filter(Boolean).join(' ').toLowerCase();
  return $('rooms-search').value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function update(row, record) {
  const [name, rate, alias, page, state, viewers] = row.firstElementChild.children;
  row.firstElementChild.setAttribute('aria-current', record.key === chosen);
  setText(name, record.key);
  const isRecorded = record.recording?.state === 'recording';
  setText(rate, [isRecorded && '● rec', record.capturing ? `${fps(record.video.fps)} fps` : 'idle'].filter(Boolean).join(' · '));
  setText(alias, record.session_name === record.key ? '' : record.session_name ?? '');
  setText(page, record.current_url.replace(/^https?:\/\//, ''));
  setTone(state, ...standing(record, isOld));
  // The LiveKit room is one subscription, so it counts as one viewer.
  setText(viewers, plural(record.viewers.whep + Number(record.viewers.livekit), 'viewer'));
}

function makeRow({ key: room }) {
  const parts = ['room-name', 'room-rate', 'room-alias', 'room-page', 'room-state dot', 'room-viewers'];
  const link = el('a', { class: 'room', href: `/?room=${encodeURIComponent(room)}` },
    ...parts.map((part) => el('span', { class: part })));
  link.addEventListener('click', (click) => {
    if (click.metaKey || click.ctrlKey || click.shiftKey) return;
    click.preventDefault();
    open(room);
  });
  return el('li', {}, link);
}
