// scroll.js (7 of 9): scrolling the right thing, and the state of the page.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.scrollTarget) return;
  const { d, geometry: geo, names, list, locating } = gc._;
  const URL_MAX = 32768;
  const TITLE_MAX = 4096;
  const SLACK = 1; // fractional layouts leave a pixel that cannot be scrolled

  const isRoot = (el) => el === d.scrollingElement(d.ownerDocument(el));
  const range = (el) => ({
    x: Math.max(0, d.scrollWidth(el) - d.clientWidth(el)), y: Math.max(0, d.scrollHeight(el) - d.clientHeight(el)),
  });
  const offset = (el) => ({ x: geo.round(d.scrollLeft(el)), y: geo.round(d.scrollTop(el)) });

  /** Whether a user could scroll the element along the axes of dx, dy at all. */
  function scrolls(el, dx, dy) {
    const most = range(el);
    if (!((dx && most.x > SLACK) || (dy && most.y > SLACK))) return false;
    const holders = isRoot(el) ? [d.documentElement(d.ownerDocument(el)), d.body(d.ownerDocument(el))] : [el];
    const allowed = (key) => holders.every((at) => !at || permits(d.style(at)[key], isRoot(el)));
    return Boolean((dx && most.x > SLACK && allowed('overflowX')) || (dy && most.y > SLACK && allowed('overflowY')));
  }
  const permits = (overflow, root) => (root ? overflow !== 'hidden' && overflow !== 'clip' : /auto|scroll|overlay/.test(overflow));

  /** Whether there is way left to go in that direction. */
  function hasRoom(el, dx, dy) {
    const most = range(el);
    const room = (delta, at, max) => (delta > 0 ? at < max - SLACK : delta < 0 ? at > SLACK : false);
    const rtl = d.style(el).direction === 'rtl';
    const at = offset(el);
    return room(dy, at.y, most.y) || (rtl ? room(-dx, -at.x, most.x) : room(dx, at.x, most.x));
  }

  /** The nearest scroller around an element that has room; else the nearest; up through its frames. */
  function around(entry, dx, dy) {
    let nearest = null;
    for (let { el, frame } = entry, i = 0; el && i < 5000; i++) {
      if (scrolls(el, dx, dy)) {
        if (hasRoom(el, dx, dy)) return el;
        nearest ||= el;
      }
      const parent = d.flatParent(el);
      if (!parent && frame.host) ({ host: el, parent: frame } = frame);
      else el = parent;
    }
    return nearest || d.scrollingElement(document);
  }

  /** The document if it scrolls along that axis, else the largest visible scroller that does. */
  function pageScroller(dx, dy) {
    const root = d.scrollingElement(document) || d.documentElement(document);
    if (root && scrolls(root, dx, dy)) return root;
    return largest(dx, dy) || root;
  }
  function largest(dx, dy) {
    const sv = geo.survey();
    const best = { el: null, area: 0 };
    list.walk({ each: (el, frame) => consider(sv, best, el, frame, dx, dy) });
    return best.el;
  }
  function consider(sv, best, el, frame, dx, dy) {
    if (el === d.scrollingElement(document) || !scrolls(el, dx, dy) || !hasRoom(el, dx, dy)) return;
    const quad = isRoot(el) && frame.host ? geo.visibleQuad(sv, frame.host, frame.parent) : geo.visibleQuad(sv, el, frame);
    if (!quad?.seen || !d.isDrawn(el)) return;
    const size = geo.area(quad.seen);
    if (size > best.area) Object.assign(best, { el, area: size });
  }

  /**
   * Scrolls at once by dx, dy what a user would have scrolled.
   * @param {number|null} index  around this element of the list, or null for the page
   * @returns {{ok:true, x, y, max_x, max_y, moved, from:{x,y}, target:{tag,role,name}}} offsets after; or a refusal as `locate`'s
   */
  function scrollTarget(index, dx, dy, options) {
    const found = index === null || index === undefined ? {} : locating.resolve(index, { build: true, ...options });
    if (found.refusal) return found.refusal;
    const el = found.entry ? around(found.entry, dx, dy) : pageScroller(dx, dy);
    if (!el) return { ok: true, x: 0, y: 0, max_x: 0, max_y: 0, moved: false, from: { x: 0, y: 0 }, target: null };
    const from = offset(el);
    if (!isRoot(el) || scrolls(el, dx, dy)) d.scrollBy(el, { left: dx, top: dy, behavior: 'instant' });
    const at = offset(el);
    const most = range(el);
    return {
      ok: true, ...at, max_x: most.x, max_y: most.y, moved: at.x !== from.x || at.y !== from.y, from,
      target: { tag: d.localName(el), role: names.role(el), name: isRoot(el) ? '' : names.name(el) },
    };
  }

  /** @returns {{url, title, ready_state, scroll:{x,y,max_x,max_y}, viewport:{width,height,scale}}} */
  function state() {
    const root = d.scrollingElement(document) || d.documentElement(document);
    const at = root ? offset(root) : { x: 0, y: 0 };
    const most = root ? range(root) : { x: 0, y: 0 };
    return {
      url: d.cut(location.href, URL_MAX), title: d.cut(d.title(document), TITLE_MAX), ready_state: d.readyState(document),
      scroll: { ...at, max_x: most.x, max_y: most.y }, viewport: { width: innerWidth, height: innerHeight, scale: devicePixelRatio },
    };
  }

  const none = { x: 0, y: 0, max_x: 0, max_y: 0 };
  gc._.expose('scrollTarget', scrollTarget, (error) => ({ ok: true, ...none, moved: false, from: { x: 0, y: 0 }, target: null, error }));
  gc._.expose('state', state, (error) => ({
    url: d.cut(location.href, URL_MAX), title: '', ready_state: d.readyState(document), scroll: none, viewport: { width: innerWidth, height: innerHeight, scale: 1 }, error,
  }));
})();
