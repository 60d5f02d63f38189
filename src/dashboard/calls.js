// What people do here, as calls of the service: on a session, on connections, and on jobs.

import { ApiError, call, request, withTicket } from './api.js';

/** A browser that starts, a page that loads, a login that is looked for. */
const SLOW_MS = 90_000;
/** Files on their way. */
const FILES_MS = 300_000;

const of = (key) => `/sessions/${encodeURIComponent(key)}`;

export const startSession = (order) => call('POST', '/sessions', order, SLOW_MS);
export const closeSession = (key, withProfile) =>
  call('DELETE', `${of(key)}${withProfile ? '?profile=delete' : ''}`, undefined, SLOW_MS);
export const pauseSession = (key) => request(`${of(key)}/pause`, { method: 'POST' });
export const resumeSession = (key) => request(`${of(key)}/resume`, { method: 'POST' });
/** Ends all links to drive by, and takes the wheel from whoever came by one. */
export const endDriving = (key) => request(`${of(key)}/takeover`, { method: 'DELETE' });

export const readContext = (key) => call('GET', `${of(key)}/context`);
export const readElements = async (key) =>
  (await call('GET', `${of(key)}/context?elements=true&boxes=false&limit=1000`)).elements;

/** One action; what was not done is an error like any other. */
export async function act(key, type, params = {}, waitMs = SLOW_MS) {
  const result = await call('POST', `${of(key)}/actions`, { action_type: type, params }, waitMs);
  if (!result.success) throw new ApiError(200, { kind: result.error_kind, message: result.error });
  return result;
}

export const upload = (key, index, files) => act(key, 'upload', { index, files }, FILES_MS);

export const listDownloads = async (key) => (await call('GET', `${of(key)}/downloads`)).downloads;
export const downloadUrl = (key, id) => new URL(`${of(key)}/downloads/${encodeURIComponent(id)}`, location.origin).href;
export const downloadLink = (key, id) => withTicket(downloadUrl(key, id), key);

/** What the page shows now, as a PNG. */
export const screenshot = async (key) => (await request(`${of(key)}/screenshot`, { waitMs: SLOW_MS })).blob();

/** The films, the one written last first. */
export const listRecordings = async () => (await call('GET', '/recordings')).recordings;
export const deleteRecording = (file) => call('DELETE', `/recordings/${encodeURIComponent(file)}`);

export const listConnections = () => call('GET', '/connections');
export const verifyLogin = (id) => call('POST', `/connections/${encodeURIComponent(id)}/verify`, undefined, SLOW_MS);
export const forgetLogin = (id) => call('DELETE', `/connections/${encodeURIComponent(id)}`, undefined, SLOW_MS);
export const connect = (order) => lend('/connections', order);
export const openLogin = (id) => lend(`/connections/${encodeURIComponent(id)}/takeover`);

/** Gives the link to a login's page, and when it was made by the service's clock, seconds. */
async function lend(path, order) {
  const headers = order ? { 'Content-Type': 'application/json' } : {};
  const response = await request(path, { method: 'POST', headers, body: order && JSON.stringify(order), waitMs: SLOW_MS });
  const madeAt = Date.parse(response.headers.get('Date')) / 1000;
  return { ...(await response.json()), madeAt: Number.isFinite(madeAt) ? madeAt : Date.now() / 1000 };
}

export const listJobs = async ({ state, user, limit }) => {
  const query = new URLSearchParams({ limit });
  if (state) query.set('state', state);
  if (user) query.set('user_id', user);
  return (await call('GET', `/jobs?${query}`)).jobs;
};
export const readJob = (id) => call('GET', `/jobs/${encodeURIComponent(id)}`);
export const cancelJob = (id) => call('POST', `/jobs/${encodeURIComponent(id)}/cancel`, undefined, SLOW_MS);
export const retryJob = (id) => call('POST', `/jobs/${encodeURIComponent(id)}/retry`);
export const helpJob = (id) => call('POST', `/jobs/${encodeURIComponent(id)}/takeover`, undefined, SLOW_MS);
export const readNote = (id) => call('GET', `/notes/${encodeURIComponent(id)}`);

/** Tells each change of a job until it is over, or the `signal` ends it. */
export async function followJob(id, told, signal) {
  const { body } = await request(`/jobs/${encodeURIComponent(id)}/events`, { signal });
  let rest = '';
  for await (const piece of pieces(body.pipeThrough(new TextDecoderStream()))) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line.startsWith('data:')) told(JSON.parse(line.slice(5)));
  }
}

/** A stream's pieces; not every browser lets one walk a stream itself. */
async function* pieces(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
