// Ties the parts together: what is chosen, what the service says, what is shown.

import * as api from './api.js';
import { $, setText } from './dom.js';
import { renderEnded } from './ended.js';
import { EventStream } from './events.js';
import { renderFacts } from './facts.js';
import { EventLog } from './log.js';
import { noticeFor } from './notices.js';
import { download, renderRecording, toggleRecording } from './recording.js';
import { renderRooms } from './rooms.js';
import { renderWheel, takeWheel } from './wheel.js';
import { Watch } from './whep.js';

const REFRESH_MS = 2_000;
const REFRESH_HIDDEN_MS = 10_000;
const REFRESH_SOON_MS = 150;
const HEALTH_MS = 15_000;
/** Ends are seen by what is gone; those that nobody saw here are asked for this often. */
const ENDED_MS = 30_000;
const EVENTS_MAX = 500;
/** The session states in which there is, or will be, video. */
const WATCHABLE = ['live', 'paused', 'reconnecting'];
/** Events after which the session's record has changed. */
const TELLING = ['page_navigation', 'page_load_complete', 'stream_state', 'browser_error', 'recording', 'control'];

const state = { loaded: false, error: null, room: null, record: null, sessions: [], ended: [], got: null };
const events = [];
const log = new EventLog();
let watch = null;
let stream = null;
let refreshTimer = 0;
let refreshAt = Infinity;

window.ghostcast = {
  events,
  state: () => ({ ...state, watch: watch?.state ?? 'off', connected: stream?.connected ?? false }),
};

function chooseFromAddress() {
  stopFollowing();
  state.room = new URLSearchParams(location.search).get('room') || null;
  document.title = state.room ? `${state.room} – Ghostcast` : 'Ghostcast';
  adopt(state.sessions);
}

function open(room) {
  if (room === state.room) return;
  history.pushState(null, '', room ? `/?room=${encodeURIComponent(room)}` : '/');
  chooseFromAddress();
}

async function refresh() {
  refreshAt = Infinity;
  clearTimeout(refreshTimer);
  try {
    const sessions = await api.sessions();
    const isFirst = !state.loaded;
    Object.assign(state, { loaded: true, error: null });
    if (isFirst || isFewer(sessions)) await readEnded();
    adopt(sessions);
    // Whoever comes to a single room need not choose.
    if (isFirst && !state.room && sessions.length === 1) open(sessions[0].key);
  } catch (error) {
    if (error.status === 401 && state.error?.status !== 401 && !api.isShared()) askForToken();
    state.error = error;
    // Asking again with the same token is no use, and counts as a wrong one each time.
    if (error.status === 401) stopFollowing();
    render();
    if (error.status === 401) return;
  }
  refreshIn(document.hidden ? REFRESH_HIDDEN_MS : REFRESH_MS);
}

/** Whether a session is gone that there was. */
function isFewer(sessions) {
  const ids = new Set(sessions.map(({ session_id: id }) => id));
  return state.sessions.some(({ session_id: id }) => !ids.has(id));
}

async function readEnded() {
  state.ended = await api.ended();
}

/** The earliest wish counts: a page that changes all the time must not put it off for ever. */
function refreshIn(delay) {
  const at = performance.now() + delay;
  if (at >= refreshAt) return;
  clearTimeout(refreshTimer);
  refreshAt = at;
  refreshTimer = setTimeout(refresh, delay);
}

/** Takes the service's word on every session, and starts or ends the watching to match. */
function adopt(sessions) {
  const record = sessions.find(({ key }) => key === state.room) ?? null;
  if (record?.session_id !== state.record?.session_id) stopFollowing();
  Object.assign(state, { sessions, record });
  if (record) stream ??= new EventStream(state.room, heard, render);
  if (record && WATCHABLE.includes(record.state)) watch ??= new Watch(state.room, $('video'), render);
  else stopWatching();
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
}

function heard(event) {
  events.push(event);
  if (events.length > EVENTS_MAX) events.shift();
  log.add(event);
  if (TELLING.includes(event.type)) refreshIn(REFRESH_SOON_MS);
}

function render() {
  const { record, room, sessions, error, loaded, got } = state;
  document.body.dataset.view = room ? 'room' : 'rooms';
  document.body.dataset.session = Boolean(record);
  document.body.dataset.shared = api.isShared();
  $('banner').hidden = !(loaded && error && !error.final);
  renderRooms(sessions, room, open);
  renderEnded(state.ended, sessions);
  setText($('room-name'), room ?? '');
  setText($('page-title'), record?.page_error ?? record?.title ?? '');
  $('page-title').dataset.tone = record?.page_error ? 'wrong' : '';
  setText($('page-url'), record?.current_url ?? '');
  $('page-url').title = record?.current_url ?? '';
  showState($('session-state'), record?.state ?? '', record?.state);
  $('session-state').title = record?.state_reason ?? '';
  for (const id of ['session-state', 'stage-tools', 'events']) $(id).hidden = !record;
  if (record) $('screen').style.setProperty('--aspect', `${record.viewport.width} / ${record.viewport.height}`);
  const [words, name] = stream?.connected ? ['connected', 'live'] : ['connecting …', 'starting'];
  showState($('log-state'), words, name);
  renderFacts(record, got, watch);
  renderRecording(record);
  renderWheel(record);
  renderNotice(noticeFor({ ...state, watch, hasToken: api.hasToken(), shared: api.isShared() }));
}

function renderNotice(notice) {
  $('notice').hidden = !notice;
  $('screen').dataset.picture = Boolean(watch?.firstPictureMs);
  setText($('status'), notice?.title ?? `Live picture of room ${state.room}`);
  if (!notice) return;
  $('notice').dataset.tone = notice.tone;
  setText($('notice-title'), notice.title);
  setText($('notice-text'), notice.text);
  $('notice-command').hidden = !notice.command;
  setText($('notice-code'), notice.command ?? '');
  $('notice-action').hidden = !notice.action;
  $('notice-action').dataset.action = notice.action ?? '';
  setText($('notice-action'), notice.action === 'token' ? 'Enter a token' : 'Try again now');
}

function showState(node, words, name) {
  setText(node, words);
  node.dataset.state = name ?? '';
}

function askForToken() {
  setText($('token-error'), api.hasToken() ? 'The service did not accept this token.' : '');
  if (!$('token-dialog').open) $('token-dialog').showModal();
}

async function showHealth() {
  const health = await api.health().catch(() => ({ status: 'no answer' }));
  const words = [health.status, health.version].filter(Boolean).join(' · ');
  showState($('health'), words, health.status === 'healthy' ? 'live' : 'failed');
}

async function measure() {
  const measured = watch;
  const got = await measured?.stats().catch(() => null);
  if (measured === watch) state.got = got ?? null;
  renderFacts(state.record, state.got, watch);
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if ($('screen').requestFullscreen) $('screen').requestFullscreen().catch(() => {});
  else $('video').webkitEnterFullscreen?.();
}

async function copyCommand() {
  // The clipboard is closed to plain http; then the selected text can be copied by hand.
  getSelection().selectAllChildren($('notice-code'));
  if (!navigator.clipboard) return;
  await navigator.clipboard.writeText($('notice-code').textContent);
  setText($('notice-copy'), 'Copied');
  setTimeout(() => setText($('notice-copy'), 'Copy'), 1_500);
}

for (const id of ['home', 'back']) {
  $(id).addEventListener('click', (click) => { click.preventDefault(); if (!api.isShared()) open(null); });
}
$('recorded').addEventListener('click', download);
$('record').addEventListener('click', () => toggleRecording(state.record, () => refreshIn(0)));
$('take-wheel').addEventListener('click', () => takeWheel(state.record));
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
  state.error = null;
  refresh();
});
document.addEventListener('keydown', (key) => {
  const plain = !key.ctrlKey && !key.metaKey && !key.altKey && !key.target.closest('input, dialog');
  if (key.key === 'f' && plain && watch) toggleFullscreen();
});
document.addEventListener('visibilitychange', () => document.hidden || refresh());
addEventListener('online', () => watch?.state === 'retrying' && watch.connect());
addEventListener('popstate', chooseFromAddress);
addEventListener('pagehide', stopFollowing);

api.takeTokenFromAddress();
chooseFromAddress();
refresh();
showHealth();
setInterval(showHealth, HEALTH_MS);
setInterval(() => state.loaded && !document.hidden && readEnded().then(render), ENDED_MS);
setInterval(measure, 1_000);
