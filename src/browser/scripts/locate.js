// locate.js (5 of 9): from an index to a point that will really hit it, or why not.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.locate) return;
  const { d, geometry: geo, names, list: store } = gc._;
  const MAX_CANDIDATES = 5;
  const MIN_VISIBLE = 12; // px that must show before scrolling is spared
  const SPOTS = [[0.5, 0.5], [0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75], [0.1, 0.1], [0.9, 0.9], [0.1, 0.9], [0.9, 0.1]];

  /** The remembered entry of an index, or the refusal to hand back. */
  function resolve(index, { build, version } = {}) {
    let list = store.current();
    if (!list && build) list = store.build();
    if (!list) return { refusal: refuse('stale', store.build(), (entry, i) => -Math.abs(i - index)) };
    const entry = list.entries[index];
    if (version !== undefined && version !== null && version !== list.version) {
      return { refusal: refuse('stale', list, (other, i) => -Math.abs(i - index)) };
    }
    if (!entry) return { refusal: refuse('not_found', list, (other, i) => -Math.abs(i - index)) };
    if (!isAlive(entry)) return { refusal: refuse('stale', store.build(), (other) => likeness(entry, other)) };
    return { entry, list };
  }
  const isAlive = ({ el, frame }) => d.isConnected(el) && d.ownerDocument(el) === frame.doc && d.frameAlive(frame);

  /** Same role and name first, then shared words, then the nearest. */
  function likeness(was, now) {
    const words = new Set(was.name.toLowerCase().split(/\W+/).filter(Boolean));
    const shared = now.name.toLowerCase().split(/\W+/).filter((word) => words.has(word)).length;
    const named = was.name === now.name ? 4 : words.size ? 3 * Math.min(1, shared / words.size) : 0;
    return named + (was.role === now.role ? 2 : 0) + nearness(was, now);
  }
  const nearness = (was, now) => 1 / (1 + geo.distance(was.rect, now.rect));

  /** A refusal with the best few elements by `score`. */
  function refuse(reason, list, score, extra) {
    const candidates = list.entries
      .map((entry, index) => ({ entry, index, rank: score(entry, index) }))
      .filter(({ rank }) => rank > -Infinity).sort((a, b) => b.rank - a.rank).slice(0, MAX_CANDIDATES)
      .map(({ entry, index }) => ({ index, role: entry.role, name: entry.name, box: geo.toBox(entry.rect) }));
    return { ok: false, reason, ...extra, candidates, total: list.total, version: list.version };
  }

  /** Brings the element into view if too little of it shows, and measures it. */
  function bring({ el, frame }) {
    let quad = geo.visibleQuad(geo.survey(), el, frame);
    if (quad && showsEnough(quad)) return { quad, scrolled: false };
    centre(el);
    quad = geo.visibleQuad(geo.survey(), el, frame);
    return { quad, scrolled: true };
  }
  const centre = (el) => d.scrollIntoView(el, { block: 'center', inline: 'nearest', behavior: 'instant' });
  const showsEnough = ({ full, seen }) => seen !== null
    && geo.width(seen) >= Math.min(MIN_VISIBLE, geo.width(full)) - 0.5 && geo.height(seen) >= Math.min(MIN_VISIBLE, geo.height(full)) - 0.5;

  /** A point of the visible quad where a click lands on the target; else what is in the way. */
  function aim(target, quad, known) {
    const sv = geo.survey();
    let nested = null;
    let cover = null;
    for (const part of quad.parts.slice(0, 4)) {
      for (const [fx, fy] of SPOTS) {
        const point = { x: geo.round(part.l + fx * geo.width(part)), y: geo.round(part.t + fy * geo.height(part)) };
        const hit = geo.hitTest(sv, point.x, point.y);
        const verdict = hit ? judge(target, hit, known) : 'miss';
        if (verdict === 'hit') return { point };
        if (verdict === 'nested') nested ||= point;
        else if (hit) cover ||= hit;
      }
    }
    return nested ? { point: nested } : { cover };
  }
  /** 'nested': inside the target, but on another listed element of its own. */
  function judge(target, hit, known) {
    const control = names.controlOf(target);
    let verdict = 'hit';
    let at = hit.el;
    for (let i = 0; at && i < 2000; i++, at = d.flatParent(at)) {
      if (at === target || at === control) return verdict;
      if (names.controlOf(at) === target) return 'hit';
      if (known.has(at)) verdict = 'nested';
    }
    return at || d.ownerDocument(hit.el) === d.ownerDocument(target) ? 'miss' : judgeFrame(target, hit.frame);
  }
  const judgeFrame = (target, frame) => {
    for (let f = frame; f; f = f.parent) if (f.host === target) return 'hit';
    return 'miss';
  };

  /** Stuck to the window and small, like a header: scrolling can free what it hides. */
  function canBeFreed(cover) {
    for (let el = cover?.el, i = 0; el && i < 200; i++, el = d.flatParent(el)) {
      if (!/^(fixed|sticky)$/.test(d.style(el).position)) continue;
      const box = d.getBoundingClientRect(el);
      return box.width * box.height < innerWidth * innerHeight * 0.4;
    }
    return false;
  }

  /** @returns {{entry, list, quad, point?, cover?, scrolled}|{refusal}} */
  function approach(index, options) {
    const found = resolve(index, options);
    if (found.refusal) return found;
    const { entry, list } = found;
    let { quad, scrolled } = bring(entry);
    if (!isAlive(entry)) return resolve(index, options);
    if (!quad?.seen || !store.shows(entry.el)) return { refusal: near('not_visible', entry, list) };
    let shot = aim(entry.el, quad, list.known);
    if (!shot.point && !scrolled && canBeFreed(shot.cover)) {
      centre(entry.el);
      scrolled = true;
      quad = geo.visibleQuad(geo.survey(), entry.el, entry.frame);
      if (!quad?.seen) return { refusal: near('not_visible', entry, list) };
      shot = aim(entry.el, quad, list.known);
    }
    return { entry, list, quad, scrolled, ...shot };
  }
  const near = (reason, entry, list, extra) => refuse(reason, list, (other) => (other === entry ? -Infinity : nearness(entry, other)), extra);

  function about(hit) {
    const box = geo.toBox(geo.boxOf(geo.survey(), hit.el, hit.frame));
    return { tag: d.cut(d.localName(hit.el), 60), role: names.role(hit.el), name: names.label(hit.el), box };
  }

  /** The success answer: what the element is now, and where to press it. */
  function answer({ entry, list, quad, scrolled }, point) {
    const { el } = entry;
    const subject = names.subject(el);
    const out = { ok: true, index: list.entries.indexOf(entry), x: point.x, y: point.y, box: geo.toBox(quad.seen), tag: d.cut(d.localName(el), 60) };
    if (/^(input|button|select|textarea)$/.test(d.localName(subject))) out.type = d.cut(subject.type, 40);
    return Object.assign(out, {
      editable: names.isEditable(subject), disabled: names.isDisabled(el), role: names.role(el), name: names.name(el),
      scrolled, version: list.version,
    });
  }

  /**
   * A point to press for an index of the remembered list.
   * @param {number} index
   * @param {{build?:boolean, version?:number}} [options] build: take a list if there is none yet;
   *   version: refuse as stale unless the remembered list is that one
   */
  function locate(index, options) {
    const found = approach(index, options);
    if (found.refusal) return found.refusal;
    if (found.point) return answer(found, found.point);
    return near('covered', found.entry, found.list, { cover: found.cover ? about(found.cover) : null });
  }

  /**
   * What is at a point: the nearest interactive element around it, else the element itself.
   * @returns {{role:string, name:string, tag:string, box:object, index?:number}|null}
   */
  function hit(x, y) {
    const found = geo.hitTest(geo.survey(), x, y);
    if (!found) return null;
    const list = store.current();
    for (let el = found.el, i = 0; el && list && i < 200; i++, el = d.flatParent(el)) {
      const index = list.known.has(el) ? list.entries.findIndex((entry) => entry.el === el) : -1;
      if (index >= 0) return { ...about({ el, frame: found.frame }), index };
    }
    return about(found);
  }

  gc._.locating = { resolve, approach, near, refuse, answer, about };
  gc._.expose('locate', locate, (error) => ({ ok: false, reason: 'not_visible', error, candidates: [], total: 0 }));
  gc._.expose('hit', hit, () => null);
})();
