// The facts of a session: what this viewer receives, next to what the server says.

import { $, el, setText } from './dom.js';
import { count, fps, megabits, ms, plural, since, size } from './format.js';

/** Each fact's name, then its value and a note, from the record, what was received, and the watch. */
const FACTS = {
  'Frame rate': (record, got) => [
    `${fps(got?.fps)} fps`,
    `server ${fps(record.video.fps)}, at most ${record.fps}`,
  ],
  'Bit rate': (record, got) => [
    `${megabits(got?.bitrate_bps)} Mbit/s`,
    `server ${megabits(record.video.bitrate_bps)}, target ${megabits(record.bitrate_bps)}`,
  ],
  'Round trip': (_, got) => [ms(got?.round_trip_ms), `${ms(got?.buffer_ms)} in the jitter buffer`],
  'Pictures dropped': (_, got) => [
    count(got?.dropped),
    `of ${count(got?.pictures)}, ${plural(got?.packets_lost, 'packet')} lost`,
  ],
  Resolution: ({ viewport: { width, height } }, got) => [
    size(got?.width, got?.height),
    `viewport ${size(width, height)}`,
  ],
  Viewers: ({ viewers }) => [count(viewers.whep), viewers.livekit ? 'and the LiveKit room' : 'nobody in LiveKit'],
  LiveKit: ({ livekit }) => (livekit === 'none' ? ['not used', 'started without it'] : [livekit, 'screen-share track']),
  Capture: ({ capturing, capture }) => [capturing ? 'running' : 'idle', `mode ${capture}`],
  Video: (_, got, watch) => [
    [got?.codec, got?.protocol].filter(Boolean).join(' · ') || '–',
    `first picture in ${ms(watch?.firstPictureMs)}`,
  ],
  Encoded: ({ video }) => [count(video.frames_encoded), plural(video.keyframes, 'keyframe')],
  Session: (record) => [since(record.created_at), `last active ${since(record.last_activity)} ago`],
  'Open pages': ({ page_count: pages, allowed_domains: domains }) => [
    count(pages),
    domains.length ? `only ${domains.join(', ')}` : 'any site',
  ],
};

export function renderFacts(record, got, watch) {
  $('facts').hidden = !record;
  if (!record) return;
  for (const [name, read] of Object.entries(FACTS)) {
    const [, value, note] = (document.querySelector(`[data-fact="${name}"]`) ?? makeFact(name)).children;
    const [valueWords, noteWords] = read(record, got, watch);
    setText(value, valueWords);
    setText(note, noteWords);
    note.title = noteWords;
  }
}

function makeFact(name) {
  const fact = el('div', { class: 'fact', 'data-fact': name },
    el('dt', {}, name), el('dd', { class: 'fact-value' }), el('dd', { class: 'fact-note' }));
  $('facts-list').append(fact);
  return fact;
}
