// Ties the parts together: what is chosen, what the service says, what is shown.

import * as api from './api.js';
import { $, setText } from './dom.js';
import { EventStream } from './events.js';
import { forget, remember, renderFacts } from './facts.js';
import { EventLog } from './log.js';
import { noticeFor } from './notices.js';
import { renderRooms } from './rooms.js';
import { Watch } from './whep.js';

const REFRESH_MS = 2_000;
const REFRESH_HIDDEN_MS = 10_000;
const HEALTH_MS = 15_000;
const EVENTS_MAX = 500;
/** The states of a session in which there is, or will be, video. */
const WATCHABLE = ['live', 'paused', 'reconnecting'];

const state = { loaded: false, error: null, room: null, record: null, sessions: [], got: null };
const events = [];
const log = new EventLog();
let watch = null;
let stream = null;
let refreshTimer = 0;

window.ghostcast = {
  events,
  state: () => ({ ...state, watch: watch?.state ?? 'off', firstPictureMs: watch?.firstPictureMs ?? null, eventsConnected: stream?.connected ?? false }),
};

function chooseFromAddress() {
  const room = new URLSearchParams(location.search).get('room') || null;
  if (room === state.room) return;
  stopFollowing();
  Object.assign(state, { room, record: null });
  document.title = room ? `${room} – Ghostcast` : 'Ghostcast';
  adopt(state.sessions);
}

function open(room) {
  history.pushState(null, '', room ? `/?room=${encodeURIComponent(room)}` : '/');
  chooseFromAddress();
}

async function refresh() {
  clearTimeout(refreshTimer);
  const room = state.room;
  try {
    const sessions = await readSessions(room);
    Object.assign(state, { loaded: true, error: null });
    adopt(sessions);
  } catch (error) {
    state.error = error;
    if (error.status === 401) askForToken();
    render();
  }
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, document.hidden ? REFRESH_HIDDEN_MS : REFRESH_MS);
}

/** A token for one room may not list the others; then that room is all there is. */
async function readSessions(room) {
  try {
    return await api.sessions();
  } catch (error) {
    if (error.status !== 403 || !room) throw error;
    return [await api.session(room)];
  }
}

/** Takes the service's word on every session, and starts or ends the watching to match. */
function adopt(sessions) {
  const before = state.record;
  state.sessions = sessions;
  state.record = sessions.find(({ room_name: room }) => room === state.room) ?? null;
  if (before && before.session_id !== state.record?.session_id) stopFollowing();
  const { record, room } = state;
  if (record && !stream) stream = new EventStream(room, heard, render);
  const wanted = record !== null && WATCHABLE.includes(record.state);
  if (wanted && !watch) watch = new Watch(room, $('video'), render);
  if (!wanted) stopWatching();
  render();
}

function stopWatching() {
  watch?.stop();
  watch = null;
  state.got = null;
}

function stopFollowing() {
  stopWatching();
  stream?.close();
  stream = null;
  events.length = 0;
  log.clear();
  forget();
}

function heard(event) {
  events.push(event);
  if (events.length > EVENTS_MAX) events.shift();
  log.add(event);
  if (event.type === 'action_error' || event.type === 'browser_error') say(event.error);
  if (event.type === 'page_navigation' || event.type === 'stream_state' || event.type === 'browser_error') {
    clearTimeout(refreshTimer);
    refreshTimer = setTimeout(refresh, 150);
  }
}

function render() {
  const { record, room, sessions, error, loaded } = state;
  renderRooms(sessions, room, open);
  document.body.dataset.view = room ? 'room' : 'rooms';
  $('banner').hidden = !(loaded && error && error.status !== 401 && error.status !== 403);
  setText($('room-name'), room ?? 'Rooms');
  setText($('page-title'), record ? record.title || 'Untitled page' : '');
  setText($('page-url'), record ? record.current_url || 'about:blank' : '');
  $('page-url').title = record?.current_url ?? '';
  $('session-state').hidden = !record;
  $('session-state').dataset.state = record?.state ?? '';
  setText($('session-state'), record?.state ?? '');
  $('session-state').title = record?.state_reason ?? '';
  $('stage-tools').hidden = !record;
  if (record?.viewport) $('screen').style.setProperty('--aspect', `${record.viewport.width} / ${record.viewport.height}`);
  $('events').hidden = !record;
  setText($('log-state'), stream?.connected ? 'connected' : 'connecting …');
  $('log-state').dataset.state = stream?.connected ? 'live' : 'starting';
  renderFacts({ record, got: state.got, watch });
  renderNotice(noticeFor({ ...state, watch, hasToken: api.hasToken() }));
}

function renderNotice(notice) {
  const box = $('notice');
  box.hidden = !notice;
  $('screen').dataset.picture = watch?.firstPictureMs ? 'true' : 'false';
  if (!notice) return say(`Live picture of room ${state.room}`);
  box.dataset.tone = notice.tone;
  setText($('notice-title'), notice.title);
  setText($('notice-text'), notice.text);
  $('notice-command').hidden = !notice.command;
  setText($('notice-code'), notice.command || '');
  $('notice-action').hidden = !notice.action;
  $('notice-action').dataset.action = notice.action ?? '';
  setText($('notice-action'), notice.action === 'token' ? 'Use another token' : 'Try again now');
  return say(notice.title);
}

const say = (words) => setText($('status'), words);

function askForToken() {
  if ($('token-dialog').open) return;
  setText($('token-error'), api.hasToken() ? 'The service did not accept this token.' : '');
  $('token-dialog').showModal();
}

async function showHealth() {
  const health = await api.health().catch((error) => ({ status: error.status ? 'unhealthy' : 'no answer' }));
  $('health').dataset.state = health.status === 'healthy' ? 'live' : 'failed';
  setText($('health'), health.version ? `${health.status} · ${health.version}` : health.status);
}

async function measure() {
  const measured = watch;
  const got = await measured?.stats().catch(() => null);
  if (measured !== watch) return;
  state.got = got ?? null;
  if (watch) remember(state.got);
  renderFacts({ record: state.record, got: state.got, watch });
}

function toggleFullscreen() {
  const [screen, video] = [$('screen'), $('video')];
  if (document.fullscreenElement) document.exitFullscreen();
  else if (screen.requestFullscreen) screen.requestFullscreen().catch(() => {});
  else video.webkitEnterFullscreen?.();
}

async function copyCommand() {
  const code = $('notice-code');
  try {
    await navigator.clipboard.writeText(code.textContent);
    setText($('notice-copy'), 'Copied');
    setTimeout(() => setText($('notice-copy'), 'Copy'), 1_500);
  } catch {
    getSelection().selectAllChildren(code);
  }
}

$('home').addEventListener('click', (click) => { click.preventDefault(); open(null); });
$('back').addEventListener('click', (click) => { click.preventDefault(); open(null); });
$('fullscreen').addEventListener('click', toggleFullscreen);
$('video').addEventListener('dblclick', toggleFullscreen);
$('notice-copy').addEventListener('click', copyCommand);
$('notice-action').addEventListener('click', ({ target }) => {
  if (target.dataset.action === 'token') askForToken();
  else watch?.connect();
});
$('token-form').addEventListener('submit', () => {
  api.useToken($('token').value.trim());
  $('token').value = '';
  stopFollowing();
  refresh();
});
addEventListener('popstate', chooseFromAddress);
addEventListener('online', () => watch?.state === 'retrying' && watch.connect());
addEventListener('pagehide', () => stopFollowing());
addEventListener('pageshow', ({ persisted }) => persisted && refresh());
document.addEventListener('visibilitychange', () => document.hidden || refresh());
document.addEventListener('keydown', (key) => {
  const typing = key.target.closest?.('input, dialog');
  if (key.key === 'f' && !typing && !key.ctrlKey && !key.metaKey && !key.altKey && watch) toggleFullscreen();
});

chooseFromAddress();
refresh();
showHealth();
setInterval(showHealth, HEALTH_MS);
setInterval(measure, 1_000);
