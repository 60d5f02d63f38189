// Starts, pauses, resumes and closes sessions, and takes the wheel back from whoever drives.

import * as calls from './calls.js';
import { isShared } from './api.js';
import { confirm } from './confirm.js';
import { $, busy, setText } from './dom.js';

let session = null;
/** What went wrong, in which session. */
let refused = { id: null, words: '' };
let changed = () => {};
let open = () => {};

/** `again` is called when the service's answer will be another one; `show` opens a session. */
export function startManage(again, show) {
  changed = again;
  open = show;
  $('pause').addEventListener('click', () => busy($('pause'), () => run(session.state === 'paused' ? calls.resumeSession : calls.pauseSession)));
  $('close').addEventListener('click', () => busy($('close'), close));
  $('take-back').addEventListener('click', () => busy($('take-back'), takeBack));
  $('start-open').addEventListener('click', () => showStart());
  $('start-cancel').addEventListener('click', () => $('start-dialog').close());
  $('start-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('start-send'), start);
  });
}

export function renderManage(record) {
  session = record;
  const isAwake = ['live', 'paused', 'reconnecting', 'starting'].includes(record?.state);
  for (const id of ['pause', 'close', 'take-back']) $(id).hidden = isShared() || !record;
  $('start-open').hidden = isShared();
  setText($('pause'), record?.state === 'paused' ? 'Show video' : 'Pause video');
  $('pause').title = record?.state === 'paused' ? 'Show the video again' : 'Stop the video; the browser goes on';
  $('pause').hidden ||= !isAwake;
  $('take-back').hidden ||= record?.control?.owner !== 'human';
  setText($('session-error'), record && refused.id === record.session_id ? refused.words : '');
}

/** Does something on the session that is shown; what goes wrong is said beside it. */
export async function run(act) {
  const { session_id: id, key } = session;
  refused = { id, words: '' };
  setText($('session-error'), '');
  try {
    await act(key);
  } catch (error) {
    refused = { id, words: error.message };
    if (session?.session_id === id) setText($('session-error'), error.message);
  }
  changed();
}

async function close() {
  const isKept = Boolean(session.session_name);
  const withProfile = await confirm({
    title: `Close “${session.key}”?`,
    text: isKept ? 'Its browser ends, and its record goes. The profile stays for the next session of that name.' : 'Its browser ends, with all that its pages hold.',
    action: 'Close the session',
    check: isKept ? 'Delete its profile too: cookies, logins and files' : '',
  });
  if (withProfile !== null) await run((key) => calls.closeSession(key, withProfile));
}

async function takeBack() {
  const sure = await confirm({
    title: `Take the wheel from ${session.control.who}?`,
    text: 'Whoever drives by a link is sent away, and all links to drive this session end.',
    action: 'Take it back',
  });
  if (sure !== null) await run(calls.endDriving);
}

/** Asks what to start; a room that has none yet is proposed. */
export function showStart(room = '') {
  setText($('start-error'), '');
  $('start-room').value = room;
  $('start-dialog').showModal();
  (room ? $('start-url') : $('start-room')).focus();
}

async function start() {
  const [room, name, url] = ['start-room', 'start-name', 'start-url'].map((id) => $(id).value.trim());
  setText($('start-error'), '');
  if (!room && !name) return setText($('start-error'), 'Name a room, or give the session a name.');
  const order = { ...(room && { room_name: room }), ...(name && { session_name: name }), ...(url && { initial_url: url }) };
  setText($('start-busy'), 'Starting a browser …');
  try {
    await calls.startSession(order);
    $('start-dialog').close();
    for (const id of ['start-room', 'start-name', 'start-url']) $(id).value = '';
    await changed();
    open(room || name);
  } catch (error) {
    setText($('start-error'), error.message);
  }
  return setText($('start-busy'), '');
}

/** Brings a session back that is stored, or whose browser was lost. */
export function startAgain(record) {
  const { session_name: name, room_name: room, current_url: url } = record;
  // One with a name comes back on its page by itself.
  const page = !name && /^https?:/.test(url) ? { initial_url: url } : {};
  return run(() => calls.startSession({ ...(name && { session_name: name }), ...(room && { room_name: room }), ...page }));
}
