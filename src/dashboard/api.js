// The HTTP and WebSocket addresses of the service, and the token that opens them.

const TOKEN_KEY = 'ghostcast.token';
const TIMEOUT_MS = 10_000;

let token = tokenFromAddress() ?? stored();

/** A refused or failed request. `status` is 0 when the service did not answer. */
export class ApiError extends Error {
  constructor(status, { kind, message, hint, request_id: requestId } = {}) {
    super(message ?? `The service answered with status ${status}.`);
    this.status = status;
    this.kind = kind ?? null;
    this.hint = hint ?? null;
    this.requestId = requestId ?? null;
  }

  /** Whether asking again in a moment may help. */
  get passing() {
    return ![400, 401, 403, 404, 406, 415].includes(this.status);
  }
}

export const hasToken = () => Boolean(token);

export function useToken(value) {
  token = value || null;
  try {
    if (token) sessionStorage.setItem(TOKEN_KEY, token);
    else sessionStorage.removeItem(TOKEN_KEY);
  } catch { /* no storage: the token lasts until reload */ }
}

export const health = async () => (await request('/health')).json();

export const sessions = async () => (await (await request('/sessions')).json()).sessions ?? [];

export const session = async (room) => (await request(`/sessions/${encodeURIComponent(room)}`)).json();

/** Offers to watch `room`; gives the answer and the address that ends the watching. */
export async function watch(room, offer) {
  const response = await request(`/whep/${encodeURIComponent(room)}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: offer,
  });
  const location = response.headers.get('Location');
  return { answer: await response.text(), resource: location && new URL(location, response.url) };
}

/** Ends a watching; works while the page is being left, and nobody waits for the result. */
export function unwatch(resource) {
  if (!resource || resource.origin !== location.origin) return;
  fetch(resource, { method: 'DELETE', keepalive: true, headers: authorization() }).catch(() => {});
}

export function eventsUrl(room, since) {
  const url = new URL(`/mcp/events/${encodeURIComponent(room)}`, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('types', 'all');
  url.searchParams.set('since', since);
  if (token) url.searchParams.set('access_token', token);
  return url;
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {
      cache: 'no-store',
      ...options,
      headers: { ...options.headers, ...authorization() },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError(0, { kind: 'unavailable', message: 'The service does not answer.' });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new ApiError(response.status, body.error);
}

const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

/** Takes `?token=` out of the address, so that it stays out of history and shared links. */
function tokenFromAddress() {
  const url = new URL(location.href);
  const value = url.searchParams.get('token');
  if (value === null) return null;
  url.searchParams.delete('token');
  history.replaceState(null, '', url);
  try { sessionStorage.setItem(TOKEN_KEY, value); } catch { /* as above */ }
  return value;
}

function stored() {
  try { return sessionStorage.getItem(TOKEN_KEY); } catch { return null; }
}
