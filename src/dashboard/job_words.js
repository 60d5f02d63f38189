// What is said of a job: what it does, how far it is, and what to do when it did not succeed.

import { at } from './format.js';

const STATES = {
  queued: ['queued', ''],
  running: ['running', 'running'],
  pending_auth: ['waits for a login', 'waiting'],
  pending_human: ['waits for a person', 'waiting'],
  done: ['done', 'live'],
  failed: ['failed', 'failed'],
  cancelled: ['cancelled', 'closed'],
};

const KINDS = {
  workflow: ({ args, platform }) => `Workflow “${args.workflow ?? '?'}”${platform ? ` at ${platform}` : ''}`,
  post_note: ({ platform }) => `Post a note${platform ? ` at ${platform}` : ''}`,
  check_login: ({ platform }) => `Check a login${platform ? ` at ${platform}` : ''}`,
  keep_alive: () => 'Keep logins alive',
  bridge: ({ args }) => `Have a worker do “${args.action ?? '?'}”`,
  notice: ({ args }) => `Tell the operator (${args.way ?? '?'})`,
};

const LOGIN = 'Let the user log in under Connections: the job goes on by itself when the login is seen.';
const REPOST = 'If the note is not there, PATCH it with {"repost": true} and finalise it.';
/** By kind of error: what mends it. */
const ADVICE = {
  session_expired: LOGIN,
  not_logged_in: LOGIN,
  no_active_connection: LOGIN,
  no_auth: LOGIN,
  logged_out: LOGIN,
  session_not_found: 'The connection is gone. Connect the user again, and ask for the job anew.',
  not_found: 'What the job is about is not there. Ask for a new job with what is.',
  invalid_input: 'A further try would fail the same way. Mend what the job was given, and ask for a new one.',
  timeout: 'It took too long. Retry when the platform answers faster.',
  rate_limited: 'The platform asks for fewer requests. Wait a while before you retry.',
  selector_changed: 'The page has changed. Mend the selectors of this workflow in the settings, then retry.',
  effect_not_seen: 'It may have been done all the same: look at the platform. A retry looks once more and does nothing twice.',
  human_required: 'Help opens the page where the job asks. It goes on when Done is pressed there.',
  human_in_control: 'A person drives the browser. It goes on when they give it back.',
  unavailable: 'Something that is needed is not there. When it is back, retry.',
  remote_unavailable: 'The remote browser cannot be reached. The job waits until it can.',
};

/** Those that pass by themselves. */
const WAITING = ['human_in_control', 'remote_unavailable'];

export const isOver = ({ state }) => ['done', 'failed', 'cancelled'].includes(state);
export const mayRetry = ({ state }) => ['failed', 'cancelled', 'pending_auth', 'pending_human'].includes(state);
export const mayHelp = ({ state }) => state === 'pending_human';
export const mayCancel = (job) => !isOver(job);
export const kindOf = (job) => KINDS[job.kind]?.(job) ?? job.kind;

/** How far a job is, in words, and how that looks. */
export function stateOf(job) {
  if (job.state === 'queued' && Date.parse(job.run_at) > Date.now() + 1_000) {
    return [job.attempts ? `tried again at ${at(job.run_at)}` : `waits until ${at(job.run_at)}`, ''];
  }
  return STATES[job.state] ?? [job.state, ''];
}

/** The steps of a job that runs; null when there is nothing to say of them. */
export function progressOf({ state, progress }) {
  if (state !== 'running' || !progress?.of) return null;
  const { step, of, doing } = progress;
  return { step, of, words: [`${step} of ${of} steps`, doing].filter(Boolean).join(' · ') };
}

/** What to do about a job that did not succeed, and whether a login is what it lacks. */
export function adviceFor({ kind, state, error }) {
  if (!error || state === 'done' || state === 'cancelled') return { words: '', login: false };
  const login = ADVICE[error.kind] === LOGIN;
  if (state === 'queued' || state === 'running') {
    return { words: WAITING.includes(error.kind) ? ADVICE[error.kind] : 'It is tried again by itself.', login };
  }
  const isNote = kind === 'post_note' && error.kind === 'effect_not_seen';
  return { words: [ADVICE[error.kind], isNote && REPOST].filter(Boolean).join(' '), login };
}
