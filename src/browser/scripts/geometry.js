// geometry.js: where things are on screen, in CSS px of this document's own viewport.
(() => {
  const gc = globalThis.__ghostcast;
  const { _ } = gc;
  if (_.geometry) return;
  const { d } = _;
  const ALL = { l: -1e9, t: -1e9, r: 1e9, b: 1e9 };

  /** @typedef {{l:number,t:number,r:number,b:number,dead?:boolean}} Rect */
  const fromDom = (q) => ({ l: q.left, t: q.top, r: q.right, b: q.bottom });
  const fromBox = (q) => ({ l: q.x, t: q.y, r: q.x + q.width, b: q.y + q.height });
  const width = (a) => Math.max(0, a.r - a.l);
  const height = (a) => Math.max(0, a.b - a.t);
  const area = (a) => width(a) * height(a);
  const meet = (a, b) => ({
    l: Math.max(a.l, b.l), t: Math.max(a.t, b.t), r: Math.min(a.r, b.r), b: Math.min(a.b, b.b), dead: a.dead || b.dead,
  });
  const join = (a, b) => ({ l: Math.min(a.l, b.l), t: Math.min(a.t, b.t), r: Math.max(a.r, b.r), b: Math.max(a.b, b.b) });
  const round = (n) => Math.round(n * 100) / 100 || 0;
  const toBox = (a) => ({ x: round(a.l), y: round(a.t), width: round(width(a)), height: round(height(a)) });
  const distance = (a, b) => Math.hypot((a.l + a.r - b.l - b.r) / 2, (a.t + a.b - b.t - b.b) / 2);
  const viewport = () => ({ l: 0, t: 0, r: innerWidth, b: innerHeight });

  /**
   * Measurements that hold for one call: layout may differ in the next.
   * @param {{x,y,width,height}} [clip]  what the frames around this document let show of it, in its own px
   */
  const survey = (clip) => ({ clip: clip ? meet(viewport(), fromBox(clip)) : viewport(), clips: new Map() });

  /** The clip laid on `el` by its ancestors. `dead`: a clip of no size. */
  function clipOf(sv, el) {
    const parent = d.flatParent(el);
    if (!parent) return ALL;
    const clips = clipsInside(sv, parent);
    return clips.normal === clips.absolute && clips.normal === clips.fixed ? clips.normal : pick(d.style(el).position, clips);
  }
  const pick = (position, clips) => (position === 'fixed' ? clips.fixed : position === 'absolute' ? clips.absolute : clips.normal);

  /** Clips inside `el`, apart for in-flow, absolute and fixed content (as CSS containing blocks go). */
  function clipsInside(sv, el) {
    const chain = [];
    let at = el;
    for (; at && !sv.clips.has(at); at = d.flatParent(at)) chain.push(at);
    let clips = at ? sv.clips.get(at) : { normal: ALL, absolute: ALL, fixed: ALL };
    while (chain.length) {
      at = chain.pop();
      sv.clips.set(at, (clips = deeperClips(at, clips)));
    }
    return clips;
  }

  function deeperClips(el, outer) {
    const name = d.localName(el);
    if (name === 'html' || name === 'body') return outer; // their overflow is the viewport's
    const s = d.style(el);
    const overflow = s.overflow;
    // Nothing clips around it, and it does not clip.
    if (overflow === 'visible' && outer.normal === ALL && outer.absolute === ALL && outer.fixed === ALL) return outer;
    const position = s.position;
    // In the top layer an element starts anew.
    const own = d.matches(el, ':modal,:popover-open') ? ALL : pick(position, outer);
    const holdsFixed = s.transform !== 'none' || s.filter !== 'none' || s.contain !== 'none';
    const clips = overflow !== 'visible' && !/^(inline|contents)$/.test(s.display);
    if (!clips && !holdsFixed && position === 'static' && own === outer.normal) return outer;
    const holdsAbsolute = holdsFixed || position !== 'static';
    const normal = clips ? meet(own, clipBox(el)) : own;
    return { normal, absolute: holdsAbsolute ? normal : outer.absolute, fixed: holdsFixed ? normal : outer.fixed };
  }
  function clipBox(el) {
    const box = fromDom(d.getBoundingClientRect(el));
    if (width(box) < 1 || height(box) < 1) box.dead = true;
    return box;
  }

  /**
   * The rectangles an element paints; for a boxless wrapper those of what it wraps.
   * @param {CSSStyleDeclaration} [style]  its own, where the whole is enough to know: what is not inline is one box then,
   *   even where columns break it, which costs less to ask
   */
  function fragments(el, style) {
    if (style && !/^(inline|contents)$/.test(style.display)) {
      const box = d.getBoundingClientRect(el);
      const { width: across, height: down } = box;
      if (across >= 1 && down >= 1) return [{ l: box.left, t: box.top, r: box.left + across, b: box.top + down }];
    }
    if (d.isTag(el, 'area')) return areaFragments(el);
    const own = solid(d.getClientRects(el));
    if (own.length) return own;
    const wrapped = wrappedBy(el).flatMap((child) => (d.checkVisibility(child) ? solid(d.getClientRects(child)) : []));
    return wrapped.length || !isBoxless(el) ? wrapped : textFragments(el);
  }
  /** The first things in an element, at any depth. */
  const wrappedBy = (el) => Array.from(d.querySelectorAll(el, '*')).slice(0, 16);
  /** Drawn by what is in it alone. */
  const isBoxless = (el) => d.style(el).display === 'contents' && d.style(el).visibility === 'visible';
  function textFragments(el) {
    const text = new Range();
    text.selectNodeContents(el);
    return solid(text.getClientRects());
  }
  /** What has a box in place of an element that has none of its own: what it wraps, else what holds its text. */
  function boxed(el) {
    if (!isBoxless(el)) return el;
    const inner = wrappedBy(el).find((child) => d.isDrawn(child));
    if (inner) return inner;
    let at = d.flatParent(el);
    while (at && !d.isDrawn(at)) at = d.flatParent(at);
    return at || el;
  }
  function solid(list) {
    if (list.length !== 1) return solidOf(list);
    const a = fromDom(list[0]);
    return a.r - a.l >= 1 && a.b - a.t >= 1 ? [a] : [];
  }
  const solidOf = (list) => Array.from(list).slice(0, 64).map(fromDom).filter((a) => width(a) >= 1 && height(a) >= 1);

  /** An area of an image map lies on the image that uses the map. */
  function areaFragments(el) {
    const image = imageOf(el);
    const [whole] = image ? solid(d.getClientRects(image)) : [];
    if (!whole) return [];
    const n = (d.getAttribute(el, 'coords') || '').split(/[\s,]+/).map(Number).filter(Number.isFinite);
    const shape = (d.getAttribute(el, 'shape') || 'rect').toLowerCase();
    let at = whole;
    if (shape.startsWith('circ') && n.length >= 3) at = { l: n[0] - n[2], t: n[1] - n[2], r: n[0] + n[2], b: n[1] + n[2] };
    else if (shape.startsWith('poly') && n.length >= 6) {
      const [xs, ys] = [n.filter((_v, i) => i % 2 === 0), n.filter((_v, i) => i % 2 === 1)];
      at = { l: Math.min(...xs), t: Math.min(...ys), r: Math.max(...xs), b: Math.max(...ys) };
    } else if (n.length >= 4 && shape !== 'default') at = { l: n[0], t: n[1], r: n[2], b: n[3] };
    else return [whole];
    return [meet({ l: whole.l + at.l, t: whole.t + at.t, r: whole.l + at.r, b: whole.t + at.b }, whole)].filter((a) => area(a) > 0);
  }
  /** The drawn image that uses the map an `<area>` is in. */
  function imageOf(el) {
    const map = d.closest(el, 'map');
    const key = map && (d.getAttribute(map, 'name') || d.getAttribute(map, 'id'));
    if (!key) return null;
    const users = d.querySelectorAll(d.documentElement(document), `[usemap="#${CSS.escape(key)}"]`);
    return Array.from(users).find((image) => d.isDrawn(image)) || null;
  }

  /**
   * What shows of an element: the whole box, its visible parts (largest first) and their union.
   * @param {CSSStyleDeclaration} [style]  its own, where the whole is enough to know
   * @param {boolean} [free]  whether it is known that nothing around it clips
   * @returns {{full:Rect, parts:Rect[], seen:Rect|null}|null} null when it has no box at all
   */
  function visibleQuad(sv, el, style, free = false) {
    const pieces = fragments(el, style);
    if (!pieces.length) return null;
    const own = free ? ALL : clipOf(sv, d.isTag(el, 'area') ? imageOf(el) || el : el);
    if (own.dead) return null;
    const clip = meet(own, sv.clip);
    if (pieces.length === 1) {
      const seen = meet(pieces[0], clip);
      const shows = seen.r - seen.l >= 1 && seen.b - seen.t >= 1;
      return { full: pieces[0], parts: shows ? [seen] : [], seen: shows ? seen : null };
    }
    const parts = pieces.map((a) => meet(a, clip)).filter((a) => a.r - a.l >= 1 && a.b - a.t >= 1).sort((a, b) => area(b) - area(a));
    return { full: pieces.reduce(join), parts, seen: parts.length ? parts.reduce(join) : null };
  }

  /** The box to report: the visible part, else the whole box wherever it lies. */
  const boxOf = (sv, el) => {
    const quad = visibleQuad(sv, el);
    return quad ? quad.seen || quad.full : fromDom(d.getBoundingClientRect(el));
  };

  /** The innermost element at a point of this document's viewport, through shadow roots; null outside. */
  function hitTest(x, y) {
    let root = document;
    let found = null;
    for (let depth = 0; depth < 64; depth++) {
      const el = d.elementFromPoint(root, x, y);
      if (!el || el === found) break;
      found = el;
      const shadow = d.shadowRoot(el);
      if (!shadow) break;
      root = shadow;
    }
    return found;
  }

  /**
   * Where the content of a frame element lies: offset, scale and what shows of it.
   * @returns {{x:number, y:number, scale_x:number, scale_y:number, clip:object|null}} clip: in this document's px
   */
  function frameBox(el, clip) {
    const sv = survey(clip);
    const rect = fromDom(d.getBoundingClientRect(el));
    const s = d.style(el);
    const px = (name) => parseFloat(s[name]) || 0;
    const [w, h] = [d.offsetWidth(el), d.offsetHeight(el)];
    const [sx, sy] = [w ? width(rect) / w : 1, h ? height(rect) / h : 1];
    const inner = {
      l: rect.l + sx * (px('borderLeftWidth') + px('paddingLeft')), t: rect.t + sy * (px('borderTopWidth') + px('paddingTop')),
      r: rect.r - sx * (px('borderRightWidth') + px('paddingRight')), b: rect.b - sy * (px('borderBottomWidth') + px('paddingBottom')),
    };
    const seen = d.isDrawn(el) ? meet(meet(inner, clipOf(sv, el)), sv.clip) : { ...inner, dead: true };
    return { x: round(inner.l), y: round(inner.t), scale_x: sx, scale_y: sy, clip: seen.dead || !area(seen) ? null : toBox(seen) };
  }

  const place = (el) => {
    const { x, y, width: w, height: h } = d.getBoundingClientRect(el);
    return { x, y, width: w, height: h };
  };
  _.geometry = {
    place, survey, clipOf, clipsInside, visibleQuad, boxOf, frameBox, hitTest, imageOf, boxed, toBox, fromDom, round, width, height, area, meet, distance, join, viewport,
  };
  /** The frame element of this number, measured; null when it is gone. */
  gc._.expose('frameBox', (id, clip) => { const el = _.node(id); return el ? frameBox(el, clip) : null; });

  const has = (rect, x, y) => x >= rect.left && x < rect.right && y >= rect.top && y < rect.bottom;
  /** Whether a point of an element is on text of its own that can be marked. */
  function isOnText(el, x, y) {
    if (d.isHtml(el) && d.isContentEditable(el)) return true;
    if (d.style(el).userSelect === 'none') return false;
    for (let node = d.firstChild(el), i = 0; node && i < 200; node = d.nextSibling(node), i++) {
      if (d.nodeType(node) !== 3) continue;
      const text = new Range();
      text.selectNodeContents(node);
      if ([...text.getClientRects()].some((rect) => has(rect, x, y))) return true;
    }
    return false;
  }
  /** The cursor that the page asks for at a point of an element, in CSS's words. */
  function cursorOf(el, x, y) {
    const asked = d.style(el).cursor;
    // Pictures of a page's own are followed by the word for whoever has none.
    const word = asked.slice(asked.lastIndexOf(',') + 1).trim();
    return word === 'auto' && isOnText(el, x, y) ? 'text' : word;
  }
  /**
   * What is at a point of this document's viewport: the innermost element through shadow roots, and the
   * numbers of those around it that have one, innermost first.
   * @returns {{id:number, is_frame:boolean, tag:string, role:string, name:string, box:object, around:number[], cursor:string}|null}
   */
  function hit(x, y) {
    const el = hitTest(x, y);
    if (!el) return null;
    const around = [];
    for (let at = el, i = 0; at && i < 200; at = d.flatParent(at), i++) {
      const id = _.knownId(at);
      if (id) around.push(id);
      // A press on a label counts for its control.
      const control = _.names.controlOf(at);
      const of = control && _.knownId(control);
      if (of) around.push(of);
    }
    return {
      id: _.idOf(el), is_frame: d.isFrame(el), tag: d.cut(d.localName(el), 60), role: _.names.role(el), name: _.names.label(el),
      box: toBox(boxOf(survey(), el)), around, cursor: cursorOf(el, x, y),
    };
  }
  /** Where an element lies in its document's viewport; null when it is gone. */
  gc._.expose('placeOf', (id) => {
    const el = _.node(id);
    return el ? place(el) : null;
  });
  /** The same, brought into view; null also when it has no box. */
  gc._.expose('areaOf', (id) => {
    const el = _.node(id);
    if (!el) return null;
    d.scrollIntoView(el, { block: 'nearest', inline: 'nearest', behavior: 'instant' });
    const area = place(el);
    return area.width && area.height ? area : null;
  });
  gc._.expose('hit', hit);
})();
