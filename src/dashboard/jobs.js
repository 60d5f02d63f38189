// The page of jobs: what waits, runs, is done or has failed, and why; tried anew or called off.

import * as calls from './calls.js';
import { $, Rows, busy, button, el, part, setText, setTone } from './dom.js';
import { at, atClock, since } from './format.js';
import { adviceFor, isOver, kindOf, mayCancel, mayHelp, mayRetry, progressOf, stateOf } from './job_words.js';
import { Poll } from './poll.js';
import { addressOf, replaceAddress } from './route.js';

const PAUSE_MS = 2_000;
const LISTED = 100;
const LISTED_MAX = 10_000;
/** A name that is being typed is looked for when no key has followed for so long. */
const TYPING_MS = 300;
const FOLLOW_AGAIN_MS = 2_000;

export class JobsPage {
  poll;
  #filters = {};
  #limit = LISTED;
  #isShown = false;
  /** The job that is open, as its own stream tells it. */
  #openId = null;
  #followed = { id: null, job: null, isLive: false, abort: null };
  #note = null;
  #said = new Map();
  #typing = 0;
  #rows = new Rows($('jobs-list'), (job) => this.#make(job), (row, job) => this.#update(row, job));

  /** `told` is called with each answer and failure of the service's. */
  constructor(told) {
    this.poll = new Poll(() => this.#read(), () => { this.#draw(); told(); }, PAUSE_MS);
    $('jobs-state').addEventListener('input', () => this.#filter());
    $('jobs-user').addEventListener('input', () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#filter(), TYPING_MS);
    });
    $('jobs-more').addEventListener('click', () => {
      this.#limit = Math.min(this.#limit * 10, LISTED_MAX);
      busy($('jobs-more'), async () => this.poll.soon());
    });
  }

  open({ id, filters }) {
    const isOther = filters.state !== this.#filters.state || filters.user !== this.#filters.user;
    this.#filters = filters;
    $('jobs-state').value = filters.state ?? '';
    if (document.activeElement !== $('jobs-user')) $('jobs-user').value = filters.user ?? '';
    this.#unfold(id);
    if (isOther) this.poll.value = null;
    if (isOther || !this.#isShown) this.poll.start();
    this.#isShown = true;
    this.#draw();
  }

  close() {
    this.#isShown = false;
    this.poll.stop();
    this.#unfold(null);
  }

  #filter() {
    const filters = { state: $('jobs-state').value, user: $('jobs-user').value.trim() };
    this.#limit = LISTED;
    replaceAddress('jobs', null, filters);
    this.open({ id: null, filters });
  }

  /** The jobs of the filters, and the one that a link leads to, whatever the filters say. */
  async #read() {
    const jobs = await calls.listJobs({ ...this.#filters, limit: this.#limit });
    const isFull = jobs.length >= this.#limit;
    const id = this.#openId;
    if (id && !jobs.some(({ job_id: other }) => other === id)) {
      const meant = await calls.readJob(id).catch((error) => { this.#say(id, error.message); return null; });
      if (meant) jobs.unshift(meant);
      else if (this.#openId === id) return { jobs, isFull, missing: this.#said.get(id) };
    }
    return { jobs, isFull, missing: '' };
  }

  #unfold(id) {
    if (id === this.#openId) return;
    this.#openId = id;
    this.#note = null;
    this.#followed.abort?.abort();
    this.#followed = { id, job: null, isLive: false, abort: null };
    if (id) this.#follow(id);
  }

  /** Hears of each change of the open job, for as long as it is open. */
  async #follow(id) {
    const mine = { id, job: null, isLive: false, abort: new AbortController() };
    this.#followed = mine;
    const told = (job) => {
      Object.assign(mine, { job, isLive: !isOver(job) });
      this.#draw();
      if (isOver(job)) this.poll.soon();
    };
    await calls.followJob(id, told, mine.abort.signal).catch(() => {});
    if (mine.abort.signal.aborted) return;
    const wasCut = mine.isLive;
    Object.assign(mine, { job: null, isLive: false });
    this.#draw();
    if (wasCut) setTimeout(() => this.#followed === mine && this.#follow(id), FOLLOW_AGAIN_MS);
  }

  #toggle(job) {
    const id = job.job_id === this.#openId ? null : job.job_id;
    replaceAddress('jobs', id, this.#filters);
    this.#unfold(id);
    this.#draw();
  }

  #say(id, words) {
    this.#said.set(id, words);
  }

  async #do(job, act) {
    const id = job.job_id;
    this.#say(id, '');
    try {
      await act(id);
      if (id === this.#openId) {
        this.#followed.abort?.abort();
        this.#note = null;
        this.#follow(id);
      }
    } catch (error) {
      this.#say(id, error.message);
      this.#draw();
    }
    this.poll.soon();
  }

  /** Opens the page on which a person does what a job asks for. */
  #help(job) {
    // Opened at once: a browser lets a page open another one for a press only.
    const page = window.open('', '_blank');
    return this.#do(job, async (id) => {
      try {
        const { takeover_url: url } = await calls.helpJob(id);
        if (!page) throw new Error('This browser did not let the page open.');
        page.opener = null;
        page.location = url;
      } catch (error) {
        page?.close();
        throw error;
      }
    });
  }

  #draw() {
    const { value, error, at: asked } = this.poll;
    setText($('jobs-as-of'), asked ? `as of ${atClock(asked)}` : '');
    $('jobs-as-of').dataset.stale = Boolean(error);
    const followed = this.#followed.job;
    const jobs = (value?.jobs ?? []).map((job) => (followed?.job_id === job.job_id ? followed : job));
    this.#rows.show(error?.final ? [] : jobs, ({ job_id: id }) => id);
    setText($('jobs-count'), value ? `${value.jobs.length}${value.isFull ? ' of more' : ''}` : '');
    $('jobs-filters').hidden = Boolean(error?.final);
    $('jobs-more').hidden = !value?.isFull || this.#limit >= LISTED_MAX;
    setText($('jobs-notice'), noticeFor(this.poll, this.#filters));
    $('jobs-notice').dataset.tone = error || value?.missing ? 'bad' : '';
  }

  #make(job) {
    const id = job.job_id;
    const head = el('button', { type: 'button', class: 'card-open', 'aria-expanded': 'false', 'data-part': 'open' },
      el('span', { class: 'card-name', 'data-part': 'name' }), el('span', { class: 'card-facts quiet', 'data-part': 'facts' }));
    head.addEventListener('click', () => this.#toggle(job));
    return el('li', { class: 'card job', 'data-id': id },
      el('div', { class: 'card-head' }, head, el('span', { class: 'pill dot', 'data-part': 'state' })),
      el('div', { class: 'progress', 'data-part': 'progress' }, el('progress', { 'data-part': 'bar' }), el('span', { class: 'quiet', 'data-part': 'doing' })),
      el('p', { class: 'said', 'data-tone': 'bad', 'data-part': 'error' }),
      el('p', { class: 'advice', 'data-part': 'advice' }),
      el('p', { class: 'result', 'data-part': 'result' }),
      el('div', { class: 'more', 'data-part': 'more' }),
      el('p', { class: 'said', role: 'alert', 'data-tone': 'bad', 'data-part': 'said' }),
      el('div', { class: 'buttons', 'data-part': 'buttons' },
        button('Help', () => this.#help(job), { class: 'button primary', 'data-part': 'help' }),
        button('Retry', () => this.#do(job, calls.retryJob), { 'data-part': 'retry' }),
        el('a', { class: 'button', 'data-part': 'login' }, 'Connections'),
        button('Cancel', () => this.#do(job, calls.cancelJob), { class: 'button danger', 'data-part': 'cancel' })));
  }

  #update(row, job) {
    const isOpen = job.job_id === this.#openId;
    const [words, tone] = stateOf(job);
    setText(part(row, 'name'), kindOf(job));
    setText(part(row, 'facts'), factsOf(job));
    part(row, 'open').setAttribute('aria-expanded', isOpen);
    setTone(part(row, 'state'), words, tone);
    const progress = progressOf(job);
    part(row, 'progress').hidden = !progress;
    if (progress) {
      Object.assign(part(row, 'bar'), { max: progress.of, value: progress.step });
      part(row, 'bar').setAttribute('aria-label', `Progress: ${progress.words}`);
      setText(part(row, 'doing'), progress.words);
    }
    const isWrong = job.error && job.state !== 'done';
    setText(part(row, 'error'), isWrong ? job.error.message : '');
    part(row, 'error').dataset.tone = job.state === 'failed' ? 'bad' : 'warn';
    const advice = adviceFor(job);
    setText(part(row, 'advice'), advice.words);
    const login = part(row, 'login');
    login.hidden = !advice.login;
    login.href = addressOf('connections', null, { user: job.user_id });
    setText(part(row, 'result'), job.state === 'done' && job.result !== null ? `Result: ${brief(job.result)}` : '');
    setText(part(row, 'said'), this.#said.get(job.job_id) ?? '');
    part(row, 'help').hidden = !mayHelp(job);
    part(row, 'retry').hidden = !mayRetry(job);
    part(row, 'retry').classList.toggle('primary', job.state === 'failed');
    part(row, 'cancel').hidden = !mayCancel(job);
    part(row, 'buttons').hidden = login.hidden && !mayRetry(job) && !mayCancel(job);
    for (const verb of ['help', 'retry', 'cancel']) part(row, verb).setAttribute('aria-label', `${part(row, verb).textContent}: ${kindOf(job)}, ${job.job_id}`);
    this.#drawMore(part(row, 'more'), job, isOpen);
  }

  /** What else there is to know of a job, for whoever has opened it. */
  #drawMore(box, job, isOpen) {
    const told = isOpen ? JSON.stringify([job, this.#note, this.#followed.isLive]) : '';
    if (box.dataset.told === told) return;
    box.dataset.told = told;
    if (!isOpen) return box.replaceChildren();
    this.#readNote(job);
    const facts = [
      ['Seen', isOver(job) ? null : this.#followed.isLive ? 'live' : 'at each look'],
      ['Id', job.job_id], ['User', job.user_id], ['Platform', job.platform], ['Connection', job.connection_id],
      ['Attempts', `${job.attempts} of ${job.attempts_max}`],
      ['Browser', [job.browser, job.served_by && `served by ${job.served_by}`].filter(Boolean).join(', ')],
      ['Asked for', at(job.created_at)], ['Begins', job.state === 'queued' ? at(job.run_at) : null],
      ['Began', job.started_at && at(job.started_at)], ['Ended', job.finished_at && at(job.finished_at)],
      ['Error', job.error && job.state !== 'done' ? job.error.kind : null],
      ['Note', this.#note && [this.#note.status, this.#note.error].filter(Boolean).join(': ')],
      ['Says', this.#note?.text],
    ].filter(([, value]) => value);
    box.replaceChildren(
      el('dl', { class: 'pairs' }, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)))),
      ...codeOf('Given', job.args), ...codeOf('Result', job.result));
    return undefined;
  }

  async #readNote(job) {
    const id = job.args.note_id;
    if (job.kind !== 'post_note' || !id) return;
    const note = await calls.readNote(id).catch(() => null);
    if (job.job_id !== this.#openId || !note || JSON.stringify(note) === JSON.stringify(this.#note)) return;
    this.#note = note;
    this.#draw();
  }
}

function factsOf(job) {
  const attempts = job.attempts > 1 || job.state === 'failed' ? `${job.attempts} of ${job.attempts_max} attempts` : '';
  const when = job.finished_at ? `ended ${since(job.finished_at)} ago` : `asked for ${since(job.created_at)} ago`;
  return [job.user_id, attempts, when].filter(Boolean).join(' · ');
}

function brief(result) {
  if (typeof result === 'string') return result;
  if (typeof result !== 'object') return String(result);
  return Object.entries(result).map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`).join(' · ');
}

function codeOf(title, value) {
  if (value === null || value === undefined || (typeof value === 'object' && !Object.keys(value).length)) return [];
  return [el('p', { class: 'more-title' }, title), el('pre', { class: 'json', tabindex: '0', 'aria-label': title }, JSON.stringify(value, null, 2))];
}

/** What is said in place of the list, or above it. */
function noticeFor({ value, error }, { state, user }) {
  if (error?.status === 403) return `${error.message} Jobs are not shown with this token.`;
  if (error && (error.final || !value)) return error.message;
  if (error) return `${error.message} What is shown may be out of date.`;
  if (!value) return 'Loading …';
  if (value.missing) return value.missing;
  if (value.jobs.length) return '';
  return state || user ? 'No job fits what is looked for.' : 'No job yet. Programs ask for them by POST /jobs and POST /notes/{id}/finalise.';
}
