// The addresses of the service, and the token that opens them.

const TOKEN_KEY = 'ghostcast.token';
const TIMEOUT_MS = 10_000;
/** Statuses that stay as they are, however often one asks. */
const FINAL = [400, 401, 403, 404, 406, 415];

let token = null;
try { token = sessionStorage.getItem(TOKEN_KEY); } catch { /* no storage */ }

/** A refused or failed request; `status` is 0 when the service did not answer. */
export class ApiError extends Error {
  constructor(status, { message, hint } = {}) {
    super([message ?? `The service answered with status ${status}.`, hint].filter(Boolean).join(' '));
    this.status = status;
    this.final = FINAL.includes(status);
  }
}

export const hasToken = () => Boolean(token);

export function useToken(value) {
  token = value;
  try { sessionStorage.setItem(TOKEN_KEY, value); } catch { /* lasts until reload */ }
}

/** Takes `?token=` out of the address, so that it stays out of history and shared links. */
export function takeTokenFromAddress() {
  const url = new URL(location.href);
  if (!url.searchParams.has('token')) return;
  useToken(url.searchParams.get('token'));
  url.searchParams.delete('token');
  history.replaceState(null, '', url);
}

export const health = async () => (await request('/health')).json();

/** All sessions, each with the `key` by which it is found: its room, or its name where it has none. */
export async function sessions() {
  const { sessions: records } = await (await request('/sessions')).json();
  return records.map(withKey);
}

/** The sessions that have ended, the newest first; none where the service keeps nothing. */
export async function ended() {
  const response = await request('/sessions?ended=true').catch(() => null);
  return response ? (await response.json()).ended.map(withKey) : [];
}

const withKey = (record) => ({ ...record, key: record.room_name ?? record.session_name });

export const startRecording = (room) => request(recordingOf(room), { method: 'POST' });

export const stopRecording = (room) => request(recordingOf(room), { method: 'DELETE' });

const recordingOf = (room) => `/sessions/${encodeURIComponent(room)}/recording`;

/** A file's address. A link cannot carry a header, so the token goes with it. */
export function recordingUrl(file) {
  const url = new URL(`/recordings/${encodeURIComponent(file)}`, location.origin);
  if (token) url.searchParams.set('access_token', token);
  return url.href;
}

/** Offers to watch `room`; gives the answer and the address that ends the watching. */
export async function watch(room, offer) {
  const headers = { 'Content-Type': 'application/sdp' };
  const response = await request(`/whep/${encodeURIComponent(room)}`, { method: 'POST', headers, body: offer });
  return { answer: await response.text(), resource: new URL(response.headers.get('Location'), location.href).pathname };
}

/** Ends a watching. Works while the page is being left; nobody waits for the result. */
export function unwatch(resource) {
  if (resource) request(resource, { method: 'DELETE', keepalive: true }).catch(() => {});
}

export function eventsUrl(room, since) {
  const url = new URL(`/mcp/events/${encodeURIComponent(room)}`, location.origin.replace(/^http/, 'ws'));
  url.search = new URLSearchParams({ types: 'all', since, ...(token && { access_token: token }) });
  return url;
}

async function request(path, { headers, ...options } = {}) {
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin) throw new ApiError(0, { message: 'The service named another host.' });
  const response = await fetch(url, {
    ...options,
    headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) },
    cache: 'no-store',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => { throw new ApiError(0, { message: 'The service does not answer.' }); });
  if (response.ok) return response;
  throw new ApiError(response.status, (await response.json().catch(() => ({}))).error);
}
