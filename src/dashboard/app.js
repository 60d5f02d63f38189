// Ties the parts together: what is chosen, what the service says, what is shown.

import { renderAddress, startAddress } from './address.js';
import * as api from './api.js';
import { renderAsked, startAsked } from './asked.js';
import { ConnectionsPage } from './connections.js';
import { $, busy, holdFocus, setText, setTone } from './dom.js';
import { renderEnded } from './ended.js';
import { startEnlarge } from './enlarge.js';
import { EventStream } from './events.js';
import { renderFacts } from './facts.js';
import { hearOfFiles, renderFiles, startFiles } from './files.js';
import { FilmsPage } from './films.js';
import { standing } from './format.js';
import { JobsPage } from './jobs.js';
import { EventLog } from './log.js';
import { Looks } from './looks.js';
import { renderManage, run, showStart, startAgain, startManage } from './manage.js';
import { ACTIONS, noticeFor } from './notices.js';
import { download, renderRecording, toggleRecording } from './recording.js';
import { renderRooms, startSearch } from './rooms.js';
import { route } from './route.js';
import { renderTabs, startTabs } from './tabs.js';
import { renderViewers, startViewers } from './viewers.js';
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

const HEALTH = { healthy: 'live', degraded: 'starting' };
const TITLES = { recordings: 'Recordings', connections: 'Connections', jobs: 'Jobs' };

const state = { view: 'sessions', loaded: false, error: null, room: null, record: null, sessions: [], ended: [], got: null };
const events = [];
const log = new EventLog();
const looks = new Looks(render);
const showWhole = startEnlarge($('screen'), $('video'));
const keepFocus = holdFocus(() => [document.querySelector('.tab[data-current=true] .tab-show'), $('notice-action'), $('main')]);
const pages = { recordings: new FilmsPage(heardFromPage), connections: new ConnectionsPage(heardFromPage), jobs: new JobsPage(heardFromPage) };
let watch = null;
let stream = null;
let refreshTimer = 0;
let refreshAt = Infinity;

window.ghostcast = {
  events,
  state: () => ({ ...state, watch: watch?.state ?? 'off', connected: stream?.connected ?? false }),
};

function chooseFromAddress() {
  const meant = route();
  const room = new URLSearchParams(location.search).get('room') || null;
  const isSame = meant.view === state.view && room === state.room;
  state.view = api.isShared() ? 'sessions' : meant.view;
  state.room = room;
  document.title = [TITLES[state.view] ?? room, 'Ghostcast'].filter(Boolean).join(' – ');
  for (const [name, page] of Object.entries(pages)) {
    if (name === state.view) page.open(meant);
    else page.close();
  }
  if (isSame && state.view !== 'sessions') return;
  stopFollowing();
  adopt(state.sessions);
  if (state.view === 'sessions' && refreshAt === Infinity) refresh();
}

/** A page of connections or jobs has heard from the service, or has not. */
function heardFromPage() {
  const { error } = pages[state.view]?.poll ?? {};
  if (error?.status === 401) askForToken();
  renderBanner();
}

function open(room) {
  if (room === state.room && state.view === 'sessions') return;
  go(room ? `/?room=${encodeURIComponent(room)}` : '/');
}

function go(address) {
  history.pushState(null, '', address);
  chooseFromAddress();
}

async function refresh() {
  refreshAt = Infinity;
  clearTimeout(refreshTimer);
  if (state.view !== 'sessions') return;
  try {
    const { sessions, asOf } = await api.sessions();
    const isFirst = !state.loaded;
    if (state.error) showHealth();
    Object.assign(state, { loaded: true, error: null, asOf });
    if (isFirst || isFewer(sessions)) await readEnded();
    adopt(sessions);
    // Whoever comes to a single room need not choose.
    if (isFirst && !state.room && sessions.length === 1 && state.view === 'sessions') open(sessions[0].key);
  } catch (error) {
    if (error.status === 401 && state.error?.status !== 401 && !api.isShared()) askForToken();
    if (!state.error) showHealth();
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

/** What was known stays, where the service does not say. */
async function readEnded() {
  state.ended = await api.ended().catch(() => state.ended);
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
  const isHere = state.view === 'sessions';
  const record = isHere ? api.meantBy(sessions, state.room) : null;
  if (record?.session_id !== state.record?.session_id) stopFollowing();
  Object.assign(state, { sessions, record });
  if (record) stream ??= new EventStream(record.key, heard, render);
  if (record && WATCHABLE.includes(record.state)) watch ??= new Watch(record.key, $('video'), render);
  else stopWatching();
  looks.follow(record);
  render();
}

function stopWatching() {
  showWhole();
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
  // At the beginning all that is kept is told: an end before the last record is an earlier one.
  const isEnd = event.type === 'stream_state' && !WATCHABLE.includes(event.state);
  if (isEnd && event.timestamp < state.asOf) return;
  looks.hear(event);
  // A session that is put away would come back by whoever watches it anew.
  if (isEnd) stopWatching();
  hearOfFiles(event);
  if (TELLING.includes(event.type)) refreshIn(REFRESH_SOON_MS);
}

function render() {
  const { record, room, sessions, view, got } = state;
  document.body.dataset.view = view === 'sessions' ? (room ? 'room' : 'rooms') : view;
  for (const name of ['sessions', ...Object.keys(pages)]) {
    $(name).hidden = name !== view;
    if (name === view) $(`view-${name}`).setAttribute('aria-current', 'page');
    else $(`view-${name}`).removeAttribute('aria-current');
  }
  document.body.dataset.session = Boolean(record);
  document.body.dataset.shared = api.isShared();
  renderBanner();
  const isStale = Boolean(state.error);
  renderRooms(sessions, record?.key ?? room, open, isStale);
  renderEnded(state.ended, sessions);
  $('rooms-find').hidden = !sessions.length && !state.ended.length;
  $('sessions-title').hidden = view !== 'sessions' || Boolean(room);
  setText($('room-name'), room ?? '');
  setTone($('session-state'), ...(record ? standing(record, isStale) : ['']));
  $('session-state').title = record?.page_error ?? record?.state_reason ?? '';
  for (const id of ['session-state', 'stage-tools', 'events']) $(id).hidden = !record;
  if (record) $('screen').style.setProperty('--aspect', `${record.viewport.width} / ${record.viewport.height}`);
  const [words, name] = stream?.connected ? ['connected', 'live'] : ['connecting …', 'starting'];
  setTone($('log-state'), words, name);
  renderFacts(record, got, watch);
  renderRecording(record);
  renderWheel(record);
  renderManage(record);
  const isShared = api.isShared();
  renderAddress(record, !isShared && WATCHABLE.includes(record?.state));
  renderTabs(isShared ? null : record, looks.context);
  renderAsked(record, looks.context, isShared);
  renderFiles(record, isShared);
  renderViewers(record, isShared);
  renderNotice(noticeFor({ ...state, watch, hasToken: api.hasToken(), shared: api.isShared() }));
  keepFocus();
}

/** The service is down, or in trouble: what is shown stays, and is said to be old. */
function renderBanner() {
  const { view, loaded } = state;
  const poll = pages[view]?.poll;
  const error = poll ? poll.value && poll.error : loaded && state.error;
  $('banner').hidden = !error || error.final;
  const what = error?.status ? error.message : 'Ghostcast does not answer.';
  setText($('banner'), error ? `${what} What is shown may be out of date; trying again.` : '');
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
  setText($('notice-action'), ACTIONS[notice.action] ?? '');
}

function askForToken() {
  setText($('token-error'), api.hasToken() ? 'The service did not accept this token.' : '');
  if (!$('token-dialog').open) $('token-dialog').showModal();
}

async function showHealth() {
  const health = await api.health().catch(() => ({ status: 'no answer' }));
  const words = [health.status, health.version].filter(Boolean).join(' · ');
  setTone($('health'), words, HEALTH[health.status] ?? 'failed');
  $('health').title = health.reasons?.join('\n') ?? '';
}

async function measure() {
  const measured = watch;
  const got = await measured?.stats().catch(() => null);
  if (measured === watch) state.got = got ?? null;
  renderFacts(state.record, state.got, watch);
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if ($('screen').requestFullscreen) {
    // A phone that is held upright turns the picture, where its system lets a page do that.
    $('screen').requestFullscreen().then(() => screen.orientation?.lock?.('landscape')).catch(() => {});
  }
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
for (const id of ['fullscreen', 'leave-fullscreen']) $(id).addEventListener('click', toggleFullscreen);
$('video').addEventListener('dblclick', toggleFullscreen);
$('notice-copy').addEventListener('click', copyCommand);
$('notice-action').addEventListener('click', ({ target }) => {
  const { action } = target.dataset;
  if (action === 'token') askForToken();
  else if (action === 'start') showStart(state.room ?? '');
  else if (action === 'again') busy(target, () => startAgain(state.record));
  else watch?.connect();
});
$('view-sessions').addEventListener('click', (click) => { click.preventDefault(); go(location.pathname + location.search); });
$('skip').addEventListener('click', (click) => { click.preventDefault(); $('main').focus(); });
startManage(refresh, open, () => state.sessions);
startSearch(render);
startAddress(run);
startTabs(run);
startAsked(run);
startFiles();
startViewers();
$('token-form').addEventListener('submit', () => {
  api.useToken($('token').value.trim());
  $('token').value = '';
  state.error = null;
  for (const { poll } of Object.values(pages)) poll.soon();
  refresh();
});
document.addEventListener('keydown', (key) => {
  const plain = !key.ctrlKey && !key.metaKey && !key.altKey && !key.target.closest('input, select, textarea, dialog');
  if (key.key === 'f' && plain && watch) toggleFullscreen();
});
document.addEventListener('visibilitychange', () => document.hidden || refresh());
addEventListener('online', () => watch?.state === 'retrying' && watch.connect());
addEventListener('popstate', chooseFromAddress);
addEventListener('pagehide', stopFollowing);

api.takeTokenFromAddress();
chooseFromAddress();
showHealth();
setInterval(showHealth, HEALTH_MS);
setInterval(() => state.loaded && state.view === 'sessions' && !document.hidden && readEnded().then(render), ENDED_MS);
setInterval(measure, 1_000);
