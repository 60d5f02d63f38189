// Starts, pauses, resumes and closes sessions, and takes the wheel back from whoever drives.

import * as calls from './calls.js';
import { isShared } from './api.js';
import { confirm } from './confirm.js';
import { $, busy, setText } from './dom.js';
import { stamp } from './format.js';

/** A browser has read a file that it saves by then. */
const SAVED_MS = 60_000;

let session = null;
/** What went wrong, in which session. */
let refused = { id: null, words: '' };
let changed = () => {};
let open = () => {};
let rooms = () => [];

/** `again` is called when the service's answer will be another one; `show` opens a session; `known` gives those that there are. */
export function startManage(again, show, known) {
  [changed, open, rooms] = [again, show, known];
  $('pause').addEventListener('click', () => busy($('pause'), () => run(session.state === 'paused' ? calls.resumeSession : calls.pauseSession)));
  $('close').addEventListener('click', () => busy($('close'), close));
  $('take-back').addEventListener('click', () => busy($('take-back'), takeBack));
  $('shot').addEventListener('click', () => busy($('shot'), () => run(saveShot)));
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
  for (const id of ['pause', 'close', 'take-back', 'shot']) $(id).hidden = isShared() || !record;
  $('start-open').hidden = isShared();
  setText($('pause'), record?.state === 'paused' ? 'Show video' : 'Pause video');
  $('pause').title = record?.state === 'paused' ? 'Show the video again' : 'Stop the video; the browser goes on';
  $('pause').hidden ||= !isAwake;
  $('shot').hidden ||= !isAwake;
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

/** Saves what the page shows now. */
async function saveShot(key) {
  const href = URL.createObjectURL(await calls.screenshot(key));
  const name = `${key.replace(/[^\w.-]+/g, '-')}-${stamp(new Date())}.png`;
  Object.assign(document.createElement('a'), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), SAVED_MS);
}

/** Asks what to start; a room that has none yet is proposed. */
export function showStart(room = '') {
  setText($('start-error'), '');
  $('start-room').value = room;
  $('start-dialog').showModal();
  $('start-url').focus();
}

async function start() {
  const [typed, name, url] = ['start-room', 'start-name', 'start-url'].map((id) => $(id).value.trim());
  const room = typed || (name ? '' : roomFor(url));
  setText($('start-error'), '');
  if (!room && !name) return setText($('start-error'), 'Give a page, a room or a name.');
  const order = { ...(room && { room_name: room }), ...(name && { session_name: name }), ...(url && { initial_url: url }) };
  setText($('start-busy'), 'Starting a browser …');
  try {
    await calls.startSession(order);
    const isAwaited = $('start-dialog').open;
    $('start-dialog').close();
    for (const id of ['start-room', 'start-name', 'start-url']) $(id).value = '';
    await changed();
    // Whoever closed the form in between is at something else.
    if (isAwaited) open(room || name);
  } catch (error) {
    setText($('start-error'), error.message);
  }
  return setText($('start-busy'), '');
}

/** A room for a page that was given alone: called as its site is, and by a number where that is taken. */
function roomFor(url) {
  const site = siteOf(url);
  if (!site) return '';
  const isTaken = (room) => rooms().some(({ key }) => key === room);
  for (let number = 1; ; number += 1) {
    const room = number === 1 ? site : `${site}-${number}`;
    if (!isTaken(room)) return room;
  }
}

/** The host of an address as people type it; of one without a host, such as `about:blank`, its kind. */
function siteOf(url) {
  if (!url) return '';
  const isWhole = /^[a-z][a-z0-9+.-]*:/i.test(url) && !/^[^/]*:\d/.test(url);
  try {
    const { hostname, protocol } = new URL(isWhole ? url : `https://${url}`);
    return hostname || protocol.slice(0, -1);
  } catch { return ''; }
}

/** Brings a session back that is stored, or whose browser was lost. */
export function startAgain(record) {
  const { session_name: name, room_name: room, current_url: url } = record;
  // One with a name comes back on its page by itself.
  const page = !name && /^https?:/.test(url) ? { initial_url: url } : {};
  return run(() => calls.startSession({ ...(name && { session_name: name }), ...(room && { room_name: room }), ...page }));
}
