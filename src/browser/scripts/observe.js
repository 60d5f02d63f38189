// observe.js: tells significant DOM changes, coalesced, and waits for quiet.
//
// Told by `__ghostcastNotify('{"kind":"dom","change_type":…}')`, and `{"kind":"title","text":…}` of the page: the first change
// of a type at once, then at most one per window. Style and class are not observed at all, so an animation costs nothing.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.quiet) return;
  const { d } = gc._;
  const WINDOW_MS = 250;
  const MAX_RECORDS = 400; // looked at per batch; beyond that a batch is judged by its head
  const MAX_ROOTS = 300;
  const SCAN_NODES = 5000;
  const IGNORED = new Set(['script', 'style', 'link', 'meta', 'head', 'title', 'base', 'noscript', 'template']);
  const OPTIONS = {
    subtree: true, childList: true, characterData: true, characterDataOldValue: true, attributeOldValue: true,
    attributeFilter: ['disabled', 'hidden', 'checked', 'selected', 'open', 'value', 'href', 'src', 'aria-expanded', 'aria-hidden',
      'aria-checked', 'aria-selected', 'aria-disabled', 'aria-label', 'aria-invalid', 'aria-modal', 'role', 'title', 'alt'],
  };
  const TYPES = ['element_added', 'element_removed', 'attributes', 'text'];

  /** Per change type: `open` while its window runs, `until` when it must be over, `more` if something came meanwhile. */
  const windows = new Map([...TYPES, 'title'].map((type) => [type, { open: false, until: 0, more: false }]));
  let waiters = 0;
  /** What the page is called, as it was told last; frames are not asked. */
  let title = null;
  let lastChange = -Infinity;
  let roots = 0;
  /** The document that is observed: a window that was opened empty goes on with another one. */
  let observing = null;
  const observer = new MutationObserver(onMutations);

  /** What changes by itself again and again, with no action under way: a clock, a ticker. */
  const restless = new WeakMap();
  const RESTLESS_RECORDS = 40;
  const RESTLESS_TIMES = 3;
  const RESTLESS_MS = 3000;
  function noteRestless(target, at) {
    const was = restless.get(target);
    if (was && was.at === at) return;
    restless.set(target, { at, times: was && at - was.at < RESTLESS_MS ? was.times + 1 : 1 });
  }
  function isRestless(target) {
    const was = restless.get(target);
    return was !== undefined && was.times >= RESTLESS_TIMES && performance.now() - was.at < RESTLESS_MS;
  }

  let version = 0;
  /** Another number when the document may hold other elements than before. */
  function domVersion() {
    if (observing !== document) return ++version;
    const records = observer.takeRecords();
    if (records.length) onMutations(records);
    return version;
  }

  function onMutations(records) {
    version++;
    const at = performance.now();
    if (!gc._.changes?.isWatching()) for (let i = 0; i < Math.min(records.length, RESTLESS_RECORDS); i++) noteRestless(records[i].target, at);
    noteTitle();
    const seen = new Set();
    const wanted = new Set(TYPES.filter((type) => waiters > 0 || !windows.get(type).more));
    const end = Math.min(records.length, MAX_RECORDS);
    for (let i = 0; i < end && wanted.size; i++) {
      const type = judge(records[i], wanted, seen);
      if (type) { seen.add(type); wanted.delete(type); }
    }
    if (!seen.size) return;
    lastChange = performance.now();
    for (const type of seen) report(type);
  }

  /** Chromium itself tells a title when a page is committed, and not always when a script changes it. */
  function noteTitle() {
    if (window !== window.top) return;
    const now = d.title(document);
    // What waits to be told may have lost its timer.
    if (now === title && !windows.get('title').more) return;
    title = now;
    report('title');
  }

  /** The change type a record stands for, or null when a user could not care. */
  function judge(record, wanted, seen) {
    const { type, target } = record;
    if (type === 'attributes') return wanted.has(type) && attributeMatters(record) ? type : null;
    if (type === 'characterData') return wanted.has('text') && textMatters(record) ? 'text' : null;
    if (d.nodeType(target) === 1 && IGNORED.has(d.localName(target))) return null;
    const { addedNodes, removedNodes } = record;
    if (hasElement(addedNodes, adoptShadow) && wanted.has('element_added')) {
      if (wanted.has('element_removed') && hasElement(removedNodes)) { seen.add('element_removed'); wanted.delete('element_removed'); }
      return 'element_added';
    }
    if (wanted.has('element_removed') && hasElement(removedNodes)) return 'element_removed';
    return wanted.has('text') && textOf(addedNodes) !== textOf(removedNodes) && isSeen(target) ? 'text' : null;
  }
  function attributeMatters({ target, attributeName, oldValue }) {
    return !IGNORED.has(d.localName(target)) && d.getAttribute(target, attributeName) !== oldValue;
  }
  function textMatters({ target, oldValue }) {
    if (d.nodeType(target) !== 3 || d.nodeValue(target).trim() === (oldValue || '').trim()) return false;
    const parent = d.parentNode(target);
    return Boolean(parent) && (d.nodeType(parent) !== 1 || (!IGNORED.has(d.localName(parent)) && isSeen(parent)));
  }
  const isSeen = (node) => d.isConnected(node) && (d.nodeType(node) !== 1 || d.isDrawn(node));

  function hasElement(nodes, each) {
    const end = Math.min(nodes.length, 50);
    for (let i = 0; i < end; i++) {
      if (d.nodeType(nodes[i]) !== 1 || IGNORED.has(d.localName(nodes[i]))) continue;
      each?.(nodes[i]);
      return true;
    }
    return false;
  }
  /** Text put in or taken out by `textContent = …`, which replaces nodes and changes none. */
  function textOf(nodes) {
    let out = '';
    const end = Math.min(nodes.length, 10);
    for (let i = 0; i < end; i++) if (d.nodeType(nodes[i]) === 3) out += d.nodeValue(nodes[i]);
    return out.trim();
  }

  function report(type) {
    const at = windows.get(type);
    const now = performance.now();
    // A page that clears all timers clears ours: the numbers of timers are shared by all worlds.
    if (at.open && now < at.until) { at.more = true; return; }
    at.open = true;
    at.until = now + 2 * WINDOW_MS;
    notify(type);
    setTimeout(closeWindow, WINDOW_MS, type);
  }
  function closeWindow(type) {
    const at = windows.get(type);
    at.open = false;
    if (at.more) { at.more = false; report(type); }
  }
  function notify(type) {
    if (!Object.hasOwn(globalThis, '__ghostcastNotify')) return;
    const told = type === 'title' ? { kind: type, text: title } : { kind: 'dom', change_type: type };
    try { globalThis.__ghostcastNotify(JSON.stringify(told)); } catch { /* nobody listens */ }
  }

  /** Open shadow roots are observed too: when met by a scan, as a fresh element, or by a walk of the list. */
  const watched = new WeakSet();
  const kept = [];
  const shadowRoots = () => kept.map((ref) => ref.deref()).filter((root) => root && d.isConnected(root));
  gc._.watchRoot = (root) => {
    if (!observing || watched.has(root) || roots >= MAX_ROOTS) return;
    roots++;
    watched.add(root);
    kept.push(new WeakRef(root));
    observer.observe(root, OPTIONS);
    scanForRoots(d.shadowFirst(root));
  };
  const adoptShadow = (el) => {
    const root = d.shadowRoot(el);
    if (root) gc._.watchRoot(root);
  };
  function scanForRoots(first) {
    const stack = first ? [first] : [];
    for (let left = SCAN_NODES; stack.length && left > 0; left--) {
      const el = stack.pop();
      const next = d.nextElementSibling(el);
      const child = d.firstElementChild(el);
      if (next) stack.push(next);
      if (child) stack.push(child);
      adoptShadow(el);
    }
  }

  /** From DOMContentLoaded on: a load is told by navigation events, not by a flood of changes. */
  function observe() {
    if (observing === document || d.readyState(document) === 'loading') return;
    observing = document;
    observer.observe(document, OPTIONS);
    const scan = () => scanForRoots(d.documentElement(document));
    requestIdleCallback(scan, { timeout: 2000 });
  }

  const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
  const clamp = (n, low, high, other) => (Number.isFinite(n) ? Math.min(Math.max(n, low), high) : other);

  const turn = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { port1.close(); done(); };
    port2.postMessage(0);
  });
  /** The next frame, or a moment later where none is drawn. */
  const nextFrame = () => new Promise((done) => { requestAnimationFrame(done); setTimeout(done, 100); });
  /** By frames too: a page that clears all timers clears ours. */
  async function pause(ms) {
    for (const end = performance.now() + ms; performance.now() < end;) await nextFrame();
  }

  /**
   * Whether the page may be about to change with the next frame. The numbers of animation frame requests
   * are shared by all worlds of a window, so a gap tells of requests by others. Frames have numbers of
   * their own, and are waited for.
   */
  let lastRequest = 0;
  function mark() {
    lastRequest = requestAnimationFrame(() => {});
    cancelAnimationFrame(lastRequest);
    return lastRequest;
  }
  function requested() {
    const before = lastRequest;
    return mark() !== before + 1;
  }
  /** The next frame. @returns {Promise<boolean>} whether the page has asked for frames as well, by then */
  async function next() {
    const others = requested();
    const own = lastRequest + 1;
    await nextFrame();
    return mark() !== own + 1 || others;
  }
  let lastScroll = -Infinity;
  const scrolledWithin = (ms) => performance.now() - lastScroll < ms;
  addEventListener('scroll', () => { lastScroll = performance.now(); }, { capture: true, passive: true });

  /**
   * Waits until no significant change came for `quietMs`, and a frame was drawn if one was asked for, at
   * most `maxMs`.
   * @returns {Promise<{settled:boolean, ms:number}>}
   */
  async function quiet(quietMs, maxMs) {
    observe();
    const start = performance.now();
    const most = clamp(maxMs, 0, 60000, 800);
    const calm = clamp(quietMs, 0, most, 0);
    waiters++;
    try {
      const settled = await Promise.race([sleep(most).then(() => false), settle(start, calm, most)]);
      return { settled, ms: Math.round(performance.now() - start) };
    } finally { waiters--; }
  }
  async function settle(start, calm, most) {
    // What handlers put off to the next turn, as frameworks do when they draw.
    await turn();
    await turn();
    if (requested() || window.length > 0) {
      // Requests of the page were made before ours, and so are served before it.
      await nextFrame();
      await turn();
    }
    mark();
    for (;;) {
      const now = performance.now();
      const left = Math.max(lastChange, start) + calm - now;
      if (left <= 0) return true;
      if (now - start > most) return false;
      await sleep(left);
    }
  }

  mark();
  gc._.frames = { next, turn, pause, requested, scrolledWithin };
  Object.assign(gc._, { isRestless, domVersion, shadowRoots });
  gc._.expose('quiet', quiet);
  d.listen(document, 'DOMContentLoaded', observe, { once: true });
  addEventListener('load', observe, { once: true });
  observe();
})();
