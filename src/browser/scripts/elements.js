// elements.js (4 of 9): the indexed list of what a user can act on.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.openList) return;
  const { d, geometry: geo, names } = gc._;
  const MAX_ENTRIES = 5000;
  const MAX_NODES = 20000;
  const MAX_FRAMES = 64;
  const MAX_CURSOR_CHECKS = 4000;
  const ROLES = new Set(['button', 'link', 'checkbox', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option', 'switch', 'textbox',
    'searchbox', 'combobox', 'listbox', 'radio', 'slider', 'spinbutton', 'scrollbar', 'treeitem', 'gridcell']);
  const TAGS = new Set(['button', 'select', 'textarea', 'summary']);
  const MARKED = '[role],[tabindex],[onclick],[contenteditable]';
  const SKIP = new Set(['head', 'script', 'style', 'template', 'noscript', 'link', 'meta']);
  const LEAVES = new Set(['select', 'textarea', 'input', 'button', 'video', 'audio', 'canvas', 'object', 'embed']);
  const GONE = '[aria-hidden=true i],[inert]';

  /**
   * @typedef {{doc:Document, host:Element|null, parent:Frame|null, label:string|null}} Frame
   * @typedef {{el:Element, frame:Frame, role:string, name:string, rect:object, seen:boolean}} Entry  what a list remembers
   * @type {{version:number, entries:Entry[], order:number[], known:Set<Element>, total:number, truncated:boolean}|null}
   */
  let list = null;
  let version = 0;
  /** Tells this document's lists from those of all others. */
  const epoch = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, '0')).join('');

  /** One bounded pass over the flat tree, in document order: `each` element, and `take` for each likely one. */
  function walk({ each, take = () => {} }) {
    const pass = { nodes: 0, frames: 0, cursors: MAX_CURSOR_CHECKS, truncated: false, stack: [], labels: new Map(), each, take };
    enterDocument(pass, d.top, false);
    while (pass.stack.length) {
      const { el, chained, frame, pointer } = pass.stack.pop();
      if (++pass.nodes > MAX_NODES) { pass.truncated = true; break; }
      const next = chained && d.nextElementSibling(el);
      if (next) pass.stack.push({ el: next, chained, frame, pointer });
      visit(pass, el, frame, pointer);
    }
    return pass;
  }
  /** A modal dialog makes the rest of its document inert. */
  function enterDocument(pass, frame, pointer) {
    const root = d.documentElement(frame.doc);
    if (!root) return;
    const modals = Array.from(d.querySelectorAll(root, 'dialog:modal')).filter((el) => !d.matches(el, 'dialog:modal *'));
    const roots = modals.length ? modals.reverse() : [root];
    for (const el of roots) pass.stack.push({ el, chained: false, frame, pointer });
  }
  function visit(pass, el, frame, inside) {
    const tag = d.localName(el);
    if (SKIP.has(tag) || d.matches(el, GONE)) return;
    const first = d.firstElementChild(el);
    const shadow = d.shadowRoot(el);
    // No box and no `display: contents`: nothing below shows either.
    if ((first || shadow || tag === 'iframe') && tag !== 'slot' && !d.checkVisibility(el) && d.style(el).display !== 'contents') return;
    pass.each?.(el, frame);
    if (tag === 'label') noteLabel(pass, el);
    let pointer = inside;
    if (isCandidate(el, tag)) {
      pass.take(el, frame);
      pointer = true;
    } else if (!inside && pass.cursors > 0 && tag !== 'html' && tag !== 'body' && tag !== 'label') {
      pass.cursors--;
      if ((pointer = d.style(el).cursor === 'pointer')) pass.take(el, frame);
    }
    if (shadow) gc._.watchRoot?.(shadow);
    if (!LEAVES.has(tag) || shadow) descend(pass, el, shadow, first, frame, pointer);
  }
  function noteLabel(pass, el) {
    const control = names.controlOf(el);
    if (control) pass.labels.set(control, [...(pass.labels.get(control) || []), el]);
  }
  function descend(pass, el, shadow, first, frame, pointer) {
    if (d.isFrame(el)) {
      const doc = d.contentDocument(el);
      if (!doc) pass.take(el, frame); // another origin's: one thing, from here
      else if (++pass.frames <= MAX_FRAMES) enterDocument(pass, d.childFrame(el, doc, frame), false);
      return;
    }
    const slotted = d.slotContent(el);
    if (slotted) {
      const shown = slotted.filter((node) => d.nodeType(node) === 1).slice(0, MAX_NODES);
      for (const node of shown.reverse()) pass.stack.push({ el: node, chained: false, frame, pointer });
      return;
    }
    const child = shadow ? d.shadowFirst(shadow) : first;
    if (child) pass.stack.push({ el: child, chained: true, frame, pointer });
  }

  function isCandidate(el, tag) {
    const html = d.isHtml(el);
    if (tag === 'a') return d.hasAttribute(el, 'href') || d.hasAttribute(el, 'xlink:href') || isMarked(el);
    if (html && TAGS.has(tag)) return true;
    if (html && tag === 'input') return el.type !== 'hidden';
    if (html && tag === 'label') return standsIn(el) || isMarked(el);
    if (tag === 'html') return false;
    if (tag === 'body') return names.isEditingHost(el) || d.designMode(d.ownerDocument(el)) === 'on';
    return isMarked(el);
  }
  function isMarked(el) {
    if (!d.matches(el, MARKED)) return false;
    if (d.hasAttribute(el, 'onclick') || names.isEditingHost(el)) return true;
    return ROLES.has(names.role(el)) || parseInt(d.getAttribute(el, 'tabindex'), 10) >= 0;
  }
  /** A label is listed in place of a control that cannot itself be seen. */
  function standsIn(el) {
    const control = names.controlOf(el);
    return Boolean(control) && d.localName(control) === 'input' && !shows(control);
  }
  /** Drawn, and larger than the single pixel that screen-reader-only text is left with. */
  function shows(el) {
    if (!d.isDrawn(el)) return d.style(el).display === 'contents';
    const box = d.getBoundingClientRect(el);
    return box.width > 1 || box.height > 1 || d.firstElementChild(el) !== null;
  }
  /** Left of or above where any scrolling can reach. */
  function unreachable(quad) {
    const scroller = d.scrollingElement(document);
    if (quad.seen || !scroller) return false;
    const rtl = d.style(d.documentElement(document)).direction === 'rtl';
    return quad.full.b + d.scrollTop(scroller) <= 0 || (!rtl && quad.full.r + d.scrollLeft(scroller) <= 0);
  }

  /** Takes a new list. Indices of the one before it hold only if the same elements are there in the same order. */
  function build() {
    const sv = geo.survey();
    const entries = [];
    const known = new Set();
    let total = 0;
    const take = (el, frame) => {
      if (entries.length >= MAX_ENTRIES) { if (d.isDrawn(el)) total++; return; }
      if (!shows(el)) return;
      const quad = geo.visibleQuad(sv, el, frame);
      if (!quad || unreachable(quad)) return;
      total++;
      known.add(el);
      entries.push({ el, frame, rect: quad.seen || quad.full, seen: Boolean(quad.seen) });
    };
    const pass = walk({ take });
    for (const entry of entries) Object.assign(entry, { role: names.role(entry.el), name: names.name(entry.el, pass.labels) });
    if (!list || !isSame(list.entries, entries)) version++;
    const indices = entries.map((_, index) => index);
    const order = [...indices.filter((i) => entries[i].seen), ...indices.filter((i) => !entries[i].seen)];
    list = { version, entries, order, known, total, truncated: pass.truncated || total > entries.length };
    return list;
  }
  const isSame = (old, now) => old.length === now.length && old.every((entry, i) => entry.el === now[i].el);

  /** Whole px say enough of a place, and say it briefly. */
  function wholePx(rect) {
    const { x, y, width, height } = geo.toBox(rect);
    return { x: Math.round(x), y: Math.round(y), width: Math.round(width), height: Math.round(height) };
  }
  /** One element as it is told to the outside; absent traits are left out. */
  function describe({ el, frame, role, name, rect, seen }, index) {
    const subject = names.subject(el);
    const out = { index, role, name, tag: d.cut(d.localName(el), 60) };
    const add = (key, value) => { if (value !== undefined && value !== null) out[key] = value; };
    if (/^(input|button|select|textarea)$/.test(d.localName(subject)) && d.isHtml(subject)) add('type', d.cut(subject.type, 40));
    add('value', names.value(subject));
    add('checked', names.checked(subject));
    if (names.isDisabled(el)) out.disabled = true;
    add('href', names.href(el));
    out.box = wholePx(rect);
    out.in_viewport = seen;
    add('frame', frame.label);
    if (subject !== el) out.is_label = true;
    return out;
  }

  /** Looks again where an element is: the list may be some time old. */
  function measure(sv, entry) {
    const quad = d.isConnected(entry.el) ? geo.visibleQuad(sv, entry.el, entry.frame) : null;
    if (quad) Object.assign(entry, { rect: quad.seen || quad.full, seen: Boolean(quad.seen) });
    return Boolean(quad);
  }

  /**
   * Builds and remembers the list of interactive elements, or finds the one that is read on.
   * @param {{epoch:string, version:number}|null} [of]  the list that a cursor points into
   * @returns {{ok:boolean, epoch:string, version:number, listed:number, total:number, truncated:boolean}}
   */
  function openList(of) {
    const ok = !of || (of.epoch === epoch && list !== null && of.version === list.version);
    const made = ok && of ? list : build();
    return { ok, epoch, version: made.version, listed: made.entries.length, total: made.total, truncated: made.truncated };
  }
  /**
   * Part of the remembered list in the order of reading: what is in view first. What is gone is left out.
   * @returns {object[]} with the place of each as `at`; `is_label` where a label stands in for its control
   */
  function readList(start, count) {
    const sv = geo.survey();
    const part = (list?.order ?? []).slice(start, start + count).map((index, i) => ({ index, at: start + i, entry: list.entries[index] }));
    return part.filter(({ entry }) => measure(sv, entry)).map(({ index, at, entry }) => ({ ...describe(entry, index), at }));
  }
  /** The elements of some indices as they are, for the debugger to tell their ids; of labels, their controls. */
  const nodes = (indices, own) => indices.map((index) => list?.entries[index]?.el).map((el) => (el && !own ? names.subject(el) : el));
  const allIndices = () => (list?.entries ?? []).map((_, index) => index);

  gc._.list = { current: () => list, build, walk, shows };
  gc._.expose('openList', openList, (error) => ({ ok: true, epoch, version, listed: 0, total: 0, truncated: true, error }));
  gc._.expose('readList', readList, () => []);
  gc._.expose('nodes', nodes, () => []);
  gc._.expose('allIndices', allIndices, () => []);
  gc._.expose("adopt", d.adopt, () => {});
  gc._.expose("adoptAll", d.adoptAll, () => {});
})();
