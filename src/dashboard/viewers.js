// By which ways a session's video goes out, and how well: asked while somebody looks at the list.

import * as api from './api.js';
import { $, Rows, el, part, setText, setTone } from './dom.js';
import { fps, megabits, ms, plural } from './format.js';
import { Poll } from './poll.js';

const PAUSE_MS = 2_000;
/** Above so much loss, as a share, a way is called lossy. */
const LOSSY = 0.02;

/** Only a browser that runs is watched. */
const AWAKE = ['live', 'paused', 'reconnecting'];

let session = null;
let isAwake = false;

const poll = new Poll(() => api.viewers(session.session_id), draw, PAUSE_MS);
const rows = new Rows($('viewers-list'), make, update);

export function startViewers() {
  $('viewers').addEventListener('toggle', look);
}

export function renderViewers(record, isShared) {
  const wasAwake = isAwake && record?.session_id === session?.session_id;
  session = record;
  isAwake = Boolean(session) && !isShared && AWAKE.includes(session.state);
  $('viewers').hidden = !isAwake;
  if (isAwake !== wasAwake) look();
}

function look() {
  poll.stop();
  poll.value = null;
  draw();
  if (isAwake && $('viewers').open) poll.start();
}

function draw() {
  const viewers = poll.value ?? [];
  rows.show(viewers, ({ viewer_id: id }) => id ?? 'livekit');
  setText($('viewers-said'), poll.error?.message ?? (poll.value && !viewers.length ? 'Nobody watches.' : ''));
}

function make({ kind }) {
  const name = kind === 'livekit' ? 'LiveKit' : 'Viewer';
  return el('li', { class: 'viewer' }, el('strong', {}, name), el('span', { 'data-part': 'state', class: 'dot' }),
    el('span', { 'data-part': 'way', class: 'quiet' }), el('span', { 'data-part': 'sent' }));
}

function update(row, viewer) {
  setTone(part(row, 'state'), ...standing(viewer));
  const way = [viewer.route?.toUpperCase(), viewer.remote, viewer.rtt_ms === null ? null : ms(viewer.rtt_ms)];
  setText(part(row, 'way'), way.filter(Boolean).join(' · '));
  const layers = viewer.layers.map(({ layer, fps: rate }) => `${layer} ${fps(rate)} fps`);
  const limit = viewer.estimate_bps === null ? null : `carries ${megabits(viewer.estimate_bps)} Mbit/s`;
  const lost = viewer.loss > 0 ? `${(viewer.loss * 100).toFixed(1)} % lost` : null;
  const repaired = viewer.packets_repaired ? `${plural(viewer.packets_repaired, 'packet')} repaired` : null;
  setText(part(row, 'sent'), [...layers, limit, lost, repaired].filter(Boolean).join(' · '));
}

/** How a way is, in words and tone. */
function standing({ connected, path_full: isFull, loss }) {
  if (!connected) return ['no video passes', 'failed'];
  if (isFull) return ['full', 'starting'];
  return loss > LOSSY ? ['lossy', 'starting'] : ['good', 'live'];
}
