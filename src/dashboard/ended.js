// The sessions that have ended: why, when, where they were last, and their films.

import * as api from './api.js';
import { $, Rows, el, setText } from './dom.js';
import { plural, sentence, since } from './format.js';
import { save } from './recording.js';
import { isSought } from './rooms.js';

/** More than this nobody reads through; the rest is in the API. */
const SHOWN_MAX = 50;
/** The service's words for what ended a session, as people say them. */
const REASONS = {
  closed: 'closed',
  idle: 'unused',
  lifetime: 'time is up',
  browser_lost: 'browser lost',
  internal: 'broke',
  cleanup: 'cleaned up',
  age: 'too old',
  service_stopped: 'service stopped',
  service_lost: 'service killed',
};
/** Those after which somebody should look. */
const WRONG = ['browser_lost', 'internal', 'service_lost'];

const rows = new Rows($('ended-list'), makeRow, update);

/** Shows those that are not among the sessions that there are: a stored one is in the list above. */
export function renderEnded(ended, sessions) {
  const present = new Set(sessions.map(({ session_id: id }) => id));
  const gone = ended.filter((one) => !present.has(one.session_id) && isSought(one));
  const shown = gone.slice(0, SHOWN_MAX);
  rows.show(shown, ({ session_id: id }) => id);
  $('ended').hidden = gone.length === 0;
  setText($('ended-count'), String(gone.length || ''));
  setText($('ended-more'), gone.length > SHOWN_MAX ? `and ${gone.length - SHOWN_MAX} older` : '');
}

/** What ended a session, in words. */
export const reasonOf = ({ reason }) => REASONS[reason] ?? reason;

function makeRow() {
  const parts = ['room-name', 'room-when', 'room-page', 'room-state dot'];
  const summary = el('summary', { class: 'room' }, ...parts.map((part) => el('span', { class: part })));
  const more = el('div', { class: 'ended-more' },
    el('p'), el('p', { class: 'ended-facts' }), el('p', { class: 'ended-films' }));
  return el('li', {}, el('details', {}, summary, more));
}

function update(row, session) {
  const [summary, more] = row.firstElementChild.children;
  const [name, when, page, reason] = summary.children;
  setText(name, session.key);
  setText(when, `${since(session.ended_at)} ago`);
  when.title = session.ended_at;
  setText(page, session.current_url.replace(/^https?:\/\//, ''));
  page.title = [session.title, session.current_url].filter(Boolean).join('\n');
  setText(reason, reasonOf(session));
  reason.dataset.state = WRONG.includes(session.reason) ? 'failed' : 'closed';
  const [detail, facts, films] = more.children;
  setText(detail, sentence(session.detail));
  const failed = session.actions_failed ? `, ${session.actions_failed} failed` : '';
  const viewers = session.viewers.whep + Number(session.viewers.livekit);
  setText(facts, `${plural(session.actions, 'action')}${failed} · ${plural(viewers, 'viewer')}`);
  const files = session.recordings.map(({ file }) => file);
  if (films.dataset.files === files.join()) return;
  films.dataset.files = files.join();
  films.replaceChildren(...files.map((file, at) => film(file, files.length > 1 ? `Recording ${at + 1} ↓` : 'Recording ↓')));
}

/** A link to a film. */
function film(file, words) {
  const link = el('a', { class: 'button', href: api.recordingUrl(file), download: file, title: `Download ${file}` }, words);
  link.addEventListener('click', async (click) => {
    if (!api.hasToken()) return;
    click.preventDefault();
    try {
      await save(file);
    } catch (error) {
      setText(link, 'Not to be had');
      link.title = error.message;
    }
  });
  return link;
}
