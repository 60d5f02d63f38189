// Files of a session: those that its pages gave, to be had here, and those that are given to its pages.

import * as calls from './calls.js';
import { hasToken } from './api.js';
import { $, Rows, busy, el, part, setText, setTone } from './dom.js';
import { encoded } from './encode.js';
import { bytes, plural } from './format.js';

const STATES = {
  in_progress: ['coming', 'running'],
  completed: ['', 'live'],
  failed: ['broke off', 'failed'],
  refused: ['refused', 'failed'],
};
/** All files together; the service takes no more. */
const BYTES_MAX = 32 * 1024 * 1024;

const READ_MS = 150;

let session = null;
let downloads = [];
let isShared = false;
let isAwake = false;
let reading = 0;

const rows = new Rows($('downloads-list'), makeDownload, updateDownload);

export function startFiles() {
  $('upload').addEventListener('toggle', () => $('upload').open && readFields());
  $('upload-again').addEventListener('click', () => busy($('upload-again'), readFields));
  $('upload-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('upload-send'), send);
  });
}

export function renderFiles(record, shared) {
  const isOther = record?.session_id !== session?.session_id;
  const wasAwake = isAwake && !isOther;
  session = record;
  isShared = shared;
  isAwake = Boolean(session) && !['stored', 'failed', 'starting'].includes(session.state);
  if (isOther) {
    downloads = [];
    $('upload').open = false;
    say('');
  }
  if (isAwake && !wasAwake) readDownloads();
  $('files').hidden = !isAwake || (isShared && !downloads.length);
  $('upload').hidden = isShared;
  drawDownloads();
}

/** A download began or ended, or the page is another one. */
export function hearOfFiles({ type }) {
  // At the beginning all that are kept are told at once.
  if (type === 'download') reading ||= setTimeout(readDownloads, READ_MS);
  if (type === 'page_load_complete' && $('upload').open) readFields();
}

async function readDownloads() {
  clearTimeout(reading);
  reading = 0;
  if (!isAwake) return;
  const id = session.session_id;
  const read = await calls.listDownloads(session.key).catch((error) => ({ error }));
  if (id !== session?.session_id) return;
  if (!read.error) downloads = read;
  setText($('downloads-error'), read.error?.message ?? '');
  drawDownloads();
}

function drawDownloads() {
  rows.show([...downloads].reverse(), ({ id }) => id);
  setText($('downloads-count'), String(downloads.length || ''));
  $('downloads-empty').hidden = downloads.length > 0;
}

function makeDownload({ id, name }) {
  const key = session.key;
  const link = el('a', { class: 'download-name', href: calls.downloadUrl(key, id), download: name, 'data-part': 'link' }, name);
  link.addEventListener('click', async (click) => {
    if (!hasToken()) return;
    // A link cannot carry a token: its address is made for this press.
    click.preventDefault();
    try {
      const href = await calls.downloadLink(key, id);
      Object.assign(document.createElement('a'), { href, download: name }).click();
    } catch (error) {
      setText($('downloads-error'), error.message);
    }
  });
  return el('li', { class: 'download' }, link, el('span', { 'data-part': 'name' }, name),
    el('span', { class: 'quiet', 'data-part': 'size' }), el('span', { class: 'dot', 'data-part': 'state' }));
}

function updateDownload(row, { state, bytes: size }) {
  const isWhole = state === 'completed';
  part(row, 'link').hidden = !isWhole;
  part(row, 'name').hidden = isWhole;
  setText(part(row, 'size'), size ? bytes(size) : '');
  const [words, tone] = STATES[state] ?? [state, ''];
  setTone(part(row, 'state'), words, tone);
  part(row, 'state').hidden = !words;
}

/** What of the page takes files: its fields for them, and what may open a chooser. */
async function readFields() {
  if (!isAwake) return undefined;
  const id = session.session_id;
  const elements = await calls.readElements(session.key).catch((error) => ({ error }));
  if (id !== session?.session_id) return;
  if (elements.error) return say(elements.error.message, 'bad');
  const before = $('upload-to').value;
  const isField = ({ type }) => type === 'file';
  const name = (one) => one.name || one.placeholder || one.description || `${one.role} without a name`;
  const option = (one) => el('option', { value: one.index }, name(one));
  const fields = (elements ?? []).filter(isField);
  const buttons = (elements ?? []).filter((one) => !isField(one) && ['button', 'link'].includes(one.role));
  const group = (label, ones) => (ones.length ? [el('optgroup', { label }, ...ones.map(option))] : []);
  $('upload-to').replaceChildren(...group('Fields for files', fields), ...group('What may open a chooser', buttons));
  if (before && [...$('upload-to').options].some(({ value }) => value === before)) $('upload-to').value = before;
  $('upload-send').disabled = !$('upload-to').options.length;
  if ($('upload-send').disabled) say('Nothing on this page takes files.', '');
  else if (!fields.length) say('This page shows no field for files. Choose the button that opens its chooser.', '');
  else if ($('upload-said').dataset.tone === '') say('');
  return undefined;
}

async function send() {
  const chosen = [...$('upload-files').files];
  const size = chosen.reduce((sum, file) => sum + file.size, 0);
  if (!chosen.length) return say('Choose a file of yours first.', 'bad');
  if (size > BYTES_MAX) return say(`That is ${bytes(size)}; ${bytes(BYTES_MAX)} together is the most.`, 'bad');
  say('Sending …', '');
  try {
    const files = await encoded(chosen);
    const { data } = await calls.upload(session.key, Number($('upload-to').value), files);
    const held = data.files?.map((file) => file.name ?? file).join(', ');
    say(held ? `The page holds ${held}.` : `${plural(files.length, 'file')} given to the page.`, 'good');
    $('upload-files').value = '';
  } catch (error) {
    say(error.message, 'bad');
  }
  return undefined;
}

function say(words, tone = '') {
  setText($('upload-said'), words);
  $('upload-said').dataset.tone = tone;
}
