// The page of recordings: all films that are kept, to be played, had and deleted.

import * as api from './api.js';
import * as calls from './calls.js';
import { confirm } from './confirm.js';
import { $, Rows, button, el, part, setText, setTone } from './dom.js';
import { at, atClock, bytes } from './format.js';
import { Poll } from './poll.js';
import { save } from './recording.js';
import { replaceAddress } from './route.js';

const PAUSE_MS = 5_000;
/** More than these nobody reads through; a name finds the others. */
const SHOWN_MAX = 100;
const STATES = { finished: ['', ''], recording: ['being recorded', 'running'], unfinished: ['broke off', 'failed'] };

export class FilmsPage {
  poll;
  /** What went wrong with which film. */
  #said = new Map();
  #rows = new Rows($('recordings-list'), (film) => this.#make(film), (row, film) => this.#update(row, film));

  /** `told` is called with each answer and failure of the service's. */
  constructor(told) {
    this.poll = new Poll(calls.listRecordings, () => { this.#draw(); told(); }, PAUSE_MS);
    $('recordings-search').addEventListener('input', () => {
      replaceAddress('recordings', null, { name: $('recordings-search').value.trim() });
      this.#draw();
    });
  }

  open({ filters }) {
    if (document.activeElement !== $('recordings-search')) $('recordings-search').value = filters.name ?? '';
    this.poll.start();
    this.#draw();
  }

  close() {
    this.poll.stop();
    // Nothing plays on unseen.
    for (const film of $('recordings-list').querySelectorAll('video')) film.remove();
  }

  #draw() {
    const { value, error, at: asOf } = this.poll;
    const name = $('recordings-search').value.trim().toLowerCase();
    const found = (error?.final ? [] : value ?? []).filter(({ file }) => file.toLowerCase().includes(name));
    this.#rows.show(found.slice(0, SHOWN_MAX), ({ file }) => file);
    setText($('recordings-more'), found.length > SHOWN_MAX ? `and ${found.length - SHOWN_MAX} older: give more of a name` : '');
    setText($('recordings-count'), value ? String(found.length) : '');
    setText($('recordings-as-of'), error && asOf ? `as of ${atClock(asOf)}` : '');
    $('recordings-as-of').dataset.stale = Boolean(error);
    $('recordings-filters').hidden = !value?.length;
    const none = value?.length ? 'No recording of that name.' : 'No recording yet. “Record” in a room makes one.';
    setText($('recordings-notice'), error?.message ?? (!value ? 'Loading …' : found.length ? '' : none));
    $('recordings-notice').dataset.tone = error ? 'bad' : '';
  }

  #make({ file }) {
    const href = api.recordingUrl(file);
    const link = el('a', { class: 'button', href, download: file, 'data-part': 'save' }, 'Download');
    link.addEventListener('click', (click) => {
      // A link cannot carry a token: its address is made for this press.
      if (!api.hasToken()) return;
      click.preventDefault();
      this.#try(file, () => save(file));
    });
    return el('li', { class: 'card' },
      el('div', { class: 'card-head' },
        el('h2', { class: 'card-name' }, file), el('span', { class: 'pill dot', 'data-part': 'state' })),
      el('p', { class: 'card-facts quiet', 'data-part': 'facts' }),
      el('div', { 'data-part': 'film' }),
      el('span', { class: 'buttons' },
        button('Play', () => this.#try(file, () => this.#play(file)), { 'data-part': 'play', 'aria-label': `Play ${file}` }),
        link,
        button('Delete …', () => this.#delete(file), { class: 'button danger', 'data-part': 'delete', 'aria-label': `Delete ${file}` })),
      el('p', { class: 'said', role: 'status', 'data-part': 'said' }));
  }

  #update(row, { file, state, bytes: size, modified_at: when }) {
    const [words, tone] = STATES[state] ?? [state, ''];
    setTone(part(row, 'state'), words, tone);
    part(row, 'state').hidden = !words;
    setText(part(row, 'facts'), `${bytes(size)} · ${at(when)}`);
    part(row, 'facts').title = when;
    part(row, 'delete').disabled = state === 'recording';
    setText(part(row, 'said'), this.#said.get(file) ?? '');
    part(row, 'said').dataset.tone = 'bad';
  }

  /** Plays it here; the second press puts it away. */
  async #play(file) {
    const row = [...$('recordings-list').children].find((one) => part(one, 'save').download === file);
    const there = part(row, 'film').querySelector('video');
    setText(part(row, 'play'), there ? 'Play' : 'Put away');
    if (there) return there.remove();
    const film = el('video', { controls: '', autoplay: '', muted: '', playsinline: '', src: await api.recordingLink(file) });
    film.addEventListener('error', () => {
      film.remove();
      setText(part(row, 'play'), 'Play');
      this.#say(file, 'This film cannot be played here. It can be downloaded.');
    });
    return part(row, 'film').append(film);
  }

  async #delete(file) {
    const sure = await confirm({ title: 'Delete this recording?', text: file, action: 'Delete it' });
    if (sure === null) return;
    await this.#try(file, () => calls.deleteRecording(file));
    this.poll.soon();
  }

  async #try(file, act) {
    this.#say(file, '');
    await act().catch((error) => this.#say(file, error.message));
  }

  #say(file, words) {
    this.#said.set(file, words);
    this.#draw();
  }
}
