// The facts of a session: what this viewer receives, next to what the server says.

import { $, el, setText, svg } from './dom.js';
import { NONE, bitrate, count, duration, fps, milliseconds, plural, size } from './format.js';

const HISTORY = 60;
const history = { fps: [], bitrate_bps: [] };
const cards = new Map();

/** Each fact: its name, then value and note from the record, what was received, and the watch. */
const FACTS = {
  'Frame rate': ({ record, got }) => [
    got ? `${fps(got.fps)} fps` : NONE,
    `server ${fps(record.video?.fps)}, at most ${count(record.fps)}`,
  ],
  'Bit rate': ({ record, got }) => [
    got ? bitrate(got.bitrate_bps) : NONE,
    `server ${bitrate(record.video?.bitrate_bps)}, target ${bitrate(record.bitrate_bps)}`,
  ],
  'Round trip': ({ got }) => [
    milliseconds(got?.round_trip_ms ?? NaN),
    `buffer ${milliseconds(got?.buffer_ms ?? NaN)}, decode ${milliseconds(got?.decode_ms ?? NaN)}`,
  ],
  'Pictures dropped': ({ got }) => [
    count(got?.dropped),
    got ? `of ${count(got.pictures)}, ${plural(got.packets_lost, 'packet')} lost` : '',
  ],
  Resolution: ({ record, got }) => [
    size(got?.width, got?.height),
    `viewport ${size(record.viewport?.width, record.viewport?.height)}`,
  ],
  Viewers: ({ record }) => [
    count(record.viewers?.whep),
    record.viewers?.livekit ? 'and the LiveKit room' : 'nobody in LiveKit',
  ],
  LiveKit: ({ record }) => [
    record.livekit === 'none' ? 'not used' : record.livekit,
    record.livekit === 'none' ? 'started without it' : 'screen-share track',
  ],
  Capture: ({ record }) => [record.capturing ? 'running' : 'idle', `mode ${record.capture}`],
  Video: ({ got, watch }) => [
    got ? [got.codec, got.protocol?.toUpperCase()].filter(Boolean).join(' · ') || NONE : NONE,
    watch?.firstPictureMs ? `first picture in ${milliseconds(watch.firstPictureMs)}` : '',
  ],
  Encoded: ({ record }) => [count(record.video?.frames_encoded), plural(record.video?.keyframes ?? 0, 'keyframe')],
  Session: ({ record }) => [
    duration(Date.now() - Date.parse(record.created_at)),
    `last active ${duration(Date.now() - Date.parse(record.last_activity))} ago`,
  ],
  'Open pages': ({ record }) => [
    count(record.page_count),
    record.allowed_domains?.length ? `only ${record.allowed_domains.join(', ')}` : 'any public site',
  ],
};

const CHARTS = { 'Frame rate': 'fps', 'Bit rate': 'bitrate_bps' };

/** Notes one second of what arrived, for the small charts. */
export function remember(got) {
  for (const [name, values] of Object.entries(history)) {
    values.push(Number.isFinite(got?.[name]) ? got[name] : 0);
    if (values.length > HISTORY) values.shift();
  }
}

export function forget() {
  for (const values of Object.values(history)) values.length = 0;
}

export function renderFacts(source) {
  $('facts').hidden = !source.record;
  if (!source.record) return;
  for (const [name, read] of Object.entries(FACTS)) {
    const card = cards.get(name) ?? makeCard(name);
    const [value, note] = read(source);
    setText(card.value, value);
    setText(card.note, note);
    card.note.title = note;
    if (card.line) card.line.setAttribute('points', points(history[CHARTS[name]]));
  }
}

function makeCard(name) {
  const value = el('dd', { class: 'fact-value' });
  const note = el('dd', { class: 'fact-note' });
  const line = name in CHARTS ? svg('polyline', { 'vector-effect': 'non-scaling-stroke' }) : null;
  const box = el('div', { class: 'fact' }, el('dt', {}, name), value, note);
  if (line) {
    box.append(svg('svg', { class: 'fact-chart', viewBox: '0 0 59 20', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, line));
  }
  $('facts-list').append(box);
  const card = { value, note, line };
  cards.set(name, card);
  return card;
}

function points(values) {
  const top = Math.max(...values, 1) * 1.1;
  const start = HISTORY - values.length;
  return values.map((value, at) => `${start + at},${(19.5 - (value / top) * 19).toFixed(2)}`).join(' ');
}
