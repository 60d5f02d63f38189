// The record button of a room, and the link to its last file.

import * as api from './api.js';
import { $, setText } from './dom.js';
import { duration } from './format.js';

/** The room whose answer is awaited, and what went wrong in which room. */
let asking = null;
let refused = { room: null, words: '' };

export function renderRecording(record) {
  const recording = record?.recording;
  const running = recording?.state === 'recording';
  const button = $('record');
  button.disabled = !record || ['failed', 'stored'].includes(record.state);
  button.setAttribute('aria-busy', Boolean(record) && asking === record.key);
  button.title = running ? 'End the recording' : 'Record this room into a file';
  button.setAttribute('aria-pressed', running);
  setText($('record-words'), running ? `Stop ${duration(recording.duration_s)}` : 'Record');
  const link = $('recorded');
  link.hidden = !recording || running || !recording.bytes || !recording.frames;
  if (!link.hidden && link.dataset.file !== recording.file) {
    link.dataset.file = recording.file;
    link.href = api.recordingUrl(recording.file);
    link.download = recording.file;
    link.title = `Download ${recording.file}`;
  }
  const own = record && refused.room === record.key ? refused.words : '';
  const failed = recording?.state === 'failed' ? `The recording failed: ${recording.reason}` : '';
  setText($('recording-error'), own || failed);
}

/** Saves a recording, by an address of its own each time: a link cannot carry a token. */
export async function save(file) {
  const href = await api.recordingLink(file);
  Object.assign(document.createElement('a'), { href, download: file }).click();
}

/** Fetches the last file. */
export async function download(click) {
  if (!api.hasToken()) return;
  click.preventDefault();
  try {
    await save($('recorded').dataset.file);
  } catch (error) {
    setText($('recording-error'), error.message);
  }
}

/** Starts or stops, whichever the button says; `done` is called with the answer there. */
export async function toggleRecording(record, done) {
  if (!record || asking) return;
  const room = record.key;
  const act = record.recording?.state === 'recording' ? api.stopRecording : api.startRecording;
  asking = room;
  refused = { room, words: '' };
  renderRecording(record);
  await act(room).catch((error) => { refused = { room, words: error.message }; });
  asking = null;
  done();
}
