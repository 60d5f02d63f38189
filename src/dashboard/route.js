// Which view an address means: the sessions by `?room=`, the others by what is behind the `#`.

const VIEWS = ['recordings', 'connections', 'jobs'];

/** The view, the one thing in it that is meant, and the filters. */
export function route() {
  const [path, query] = location.hash.slice(1).split('?');
  const [view, id] = path.split('/');
  if (!VIEWS.includes(view)) return { view: 'sessions', id: null, filters: {} };
  return { view, id: id ? decoded(id) : null, filters: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a view. */
export function addressOf(view, id = null, filters = {}) {
  const set = Object.entries(filters).filter(([, value]) => value);
  const query = set.length ? `?${new URLSearchParams(set)}` : '';
  return `#${view}${id ? `/${encodeURIComponent(id)}` : ''}${query}`;
}

/** Puts a view into the address without a step in the history. */
export const replaceAddress = (view, id, filters) =>
  history.replaceState(null, '', location.pathname + location.search + addressOf(view, id, filters));

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}
