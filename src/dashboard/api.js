// The addresses of the service, and the token that opens them.

import { sentence } from './format.js';

const TOKEN_KEY = 'ghostcast.token';
const SHARED_KEY = 'ghostcast.shared';
const EVENTS_PROTOCOL = 'ghostcast.events.v1';
const DRIVE_PROTOCOL = 'ghostcast.drive.v1';
const BEARER_PROTOCOL = 'ghostcast.bearer.';
/** A login's page that is fitted to a screen is started anew. */
const FITTED_MS = 60_000;
const TIMEOUT_MS = 10_000;
/** Statuses that stay as they are, however often one asks. */
const FINAL = [400, 401, 403, 404, 406, 415];

let token = null;
/** Whether the page was opened by a link to watch one session by. */
let shared = false;
try {
  token = sessionStorage.getItem(TOKEN_KEY);
  shared = Boolean(sessionStorage.getItem(SHARED_KEY));
} catch { /* no storage */ }

/** A refused or failed request; `status` is 0 when the service did not answer. */
export class ApiError extends Error {
  constructor(status, { kind, message, hint } = {}) {
    super([message ?? `The service answered with status ${status}`, hint].filter(Boolean).map(sentence).join(' '));
    this.status = status;
    this.kind = kind ?? null;
    this.final = FINAL.includes(status);
  }
}

export const hasToken = () => Boolean(token);
export const isShared = () => shared;

export function useToken(value) {
  keep(value, false);
}

function keep(value, isShare) {
  token = value;
  shared = isShare;
  try {
    sessionStorage.setItem(TOKEN_KEY, value);
    sessionStorage.setItem(SHARED_KEY, isShare ? '1' : '');
  } catch { /* lasts until reload */ }
}

/** Takes the token of a link out of the address (`#share=`), and one of old (`?token=`), so that they stay
    out of history and copied addresses. */
export function takeTokenFromAddress() {
  const url = new URL(location.href);
  const share = new URLSearchParams(url.hash.slice(1)).get('share');
  const own = url.searchParams.get('token');
  if (share) keep(share, true);
  else if (own !== null) useToken(own);
  else return;
  if (share) url.hash = '';
  url.searchParams.delete('token');
  history.replaceState(null, '', url);
}

export const health = async () => (await request('/health')).json();

/** All sessions, each with the `key` by which it is found: its room, or its name where it has none; and of when
    that is by the service's clock, in whole seconds. */
export async function sessions() {
  const response = await request('/sessions');
  const { sessions: records } = await response.json();
  return { sessions: records.map(withKey), asOf: Date.parse(response.headers.get('Date')) / 1000 };
}

/** The sessions that have ended, the newest first; none where this token may not see them. */
export async function ended() {
  try {
    return (await call('GET', '/sessions?ended=true')).ended.map(withKey);
  } catch (error) {
    if (error.final) return [];
    throw error;
  }
}

/** The session that somebody means by a room, a name or an id. */
export const meantBy = (sessions, word) => (word && (sessions.find(({ key }) => key === word)
  ?? sessions.find((one) => [one.session_name, one.session_id].includes(word)))) || null;

const withKey = (record) => ({ ...record, key: record.room_name ?? record.session_name });

export const startRecording = (room) => request(recordingOf(room), { method: 'POST' });

export const stopRecording = (room) => request(recordingOf(room), { method: 'DELETE' });

const recordingOf = (room) => `/sessions/${encodeURIComponent(room)}/recording`;

/** A file's address. */
export const recordingUrl = (file) => new URL(`/recordings/${encodeURIComponent(file)}`, location.origin).href;

/** The same for a link, which cannot carry a header: with a ticket, for one use within a minute. */
export const recordingLink = (file) => withTicket(recordingUrl(file));

/** An address for one use within a minute; for a token of one session, the ticket is for that one. */
export async function withTicket(url, key = null) {
  if (!token) return url;
  const { ticket } = await call('POST', '/tickets', key === null ? undefined : { for: key, scope: 'watch' });
  return `${url}?${new URLSearchParams({ ticket })}`;
}

/** Offers to watch `room`, from a seat if there is one; gives the answer and the address that ends the watching. */
export async function watch(room, offer, seat) {
  const headers = { 'Content-Type': 'application/sdp' };
  const query = seat ? `?${new URLSearchParams({ seat })}` : '';
  const response = await request(`/whep/${encodeURIComponent(room)}${query}`, { method: 'POST', headers, body: offer });
  return { answer: await response.text(), resource: new URL(response.headers.get('Location'), location.href).pathname };
}

/** By which ways a session's video goes out. */
export const viewers = async (key) => (await call('GET', `/sessions/${encodeURIComponent(key)}/viewers`)).viewers;

/** Ends a watching. Works while the page is being left; nobody waits for the result. */
export function unwatch(resource) {
  if (resource) request(resource, { method: 'DELETE', keepalive: true }).catch(() => {});
}

export function eventsUrl(room, since) {
  const url = new URL(`/mcp/events/${encodeURIComponent(room)}`, location.origin.replace(/^http/, 'ws'));
  url.search = new URLSearchParams({ types: 'all', details: true, since });
  return url;
}

/** Where a user's programs are told what becomes of their logins and notes. */
export const userEventsUrl = (user) =>
  new URL(`/users/${encodeURIComponent(user)}/events`, location.origin.replace(/^http/, 'ws'));

/** A WebSocket's protocols: the token goes among them, since a browser sends no header with one. */
export const eventsProtocols = () => [EVENTS_PROTOCOL, ...(token ? [BEARER_PROTOCOL + base64url(token)] : [])];

/** Enters by the token of a link; gives the token to go on with, the role and the session. */
export const enter = (link, screen) => call('POST', '/takeover', { token: link, screen }, screen && FITTED_MS);

/** A link by which one person takes the wheel, and may be at it for half a day. */
export const takeover = (room) =>
  call('POST', `/sessions/${encodeURIComponent(room)}/takeover`, { one_time: true, ttl_s: 43_200 });

/** Gives a person's files to the field of the page that asks for them. */
export async function giveFiles(room, given) {
  const headers = { 'Content-Type': 'application/json' };
  await request(`/sessions/${encodeURIComponent(room)}/drive/files`, { method: 'POST', headers, body: JSON.stringify(given) });
}

/** Where a person takes part in a session, at the seat that they had before. */
export function driveUrl(room, seat) {
  const url = new URL(`/sessions/${encodeURIComponent(room)}/drive`, location.origin.replace(/^http/, 'ws'));
  if (seat) url.search = new URLSearchParams({ seat });
  return url;
}

export const driveProtocols = () => [DRIVE_PROTOCOL, ...(token ? [BEARER_PROTOCOL + base64url(token)] : [])];

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** A call that is answered with JSON, within `waitMs`. */
export async function call(method, path, body, waitMs) {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  return (await request(path, { method, headers, body: body && JSON.stringify(body), waitMs })).json();
}

/** A request within `waitMs`, or for as long as the `signal` lets it. */
export async function request(path, { headers, waitMs = TIMEOUT_MS, signal, ...options } = {}) {
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin) throw new ApiError(0, { message: 'The service named another host.' });
  const response = await fetch(url, {
    ...options,
    headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) },
    cache: 'no-store',
    signal: signal ?? AbortSignal.timeout(waitMs),
  }).catch(() => { throw new ApiError(0, { message: 'The service does not answer.' }); });
  if (response.ok) return response;
  throw new ApiError(response.status, (await response.json().catch(() => ({}))).error);
}
