// geometry.js (2 of 9): where things are on screen, in CSS px of the top viewport.
(() => {
  const { _ } = globalThis.__ghostcast;
  if (_.geometry) return;
  const { d } = _;
  const ALL = { l: -1e9, t: -1e9, r: 1e9, b: 1e9 };

  /** @typedef {{l:number,t:number,r:number,b:number,dead?:boolean}} Rect */
  const fromDom = (q) => ({ l: q.left, t: q.top, r: q.right, b: q.bottom });
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

  /** Measurements that hold for one call: layout may differ in the next. */
  const survey = () => ({ frames: new Map(), clips: new Map() });

  /** Scale, offset and visible area of a frame's content in the top viewport. */
  function frameGeometry(sv, frame) {
    let g = sv.frames.get(frame);
    if (!g) sv.frames.set(frame, (g = frame.host ? measureFrame(sv, frame) : topGeometry()));
    return g;
  }
  const topGeometry = () => ({ x: 0, y: 0, sx: 1, sy: 1, clip: { l: 0, t: 0, r: innerWidth, b: innerHeight } });

  function measureFrame(sv, { host, parent }) {
    const outer = frameGeometry(sv, parent);
    const rect = fromDom(d.getBoundingClientRect(host));
    const style = d.style(host);
    const px = (name) => parseFloat(style[name]) || 0;
    const sx = host.offsetWidth ? width(rect) / host.offsetWidth : 1;
    const sy = host.offsetHeight ? height(rect) / host.offsetHeight : 1;
    const inner = {
      l: rect.l + sx * (px('borderLeftWidth') + px('paddingLeft')), t: rect.t + sy * (px('borderTopWidth') + px('paddingTop')),
      r: rect.r - sx * (px('borderRightWidth') + px('paddingRight')), b: rect.b - sy * (px('borderBottomWidth') + px('paddingBottom')),
    };
    const place = mapRect(outer, inner);
    const clip = meet(meet(place, mapRect(outer, clipOf(sv, host))), outer.clip);
    return { x: place.l, y: place.t, sx: sx * outer.sx, sy: sy * outer.sy, clip };
  }
  const mapRect = (g, a) => ({
    l: g.x + g.sx * a.l, t: g.y + g.sy * a.t, r: g.x + g.sx * a.r, b: g.y + g.sy * a.b, dead: a.dead,
  });

  /** The clip laid on `el` by its ancestors, in its own frame's px. `dead`: a clip of no size. */
  function clipOf(sv, el) {
    const parent = d.flatParent(el);
    return parent ? pick(d.style(el).position, clipsInside(sv, parent)) : ALL;
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
    const own = pick(s.position, outer);
    const holdsFixed = s.transform !== 'none' || s.filter !== 'none' || s.contain !== 'none';
    const holdsAbsolute = holdsFixed || s.position !== 'static';
    const clips = s.overflow !== 'visible' && s.display !== 'inline' && s.display !== 'contents';
    const normal = clips ? meet(own, clipBox(el)) : own;
    return { normal, absolute: holdsAbsolute ? normal : outer.absolute, fixed: holdsFixed ? normal : outer.fixed };
  }
  function clipBox(el) {
    const box = fromDom(d.getBoundingClientRect(el));
    if (width(box) < 1 || height(box) < 1) box.dead = true;
    return box;
  }

  /** The rectangles an element paints; for a boxless wrapper those of what it wraps. */
  function fragments(el) {
    const own = solid(d.getClientRects(el));
    if (own.length) return own;
    return Array.from(d.querySelectorAll(el, '*')).slice(0, 16).flatMap((child) => (d.checkVisibility(child) ? solid(d.getClientRects(child)) : []));
  }
  const solid = (list) => Array.from(list).slice(0, 64).map(fromDom).filter((a) => width(a) >= 1 && height(a) >= 1);

  /**
   * What shows of an element: the whole box, its visible parts (largest first) and their union.
   * @returns {{full:Rect, parts:Rect[], seen:Rect|null}|null} null when it has no box at all
   */
  function visibleQuad(sv, el, frame) {
    const pieces = fragments(el);
    if (!pieces.length) return null;
    const g = frameGeometry(sv, frame);
    const own = clipOf(sv, el);
    if (own.dead || g.clip.dead) return null;
    const clip = meet(mapRect(g, own), g.clip);
    const placed = pieces.map((a) => mapRect(g, a));
    const parts = placed.map((a) => meet(a, clip)).filter((a) => a.r - a.l >= 1 && a.b - a.t >= 1).sort((a, b) => area(b) - area(a));
    return { full: placed.reduce(join), parts, seen: parts.length ? parts.reduce(join) : null };
  }

  /** The box to report: the visible part, else the whole box wherever it lies. */
  const boxOf = (sv, el, frame) => {
    const quad = visibleQuad(sv, el, frame);
    return quad ? quad.seen || quad.full : mapRect(frameGeometry(sv, frame), fromDom(d.getBoundingClientRect(el)));
  };

  /** The innermost element at a point, through open shadow roots and same-origin frames. */
  function hitTest(sv, x, y) {
    let frame = d.top;
    let root = frame.doc;
    let found = null;
    for (let depth = 0; depth < 64; depth++) {
      const g = frameGeometry(sv, frame);
      const el = d.elementFromPoint(root, (x - g.x) / g.sx, (y - g.y) / g.sy);
      if (!el || (found && el === found.el)) break;
      found = { el, frame };
      const shadow = d.shadowRoot(el);
      const doc = shadow ? null : d.contentDocument(el);
      if (shadow) root = shadow;
      else if (doc) { frame = d.childFrame(el, doc, frame); root = doc; } else break;
    }
    return found;
  }

  _.geometry = { survey, visibleQuad, boxOf, hitTest, toBox, round, width, height, area, distance, join };
})();
