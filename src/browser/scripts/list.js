// list.js: what a person can act on in this document, in the order of reading.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.list) return;
  const { d, geometry: geo, names, rules, idOf } = gc._;
  const { POINTING } = rules;
  const MAX_ENTRIES = 5000;
  const MAX_IN_VIEW = 500; // beyond those, of what is in view
  const MAX_NODES = 80000;
  const MAX_MS = 4000; // a bound for a page or machine that is stuck; what is listed depends on counts
  const MAX_FRAMES = 64;
  const MAX_HOSTS = 200;
  const MAX_OPTIONS = 10;
  const PROPOSED_AGAIN_MS = 5000;
  const ROLES = new Set(['button', 'link', 'checkbox', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option', 'switch', 'textbox',
    'searchbox', 'combobox', 'listbox', 'radio', 'slider', 'spinbutton', 'scrollbar', 'treeitem', 'gridcell']);
  const TAGS = new Set(['button', 'select', 'textarea', 'summary']);
  /** Where the page says by markup that something is pressed; frameworks have attributes of their own. */
  const MARKED = '[role],[tabindex],[onclick],[onmousedown],[contenteditable],[draggable=true],[jsaction],[data-action],[data-href],[data-toggle],[ng-click]';
  const SKIP = new Set(['head', 'script', 'style', 'template', 'noscript', 'link', 'meta']);
  const LEAVES = new Set(['select', 'textarea', 'input', 'video', 'audio', 'canvas', 'object', 'embed']);
  const LISTS = new Set(['ul', 'ol', 'table', 'tbody', 'menu', 'dl']);
  const LIST_ROLES = new Set(['list', 'listbox', 'menu', 'grid', 'tree', 'rowgroup', 'tablist', 'radiogroup']);
  const ITEMS = new Set(['li', 'tr', 'td', 'div', 'span', 'img', 'g', 'rect', 'circle', 'path', 'dd', 'dt', 'figure', 'i', 'b', 'a']);
  /** Elements that may carry a shadow root, besides those with a dash in their name. */
  const HOSTS = new Set(['article', 'aside', 'blockquote', 'div', 'footer', 'header', 'main', 'nav', 'p', 'section', 'span']);

  /** What listens, as the debugger told it: bits by kind. */
  const LISTENS = { press: 1, hover: 2, key: 4, drag: 8, drop: 16 };
  const marks = new WeakMap();
  function mark(elements, kind, off) {
    for (const el of elements) {
      if (!d.isElement(el) || d.ownerDocument(el) !== document) continue;
      const had = marks.get(el) || 0;
      marks.set(el, off ? had & ~LISTENS[kind] : had | LISTENS[kind]);
      const root = d.getRootNode(el);
      if (d.nodeType(root) === 11) adoptAround(root);
    }
    return elements.length;
  }
  /** A listener inside a closed root hands us the root. */
  function adoptAround(root) {
    try {
      for (let at = root, i = 0; at && d.nodeType(at) === 11 && i < 16; i++) {
        if (!d.shadowRoot(d.shadowHost(at))) d.adopt(at);
        at = d.getRootNode(d.shadowHost(at));
      }
    } catch { /* a plain fragment */ }
  }

  // Shadow roots that no script can open ------------------------------------------------------------

  const proposed = new WeakMap();
  /** Notes an element that may have a closed root; `pass` has `hosts` and `now`. */
  function mayHost(pass, el, tag, shadow) {
    if (shadow || pass.hosts.length >= MAX_HOSTS) return;
    const custom = tag.includes('-');
    if (!custom && !HOSTS.has(tag)) return;
    const before = proposed.get(el);
    if (before !== undefined && (!custom || pass.now - before < PROPOSED_AGAIN_MS)) return;
    if (!custom && (d.firstChild(el) || d.clientWidth(el) < 8 || d.clientHeight(el) < 8)) return;
    pass.hosts.push(el);
  }
  let lastHosts = [];
  /** Hands over what may have a closed root, each once. */
  function hosts() {
    const now = performance.now();
    for (const el of lastHosts) proposed.set(el, now);
    const all = lastHosts.filter((el) => d.isConnected(el));
    lastHosts = [];
    return all;
  }

  // What lies in front ----------------------------------------------------------------------------

  const isDialog = (el) => d.matches(el, 'dialog:modal,[aria-modal=true],[role=alertdialog]');
  /** Dialogs, and layers that cover most of the viewport whatever they are made of. */
  function fronts() {
    const found = new Set();
    const dialogs = d.querySelectorAll(d.documentElement(document), 'dialog:modal,[aria-modal=true],[role=alertdialog],[role=dialog],:popover-open');
    for (const el of Array.from(dialogs).slice(0, 20)) {
      if (!d.isDrawn(el) || !isOnScreen(el)) continue;
      if (isDialog(el) || d.matches(el, ':popover-open') || /^(fixed|absolute)$/.test(d.style(el).position)) found.add(el);
    }
    const layers = new Set();
    let covered = 0;
    for (const fx of [0.12, 0.5, 0.88]) {
      for (const fy of [0.12, 0.5, 0.88]) {
        const layer = layerAt(innerWidth * fx, innerHeight * fy);
        if (layer) { covered++; layers.add(layer); }
      }
    }
    if (covered >= 7 && layers.size <= 3) for (const layer of layers) found.add(layer);
    // The innermost of what is nested is walked with the outer one.
    return [...found].filter((el) => ![...found].some((other) => other !== el && d.isWithin(el, other)));
  }
  const isOnScreen = (el) => {
    const box = d.getBoundingClientRect(el);
    return box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight && box.width > 1 && box.height > 1;
  };
  /** The outermost element around a point that is taken out of the flow and lifted. */
  function layerAt(x, y) {
    let layer = null;
    for (let at = geo.hitTest(x, y), i = 0; at && i < 200; at = d.flatParent(at), i++) {
      const tag = d.localName(at);
      if (tag === 'body' || tag === 'html') break;
      const s = d.style(at);
      if ((s.position === 'fixed' || (s.position === 'absolute' && parseInt(s.zIndex, 10) > 0)) || d.matches(at, 'dialog:modal')) layer = at;
    }
    return layer;
  }

  // The walk ------------------------------------------------------------------------------------

  /** @typedef {{el:Element, rect:object, seen:boolean, front:boolean, frail:boolean}} Entry */
  function newPass({ clip, max = MAX_ENTRIES, first = max + MAX_IN_VIEW, front = false }) {
    return {
      sv: geo.survey(clip), now: performance.now(), max, first, allInFront: front, entries: [], rest: [], frames: [], hosts: [], labels: new Map(), rows: { around: new Map(), texts: new Map() }, sections: new Map(),
      offered: new Set(), visited: new Set(), nodes: 0, order: 0, total: 0, truncated: false, stack: [], modal: null, focused: d.focused(),
      rules: rules.read([...d.styleSheets(document), ...d.adoptedStyleSheets(document)], MARKED), viewArea: innerWidth * innerHeight || 1,
    };
  }
  function build(options = {}) {
    const pass = newPass(options);
    const root = d.documentElement(document);
    if (!root) return pass;
    const ahead = fronts();
    pass.modal = ahead.filter((el) => d.matches(el, 'dialog:modal')).pop() || null;
    const begin = (el, front) => {
      const parent = d.flatParent(el);
      const ctx = {
        cursor: parent ? d.style(parent).cursor : 'auto', inert: Boolean(parent && isInert(parent)),
        disabled: Boolean(parent && isAriaDisabled(parent)), front, native: null, plain: false, free: parent === null,
      };
      pass.stack.push({ el, chained: false, ctx });
      drain(pass);
    };
    for (const el of ahead) begin(el, true);
    begin(root, false);
    lastHosts = pass.hosts;
    pass.entries = pass.entries.filter((entry) => !entry.dropped);
    leaveRest(pass);
    name(pass);
    return pass;
  }
  const isInert = (el) => { for (let at = el; at; at = d.flatParent(at)) if (d.hasAttribute(at, 'inert')) return true; return false; };
  const isAriaDisabled = (el) => { for (let at = el; at; at = d.flatParent(at)) if (d.getAttribute(at, 'aria-disabled') === 'true') return true; return false; };

  function drain(pass) {
    const { stack } = pass;
    while (stack.length) {
      const step = stack.pop();
      if (step.leave) { leave(pass, step.leave, step.from); continue; }
      if (++pass.nodes > MAX_NODES || ((pass.nodes & 255) === 0 && performance.now() - pass.now > MAX_MS)) {
        pass.truncated = true;
        stack.length = 0;
        return;
      }
      const { el } = step;
      if (step.chained) {
        // The same step goes on to the next sibling.
        step.el = d.nextElementSibling(el);
        if (step.el) stack.push(step);
      }
      if (!pass.visited.has(el)) visit(pass, el, step.ctx, step.chained);
    }
  }

  /** Whether nothing reaches an element: it looks as its parent does and holds nothing but what is in it. */
  const isPlain = (pass, el, tag) => !marks.has(el) && !(pass.offered.size > 0 && pass.offered.has(el)) && pass.rules.isPlain(el, tag);

  function visit(pass, el, ctx, chained) {
    const tag = d.localName(el);
    if (SKIP.has(tag)) return;
    if (ctx.plain && isPlain(pass, el, tag)) {
      if (HOSTS.has(tag) && d.isHtml(el)) mayHost(pass, el, tag, null);
      const child = d.firstElementChild(el);
      if (child) pass.stack.push({ el: child, chained: true, ctx });
      return;
    }
    if (tag === 'area') { if (d.hasAttribute(el, 'href') || marks.get(el)) take(pass, el, ctx, {}, {}); return; }
    // No box and no `display: contents`: nothing below shows either.
    const boxed = d.checkVisibility(el);
    const s = d.style(el);
    if (!boxed && (tag === 'slot' ? s.display === 'none' : s.display !== 'contents')) return;
    if (isGhost(s)) return;
    if (ctx.front && !chained) pass.visited.add(el);
    const { cursor } = s;
    const html = d.isHtml(el);
    const shadow = d.shadowRoot(el);
    if (shadow) gc._.watchRoot?.(shadow);
    if (html) mayHost(pass, el, tag, shadow);
    if (tag === 'label' && html) noteLabel(pass, el);
    const below = {
      cursor, front: ctx.front, native: ctx.native,
      // Nothing clips that is around it: that of the root is the viewport's own.
      free: ctx.free && (tag === 'html' || tag === 'body' || s.overflow === 'visible'),
      // What a shadow root shows is styled from elsewhere.
      plain: pass.rules.isPlain !== null && !shadow && tag !== 'slot' && !tag.includes('-') && (ctx.plain || tag === 'html'),
      inert: ctx.inert || d.hasAttribute(el, 'inert'),
      disabled: ctx.disabled || d.getAttribute(el, 'aria-disabled') === 'true',
    };
    if (html && (tag === 'iframe' || tag === 'frame')) { frame(pass, el, below); return; }
    const why = reason(pass, el, tag, html, s, ctx);
    if (why) {
      const entry = take(pass, el, below, why, { style: s, isDrawn: boxed && s.visibility === 'visible', isFree: ctx.free });
      if (entry && why.frail) pass.stack.push({ leave: entry, from: pass.entries.length });
      if (entry && why.native && tag !== 'body') below.native = el;
    }
    if (LEAVES.has(tag) && html && !shadow) return;
    descend(pass, el, shadow, below);
  }
  function noteLabel(pass, el) {
    const control = names.controlOf(el);
    if (!control) return;
    const had = pass.labels.get(control);
    if (had) had.push(el); else pass.labels.set(control, [el]);
  }
  function frame(pass, el, ctx) {
    if (!d.isDrawn(el)) return;
    const box = d.getBoundingClientRect(el);
    if (box.width <= 1 || box.height <= 1) return;
    if (pass.frames.length >= MAX_FRAMES) { pass.truncated = true; return; }
    const quad = geo.visibleQuad(pass.sv, el);
    if (!quad) return;
    pass.frames.push({ el, order: pass.order++, front: ctx.front, rect: quad.seen || quad.full, seen: Boolean(quad.seen), inert: ctx.inert });
  }
  function descend(pass, el, shadow, below) {
    const slotted = d.slotContent(el);
    if (slotted) {
      for (let i = Math.min(slotted.length, MAX_NODES) - 1; i >= 0; i--) {
        if (d.nodeType(slotted[i]) === 1) pass.stack.push({ el: slotted[i], chained: false, ctx: below });
      }
      return;
    }
    const child = shadow ? d.shadowFirst(shadow) : d.firstElementChild(el);
    if (child) pass.stack.push({ el: child, chained: true, ctx: below });
  }

  /**
   * Why an element is listed, or null. `native`: it is meant to be used by what it is; `frail`: it may
   * turn out to be only what holds the things that are used.
   */
  function reason(pass, el, tag, html, s, ctx) {
    const listens = marks.get(el) || 0;
    const root = tag === 'html' || tag === 'body';
    if (html) {
      if (tag === 'a' && d.hasAttribute(el, 'href')) return { native: true };
      if (TAGS.has(tag)) return { native: true };
      if (tag === 'input') return el.type === 'hidden' ? null : { native: true };
      if (tag === 'label') return standsIn(el) ? { native: true } : listens & LISTENS.press && !names.controlOf(el) ? { frail: true } : null;
      if ((tag === 'video' || tag === 'audio') && d.hasAttribute(el, 'controls')) return { native: true };
      if (d.editContext(el) || (tag === 'body' && d.designMode(document) === 'on')) return { native: true };
    } else if (tag === 'a' && (d.hasAttribute(el, 'href') || d.hasAttribute(el, 'xlink:href'))) return { native: true };
    if (tag === 'html') return null;
    const marked = d.matches(el, MARKED);
    if (marked) {
      if (names.isEditingHost(el)) return { native: true };
      if (!root && ROLES.has(names.role(el))) {
        if (d.getAttribute(el, 'role') === 'listbox') offerChoices(pass, el);
        return { native: true };
      }
      if (!root && parseInt(d.getAttribute(el, 'tabindex'), 10) >= 0) { offer(pass, el, tag, true); return { focusable: true, scrollable: scrolls(el, s) }; }
    }
    if (root) return null;
    const draggable = d.getAttribute(el, 'draggable') === 'true' || Boolean(listens & LISTENS.drag);
    if (draggable) return { draggable };
    if (listens & LISTENS.drop) {
      // What can be dropped here can be taken from here, where presses are listened for too.
      if (listens & LISTENS.press) offer(pass, el, tag, false);
      return { drop: true };
    }
    if (listens & LISTENS.press || (marked && !d.hasAttribute(el, 'role'))) {
      if (ctx.native && !isSmallPart(el, ctx.native)) return null;
      return offer(pass, el, tag, false) ? null : { frail: true };
    }
    if (pass.offered.has(el)) return { frail: true };
    if (listens & LISTENS.key && tag === 'canvas') return { native: true };
    if (ctx.native) return null;
    if (POINTING.has(s.cursor) && s.cursor !== ctx.cursor) { offer(pass, el, tag, true); return { frail: true, cursor: true }; }
    if (pass.rules.cursor && d.matches(el, pass.rules.cursor)) return { frail: true };
    if (listens & LISTENS.hover || (pass.rules.reveal && d.matches(el, pass.rules.reveal))) return { frail: true, hover: true };
    if (scrolls(el, s)) return { scrollable: true };
    return null;
  }
  function scrolls(el, s) {
    const down = s.overflowY;
    if (down === 'visible') return false; // then it does not scroll sideways either
    const across = s.overflowX;
    return d.clientWidth(el) >= 40 && d.clientHeight(el) >= 40
      && (((down === 'auto' || down === 'scroll') && d.scrollHeight(el) > d.clientHeight(el) + 4)
        || ((across === 'auto' || across === 'scroll') && d.scrollWidth(el) > d.clientWidth(el) + 4));
  }
  /** A cross in a tab, not the ripple over a button. */
  function isSmallPart(el, whole) {
    const [inner, outer] = [geo.fromDom(d.getBoundingClientRect(el)), geo.fromDom(d.getBoundingClientRect(whole))];
    return geo.area(inner) > 0 && geo.area(inner) < geo.area(outer) * 0.4 && names.label(el) !== names.label(whole);
  }
  /**
   * A listener on a list speaks for its items: several children alike are what is pressed.
   * @param {boolean} signed  only children with a sign of their own, as data attributes
   */
  function offer(pass, el, tag, signed) {
    const count = d.childElementCount(el);
    if (count === 1 && (tag === 'table' || tag === 'tbody')) return offer(pass, d.firstElementChild(el), d.localName(d.firstElementChild(el)), signed);
    const first = d.firstElementChild(el);
    // A list of one holds the same as a list of many, and may get more.
    if (count === 1 && (tag === 'ul' || tag === 'ol') && d.isTag(first, 'li') && !signed) pass.offered.add(first);
    if (count < 2 || count > 1000) return false;
    const item = d.localName(first);
    const list = LISTS.has(tag) || LIST_ROLES.has(d.getAttribute(el, 'role'));
    if (!ITEMS.has(item) && !(list && item.includes('-'))) return false;
    const found = [];
    let alike = 0;
    for (let child = first; child; child = d.nextElementSibling(child)) {
      if (d.localName(child) !== item) continue;
      alike++;
      if (list ? true : isSigned(child, signed)) found.push(child);
    }
    if (alike < count * 0.6 || found.length < 2 || found.length < alike * 0.5) return false;
    for (const child of found) pass.offered.add(child);
    return true;
  }
  /** Whatever stands among choices can be chosen, called an option or not: "Add …" below them. */
  function offerChoices(pass, el) {
    let left = 200;
    for (let child = d.firstElementChild(el); child && left > 0; child = d.nextElementSibling(child), left--) {
      if (!d.hasAttribute(child, 'role') && /^(div|li)$/.test(d.localName(child)) && !d.querySelector(child, '[role]')) pass.offered.add(child);
    }
  }
  function isSigned(el, strictly) {
    for (const key of d.getAttributeNames(el)) if (/^(data-|id$|title$|value$|name$|aria-label$)/.test(key)) return true;
    return !strictly && (!d.isHtml(el) || (typeof d.className(el) === 'string' && d.className(el) !== '')
      || (d.childElementCount(el) === 0 && d.cut(d.textContent(el), 41).trim().length <= 40));
  }
  /** A label is listed in place of a control that cannot itself be seen. */
  function standsIn(el) {
    const control = names.controlOf(el);
    return Boolean(control) && d.localName(control) === 'input' && (!shows(control) || isGhost(d.style(control)));
  }
  /** There for assistive technology only: neither seen nor pressed. */
  const isGhost = (s) => s.opacity === '0' && s.pointerEvents === 'none';
  /** Drawn, and larger than the single pixel that screen-reader-only text is left with. */
  function shows(el) {
    if (d.isTag(el, 'area')) return Boolean(geo.imageOf(el));
    if (!d.isDrawn(el)) return d.style(el).display === 'contents';
    const box = d.getBoundingClientRect(el);
    return box.width > 1 || box.height > 1 || d.firstElementChild(el) !== null;
  }
  /** Left of or above where any scrolling can reach. */
  function unreachable(pass, quad, el) {
    if (quad.seen) return false;
    pass.start ??= startOf();
    const isBeyond = ({ top, left }) => quad.full.b + pass.start.top + top <= 0 || quad.full.r + pass.start.left + left <= 0;
    return isBeyond({ top: 0, left: 0 }) && isBeyond(scrolledAround(pass, d.flatParent(el)));
  }
  /** How far the scrollers around what `el` holds are scrolled, the document's own not counted. */
  function scrolledAround(pass, el) {
    pass.scrolled ??= new Map();
    const chain = [];
    let at = el;
    for (; at && at !== d.scrollingElement(document) && !pass.scrolled.has(at); at = d.flatParent(at)) chain.push(at);
    let sum = (at && pass.scrolled.get(at)) || { top: 0, left: 0 };
    while (chain.length) {
      at = chain.pop();
      const [top, left] = [d.scrollTop(at), d.scrollLeft(at)];
      // Where lines begin at the right, what is left of the box comes next.
      const isRtl = left < 0 || (d.scrollWidth(at) > d.clientWidth(at) && d.style(at).direction === 'rtl');
      if (top || left || isRtl) sum = { top: sum.top + top, left: isRtl ? Infinity : sum.left + left };
      pass.scrolled.set(at, sum);
    }
    return sum;
  }
  function startOf() {
    const scroller = d.scrollingElement(document);
    if (!scroller) return { top: 0, left: 0 };
    const rtl = d.style(d.documentElement(document)).direction === 'rtl';
    return { top: d.scrollTop(scroller), left: rtl ? Infinity : d.scrollLeft(scroller) };
  }

  /** @param {{style?:CSSStyleDeclaration, isDrawn?:boolean, isFree?:boolean}} look  isFree: nothing around it clips */
  function take(pass, el, ctx, why, { style, isDrawn, isFree }) {
    if (!isDrawn && !shows(el)) return null;
    // What comes late in a large document may be all that is in view.
    const isLate = pass.entries.length >= pass.max;
    if (isLate && (pass.entries.length >= pass.max + MAX_IN_VIEW || !isOnScreen(el))) { pass.total++; return null; }
    const quad = geo.visibleQuad(pass.sv, el, style, isFree);
    if (!quad || (quad.full.r - quad.full.l <= 1 && quad.full.b - quad.full.t <= 1 && !shows(el)) || unreachable(pass, quad, el)) return null;
    pass.total++;
    if (isLate && !quad.seen) return null;
    const entry = { el, order: pass.order++, rect: quad.seen || quad.full, full: quad.full, seen: Boolean(quad.seen), front: ctx.front, inert: ctx.inert, disabled: ctx.disabled, why };
    if (style && style.pointerEvents === 'none') entry.untouchable = true;
    pass.entries.push(entry);
    return entry;
  }
  /** What only holds the things that are used is not listed beside them. */
  function leave(pass, entry, from) {
    let inside = 0;
    for (let i = from; i < pass.entries.length; i++) if (!pass.entries[i].dropped) inside++;
    const share = geo.area(entry.full) / pass.viewArea;
    const { el, why } = entry;
    let drop = false;
    if (inside >= 8 || (inside >= 1 && share > 0.4)) drop = true;
    else if (inside === 1) {
      const inner = pass.entries.slice(from).find((other) => !other.dropped);
      drop = geo.area(inner.full) > geo.area(entry.full) * 0.5;
    } else if (inside > 0 && why.hover) drop = true;
    if (!drop && inside === 0 && !/^(canvas|img|svg)$/.test(d.localName(el))) {
      if (share > 0.25 && d.getElementsByTagName(el, '*').length > 60) drop = true;
      if (why.hover && (share > 0.2 || !names.label(el))) drop = true;
    }
    if (drop) { entry.dropped = true; pass.total--; }
  }

  // What is told --------------------------------------------------------------------------------------

  /** Only so many are told as are asked for, those in front and in view first: names are most of the work. */
  function leaveRest(pass) {
    if (pass.entries.length <= pass.first) return;
    const groups = [[], [], []];
    for (const entry of pass.entries) groups[pass.allInFront || entry.front ? 0 : entry.seen ? 1 : 2].push(entry);
    const all = groups.flat();
    pass.rest = all.slice(pass.first);
    pass.entries = all.slice(0, pass.first).sort((a, b) => a.order - b.order);
  }
  function name(pass) {
    const end = performance.now() + MAX_MS;
    const seen = new Map();
    let kept = 0;
    // What is in view is named first: names are what a bounded time is spent on.
    for (const entry of [...pass.entries.filter((e) => e.front || e.seen), ...pass.entries.filter((e) => !e.front && !e.seen)]) {
      if ((kept & 63) === 63 && performance.now() > end) { entry.unnamed = true; pass.truncated = true; continue; }
      kept++;
      const { el, why } = entry;
      entry.role = names.role(el);
      if (why.drop || why.scrollable) names.panes.add(el); else names.panes.delete(el);
      entry.name = names.name(el, pass.labels, entry.role);
      entry.row = names.rowText(el, pass.rows, entry.name);
      entry.href = names.href(el);
      const key = `${entry.role}\n${entry.name}\n${entry.row || ''}`;
      const twin = seen.get(key);
      if (twin) {
        entry.section = sectionOf(pass.sections, el);
        twin.section ??= sectionOf(pass.sections, twin.el);
      } else seen.set(key, entry);
    }
    pass.entries = pass.entries.filter((entry) => !entry.unnamed);
    // What is not named may be called the same.
    if (pass.rest.length > 0) for (const entry of pass.entries) if (!entry.row) entry.section ??= sectionOf(pass.sections, entry.el);
  }
  const { HEADING } = names;
  /** The heading before an element, or the label of the region around it. */
  function sectionOf(sections, el, depth = 0) {
    const before = headingBefore(el);
    if (before !== undefined) return before;
    const parent = depth < 25 ? d.flatParent(el) : null;
    if (!parent) return '';
    let found = sections.get(parent);
    if (found === undefined) sections.set(parent, (found = regionName(parent) || sectionOf(sections, parent, depth + 1)));
    return found;
  }
  const REGIONS = /^(section|form|nav|aside|dialog|fieldset|article|div|main|table|ul)$/;
  const regionName = (el) => (REGIONS.test(d.localName(el))
    ? d.clean(names.attribute(el, 'aria-label') || (d.isTag(el, 'fieldset') ? names.legendOf(el) : ''), 80) : '');
  function headingBefore(el) {
    for (let at = d.previousElementSibling(el), n = 0; at && n < 12; at = d.previousElementSibling(at), n++) {
      if (d.matches(at, HEADING) && d.isDrawn(at)) return names.textOf(at, undefined, 80);
      if (n < 3 && /^(div|header|hgroup)$/.test(d.localName(at)) && d.childElementCount(at) <= 6) {
        const inner = d.querySelector(at, HEADING);
        if (inner && d.isDrawn(inner)) return names.textOf(inner, undefined, 80);
      }
    }
    return undefined;
  }
  /** The question that a radio or checkbox is one answer to. */
  function groupOf(el) {
    for (let at = d.flatParent(el), i = 0; at && i < 12; at = d.flatParent(at), i++) {
      const fieldset = d.isTag(at, 'fieldset');
      if (!fieldset && !/^(radiogroup|group)$/.test(d.getAttribute(at, 'role') || '')) continue;
      const label = names.name(at, undefined, 'group');
      if (label) return label;
    }
    return undefined;
  }
  /** What a nameless picture of a button may stand for: from its classes, never taken for its name. */
  function hintOf(el) {
    const look = [el, ...Array.from(d.querySelectorAll(el, '*')).slice(0, 6)];
    for (const at of look) {
      const given = d.getAttribute(at, 'data-icon') || d.getAttribute(at, 'data-testid') || d.getAttribute(at, 'name');
      if (given) return d.clean(given, 40);
      const use = d.isHtml(at) ? '' : d.getAttribute(at, 'href') || d.getAttribute(at, 'xlink:href') || '';
      if (/#./.test(use)) return d.clean(use.slice(use.indexOf('#') + 1), 40);
      const found = /(?:^|\s)(?:fa|icon|bi|mdi|glyphicon|ti|lucide|ri|la|i|ico|material-icons?)[-_]([a-z][\w-]*)/i.exec(d.getAttribute(at, 'class') || '');
      if (found) return d.clean(found[1], 40);
    }
    const given = d.clean(d.getAttribute(el, 'id') || d.getAttribute(el, 'class') || '', 40);
    return d.clean(`${given} ${looksOf(el)}`, 60) || undefined;
  }
  /** A plain shape is told by what is seen of it. */
  function looksOf(el) {
    const s = d.style(el);
    if (!d.isHtml(el)) return s.fill === 'none' ? `${d.localName(el)} ${s.stroke}` : `${d.localName(el)} ${s.fill}`;
    return /^(rgba\(0, 0, 0, 0\)|transparent)$/.test(s.backgroundColor) ? '' : s.backgroundColor;
  }

  const ARIA_STATES = ['expanded', 'pressed', 'selected'];
  const flag = (text) => (text === 'true' ? true : text === 'false' ? false : text);
  function describe(pass, entry) {
    const { el, rect, why } = entry;
    const of = names.subject(el);
    const tag = d.localName(of);
    const html = d.isHtml(of);
    const box = geo.toBox(rect);
    const out = {
      id: idOf(el), order: entry.order, role: entry.role, name: entry.name, tag: d.cut(d.localName(el), 60),
      box: [Math.round(box.x), Math.round(box.y), Math.round(box.width), Math.round(box.height)],
    };
    const add = (key, value) => { if (value !== undefined && value !== null && value !== '') out[key] = value; };
    if (entry.seen) out.seen = true;
    if (entry.front) out.front = true;
    if (pass.modal && !entry.front) out.behind = true;
    add('row', entry.row);
    const steady = names.steady(el, entry.name);
    if (steady !== entry.name) out.steady = steady;
    add('section', entry.section);
    if (html && /^(input|button|select|textarea)$/.test(tag)) add('type', d.cut(of.type, 40));
    const value = names.value(of);
    if (value !== undefined) out.value = value;
    add('checked', names.checked(of));
    if (html && tag === 'select') Object.assign(out, choices(of));
    if (entry.inert || entry.disabled || entry.untouchable || d.matches(of, ':disabled') || (of !== el && names.isDisabled(of))) out.disabled = true;
    if ((html && of.required === true && /^(input|select|textarea)$/.test(tag)) || d.getAttribute(of, 'aria-required') === 'true') out.required = true;
    if (html && of.readOnly === true && /^(input|textarea)$/.test(tag)) out.readonly = true;
    if (d.getAttribute(of, 'aria-invalid') === 'true') out.invalid = true;
    if (entry.role === 'radio' || entry.role === 'checkbox') add('group', groupOf(of));
    for (const state of ARIA_STATES) if (d.hasAttribute(of, `aria-${state}`)) out[state] = flag(d.getAttribute(of, `aria-${state}`));
    const details = tag === 'summary' && html ? d.parentNode(el) : null;
    if (details && d.isTag(details, 'details')) out.expanded = details.open;
    add('href', entry.href);
    for (const key of ['draggable', 'drop', 'hover', 'scrollable']) if (why[key]) out[key] = true;
    if (html && /^(input|textarea)$/.test(tag)) {
      const placeholder = names.attribute(of, 'placeholder');
      if (placeholder && placeholder !== entry.name) out.placeholder = placeholder;
    }
    const title = names.attribute(el, 'title');
    const described = d.hasAttribute(of, 'aria-describedby') ? names.labelledBy(of, d.getAttribute(of, 'aria-describedby')) : title;
    if (described && described !== entry.name) out.description = described;
    if (!entry.name) add('hint', names.isEditable(of) ? sectionOf(pass.sections, el) : names.textOf(el, undefined, 40) || (names.panes.has(el) ? sectionOf(pass.sections, el) : hintOf(el)));
    if (of === pass.focused) out.focused = true;
    return out;
  }
  function choices(select) {
    const { options } = select;
    const labels = [];
    for (let i = 0; i < Math.min(options.length, MAX_OPTIONS); i++) labels.push(d.clean(options[i].label || options[i].text, 60));
    const chosen = Array.from(select.selectedOptions).slice(0, MAX_OPTIONS).map((option) => d.clean(option.label || option.text, 60));
    return { options: labels, options_total: options.length, chosen };
  }
  const describeFrame = (pass, { el, order, front, rect, seen, inert }) => ({
    ...geo.frameBox(el), id: idOf(el), order, front, seen, disabled: inert,
    name: names.name(el, undefined, 'iframe'), label: d.clean(d.getAttribute(el, 'title') || d.getAttribute(el, 'name') || d.getAttribute(el, 'id') || '', 80),
    box: Object.values(geo.toBox(rect)).map(Math.round),
    clip: seen ? geo.frameBox(el, geo.toBox(pass.sv.clip)).clip : null,
  });

  /**
   * The list of this document: one walk. JSON, which crosses faster than objects do.
   * @param {{clip?:{x,y,width,height}, max?:number, first?:number, front?:boolean}} options  clip: what the frames around
   *   let show, in px of this viewport; first: how many are told; front: all of the document lies in front
   * @returns {string} JSON `{list: {entries, frames, total, rest, nodes, truncated}, hosts}`: `order` is the place of entries
   *   and frames among each other; `rest` how many there are beyond those that are told, `nodes` stands for which they all are; `hosts` says how many elements `hosts()` has to offer that may have a closed shadow root
   */
  function list(options) {
    const pass = build(options);
    return JSON.stringify({ list: report(pass), hosts: pass.hosts.length });
  }
  function report(pass) {
    return {
      entries: pass.entries.map((entry) => describe(pass, entry)),
      frames: pass.frames.map((one) => describeFrame(pass, one)),
      total: pass.total, rest: pass.rest.length, nodes: nodesOf(pass), truncated: pass.truncated || pass.total > pass.entries.length + pass.rest.length,
    };
  }

  /** FNV-1a over the numbers of all that is listed, told or not, and of what holds frames. */
  function nodesOf(pass) {
    let hash = 0x811C9DC5;
    for (const { el } of [...pass.entries, ...pass.rest, ...pass.frames].sort((a, b) => a.order - b.order)) hash = Math.imul(hash ^ idOf(el), 0x01000193);
    return hash >>> 0;
  }

  /** What another walk than this one saw that may have a closed root. */
  const propose = (found) => { lastHosts = found; };
  /** Whether a listener of this kind is on the element itself, as of the last listing. */
  const listens = (el, kind) => Boolean((marks.get(el) || 0) & LISTENS[kind]);
  gc._.list = { build, report, shows, listens, mayHost, propose };
  gc._.expose('list', list);
  gc._.expose('hosts', hosts);
  gc._.expose('marks', mark);
  gc._.expose('whole', () => document);
})();
