// The page of connections: who is logged in where, how that stands, and the way to log in.

import * as calls from './calls.js';
import { confirm } from './confirm.js';
import { $, Rows, busy, button, el, part, setText, setTone } from './dom.js';
import { atClock, days, plural, since } from './format.js';
import { LoginLink } from './login_link.js';
import { Poll } from './poll.js';
import { addressOf, replaceAddress } from './route.js';
import { UserNews } from './user_news.js';

const PAUSE_MS = 5_000;
/** A new connection is in the list after so long. */
const UNLISTED_MS = 30_000;
const LOOKING = 'Looking whether the login is there …';
/** How a login stands: in words, how that looks, and what it means for whoever reads it. */
const STATUSES = {
  awaiting_auth: ['not logged in yet', 'waiting', 'Nobody has logged in yet. Log in opens the page for that.'],
  active: ['active', 'live', ''],
  logged_out: ['logged out', 'failed', 'The platform asks for a login again. Jobs wait until somebody has logged in.'],
  expired: ['expired', 'failed', 'What was kept of the login is gone or too old. Jobs wait until somebody has logged in again.'],
};

export class ConnectionsPage {
  poll;
  #filters = {};
  #isShown = false;
  #rows = new Rows($('connections-list'), (one) => this.#make(one), (row, one) => this.#update(row, one));
  /** By connection: the link to its login, and what was said last. */
  #links = new Map();
  #said = new Map();
  #news;

  /** `told` is called with each answer and failure of the service's. */
  constructor(told) {
    this.poll = new Poll(calls.listConnections, () => { this.#draw(); told(); }, PAUSE_MS);
    this.#news = new UserNews((told) => this.#hear(told));
    $('connect-form').addEventListener('submit', (event) => {
      event.preventDefault();
      busy($('connect-send'), () => this.#connect());
    });
    for (const id of ['connections-user', 'connections-status']) {
      $(id).addEventListener('input', () => {
        this.#filters = { user: $('connections-user').value.trim(), status: $('connections-status').value };
        replaceAddress('connections', null, this.#filters);
        this.#draw();
      });
    }
  }

  open({ filters }) {
    this.#filters = filters;
    $('connections-user').value = filters.user ?? '';
    $('connections-status').value = filters.status ?? '';
    if (filters.user && !$('connect-user').value) $('connect-user').value = filters.user;
    if (!this.#isShown) this.poll.start();
    this.#isShown = true;
    this.#draw();
  }

  close() {
    this.#isShown = false;
    this.poll.stop();
    this.#news.follow([]);
  }

  async #connect() {
    setText($('connect-error'), '');
    setText($('connect-busy'), 'Starting a browser …');
    try {
      const [user, platform] = [$('connect-user').value.trim(), $('connect-platform').value];
      const made = await calls.connect({ user_id: user, platform });
      this.#lent(made.connection_id, made);
      $('connect-user').value = '';
      // What was just made is not hidden by what was looked for before.
      this.open({ filters: {} });
      replaceAddress('connections', null, {});
      this.poll.soon();
    } catch (error) {
      setText($('connect-error'), error.message);
    }
    setText($('connect-busy'), '');
  }

  #lent(id, link) {
    this.#links.get(id)?.close();
    this.#links.set(id, new LoginLink(id, link, (what) => this.#leftLogin(id, what)));
    this.#said.delete(id);
  }

  /** Whoever had the link is through, or is gone. The service looks by itself then. */
  #leftLogin(id, what) {
    if (what === 'done') this.#say(id, LOOKING, 'busy');
    else this.#say(id, what, '');
  }

  #hear({ type, connection_id: id, outcome, message }) {
    if (type === 'login_checked') this.#checked(id, outcome, message);
    this.poll.soon();
  }

  /** It was looked whether a login is there. */
  #checked(id, outcome, message) {
    if (outcome === 'logged_in') this.#forgetLink(id);
    this.#say(id, message, outcome === 'logged_in' ? 'good' : 'bad');
  }

  #say(id, words, tone) {
    this.#said.set(id, { words, tone });
    this.#draw();
  }

  async #verify(id) {
    this.#say(id, LOOKING, 'busy');
    try {
      const { outcome, message } = await calls.verifyLogin(id);
      this.#checked(id, outcome, message);
    } catch (error) {
      this.#say(id, error.message, 'bad');
    }
    this.poll.soon();
  }

  async #openLogin(id) {
    this.#say(id, 'Opening the platform’s page …', 'busy');
    try {
      this.#lent(id, await calls.openLogin(id));
      this.#draw();
    } catch (error) {
      this.#say(id, error.message, 'bad');
    }
    this.poll.soon();
  }

  async #disconnect(one) {
    const sure = await confirm({
      title: `Disconnect ${one.user_id} from ${this.#label(one.platform)}?`,
      text: 'The login is deleted, with its profile. Jobs that wait for it fail.',
      action: 'Disconnect',
    });
    if (sure === null) return;
    try {
      await calls.forgetLogin(one.connection_id);
      this.#forgetLink(one.connection_id);
    } catch (error) {
      this.#say(one.connection_id, error.message, 'bad');
    }
    this.poll.soon();
  }

  /** A connection that somebody else has deleted needs no link; one that was just made may not be listed yet. */
  #forgetLinksOf(all) {
    const there = new Set(all.map(({ connection_id: id }) => id));
    for (const [id, { shownAt }] of this.#links) {
      if (!there.has(id) && this.poll.at > shownAt + UNLISTED_MS) this.#forgetLink(id);
    }
  }

  #forgetLink(id) {
    this.#links.get(id)?.close();
    this.#links.delete(id);
  }

  #draw() {
    const { value, error, at } = this.poll;
    const all = value?.connections ?? [];
    this.#forgetLinksOf(all);
    const { user, status } = this.#filters;
    const shown = all.filter((one) => (!user || one.user_id.includes(user)) && (!status || one.status === status));
    setText($('connections-as-of'), at ? `as of ${atClock(at)}` : '');
    $('connections-as-of').dataset.stale = Boolean(error);
    setText($('connections-count'), value ? String(all.length) : '');
    this.#drawPlatforms(value?.platforms ?? []);
    this.#rows.show(value && !error?.final ? shown : [], (one) => one.connection_id);
    $('connect-form').hidden = !value || Boolean(error?.final);
    $('connections-filters').hidden = all.length < 2 && !user && !status;
    setText($('connections-notice'), noticeFor(this.poll, all, shown));
    $('connections-notice').dataset.tone = error ? 'bad' : '';
    // Whose login is awaited is heard first.
    const awaited = all.filter((one) => this.#links.has(one.connection_id));
    if (this.#isShown) this.#news.follow([...awaited, ...shown].map((one) => one.user_id));
  }

  #drawPlatforms(platforms) {
    const field = $('connect-platform');
    const names = platforms.map(({ name }) => name).join();
    if (field.dataset.names === names) return;
    field.dataset.names = names;
    field.replaceChildren(...platforms.map(({ name, label }) => el('option', { value: name }, label)));
  }

  #label(platform) {
    return this.poll.value?.platforms.find(({ name }) => name === platform)?.label ?? platform;
  }

  #make(one) {
    const id = one.connection_id;
    const row = el('li', { class: 'card', 'data-id': id },
      el('div', { class: 'card-head' },
        el('h2', { 'data-part': 'name' }), el('span', { class: 'pill dot', 'data-part': 'status' })),
      el('p', { class: 'quiet', 'data-part': 'means' }),
      el('dl', { class: 'pairs' }, ...['used', 'seen', 'expires'].map((name) => el('div', {}, el('dt', { 'data-part': `${name}-name` }), el('dd', { 'data-part': name })))),
      el('p', { class: 'said', role: 'status', 'data-part': 'said' }),
      el('div', { 'data-part': 'link' }),
      el('div', { class: 'buttons' },
        button('Verify', () => this.#verify(id), { 'data-part': 'verify' }),
        button('Log in', () => this.#openLogin(id), { 'data-part': 'login' }),
        el('a', { class: 'button', 'data-part': 'jobs' }, 'Jobs'),
        button('Disconnect', () => this.#disconnect(one), { class: 'button danger', 'data-part': 'disconnect' })));
    return row;
  }

  #update(row, one) {
    const [words, tone, means] = STATUSES[one.status] ?? [one.status, '', ''];
    const id = one.connection_id;
    setText(part(row, 'name'), `${this.#label(one.platform)} · ${one.user_id}`);
    setTone(part(row, 'status'), words, tone);
    const link = this.#links.get(id);
    setText(part(row, 'means'), link ? '' : means);
    const expires = expiry(one, this.poll.value.expire_after_days);
    for (const [name, title, value, whole] of [
      ['used', 'Last used', `${since(one.last_used_at)} ago`, one.last_used_at],
      ['seen', 'Login seen', one.verified_at ? `${since(one.verified_at)} ago` : 'never', one.verified_at],
      ['expires', 'Expires', expires.words, expires.whole],
    ]) {
      setText(part(row, `${name}-name`), title);
      setText(part(row, name), value);
      part(row, name).title = whole ?? '';
    }
    const said = this.#said.get(id);
    setText(part(row, 'said'), said?.words ?? '');
    part(row, 'said').dataset.tone = said?.tone ?? '';
    const slot = part(row, 'link');
    if (link && slot.firstChild !== link.node) slot.replaceChildren(link.node);
    else if (!link) slot.replaceChildren();
    setText(part(row, 'login'), one.status === 'active' ? 'Log in again' : 'Log in');
    part(row, 'login').classList.toggle('primary', !link && one.status !== 'active');
    part(row, 'jobs').href = addressOf('jobs', null, { user: one.user_id });
    for (const name of ['verify', 'login', 'jobs', 'disconnect']) {
      const node = part(row, name);
      node.setAttribute('aria-label', `${node.textContent}: ${this.#label(one.platform)}, ${one.user_id}`);
    }
  }
}

/** When a login expires, unless it is used before. */
function expiry(one, after) {
  if (one.status === 'expired') return { words: 'it has expired', whole: null };
  const at = Date.parse(one.last_used_at) + after * 86_400_000;
  if (!Number.isFinite(at)) return { words: '–', whole: null };
  return { words: days((at - Date.now()) / 86_400_000), whole: `${new Date(at).toISOString()}, if it is not used before` };
}

/** What is said in place of the list, or below it. */
function noticeFor({ value, error }, all, shown) {
  if (error?.status === 403) return `${error.message} Connections are not shown with this token.`;
  if (error && (error.final || !value)) return error.message;
  if (error) return `${error.message} What is shown may be out of date.`;
  if (!value) return 'Loading …';
  if (!all.length) return 'No connection yet. Name a user and a platform above to make one.';
  return shown.length ? '' : `None of ${plural(all.length, 'connection')} fits what is looked for.`;
}
