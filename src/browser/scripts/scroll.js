// scroll.js: scrolling what a person would have scrolled, and the state of the page.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.scroll) return;
  const { d, geometry: geo, names, node, idOf } = gc._;
  const URL_MAX = 32768;
  const TITLE_MAX = 4096;
  const SLACK = 1; // fractional layouts leave a pixel that cannot be scrolled
  const REST_MS = 2000;
  const LARGE = 0.6; // of the viewport: a pane that is the page, whatever scrolls around it

  const isRoot = (el) => el === d.scrollingElement(document);
  const range = (el) => ({
    x: Math.max(0, d.scrollWidth(el) - d.clientWidth(el)), y: Math.max(0, d.scrollHeight(el) - d.clientHeight(el)),
  });
  const offset = (el) => ({ x: geo.round(d.scrollLeft(el)), y: geo.round(d.scrollTop(el)) });

  /** Whether a user could scroll the element along the axes of dx, dy at all. */
  function scrolls(el, dx, dy) {
    const most = range(el);
    if (!((dx && most.x > SLACK) || (dy && most.y > SLACK))) return false;
    const holders = isRoot(el) ? [d.documentElement(document), d.body(document)] : [el];
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

  /** The scrollers around an element that go along that axis, from inside out; the page itself last. */
  function around(el, dx, dy) {
    const found = [];
    const root = d.scrollingElement(document);
    for (const at of gc._.locating.upwards(el)) if (at !== root && scrolls(at, dx, dy)) found.push(at);
    if (root && scrolls(root, dx, dy)) found.push(root);
    return found;
  }
  /** The nearest that can move; else the nearest. */
  const nearest = (list, dx, dy) => list.find((el) => hasRoom(el, dx, dy)) || list[0] || null;

  const part = (el) => geo.area(geo.meet(geo.fromDom(d.getBoundingClientRect(el)), geo.viewport())) / (innerWidth * innerHeight || 1);
  const isInFront = (el) => {
    for (const at of gc._.locating.upwards(el)) if (d.matches(at, ':modal,[aria-modal=true],[role=dialog],[role=alertdialog]')) return true;
    return false;
  };

  /**
   * The scroller that is meant when none is named: of those under the middle of the window the page
   * itself before a box in it, unless that is most of what is seen or lies in front as a dialog.
   */
  function meant(middle, dx, dy) {
    const hit = geo.hitTest(middle.x, middle.y);
    const list = around(hit || d.documentElement(document), dx, dy);
    const root = list.find(isRoot);
    const inner = nearest(list.filter((el) => !isRoot(el)), dx, dy);
    if (inner && hasRoom(inner, dx, dy) && (!root || isInFront(hit) || part(inner) >= LARGE)) return inner;
    if (root && hasRoom(root, dx, dy)) return root;
    if (hit && d.isFrame(hit)) return null;
    return inner && hasRoom(inner, dx, dy) && !root ? inner : largest(dx, dy) || root || inner;
  }
  /** The largest scroller on show that can move, wherever it is. */
  function largest(dx, dy) {
    const root = d.scrollingElement(document);
    if (root && scrolls(root, dx, dy)) return null;
    let best = null;
    let most = 0;
    let left = 20000;
    const walker = d.createTreeWalker(document, d.documentElement(document), NodeFilter.SHOW_ELEMENT);
    for (let el = walker.nextNode(); el && left > 0; el = walker.nextNode(), left--) {
      if (d.scrollHeight(el) <= d.clientHeight(el) && d.scrollWidth(el) <= d.clientWidth(el)) continue;
      if (!scrolls(el, dx, dy) || !hasRoom(el, dx, dy) || !d.isDrawn(el)) continue;
      const size = part(el);
      if (size > most) { best = el; most = size; }
    }
    return best;
  }

  const told = (el) => (isRoot(el)
    ? { node: null, role: 'page', name: '' }
    : { node: idOf(el), role: names.role(el), name: d.clean(d.getAttribute(el, 'aria-label') || '', 80) });
  const facts = (el) => { const most = range(el); return { ...offset(el), max_x: most.x, max_y: most.y }; };

  /**
   * Until the offset stays: pages glide, snap, and draw more. A page hears of a scroll in the next frame; a glide
   * that it then begins has not moved in the frame after that.
   */
  async function rested(el) {
    const end = performance.now() + REST_MS;
    let before = offset(el);
    for (let still = 0; still < 4 && performance.now() < end;) {
      await gc._.frames.next();
      const now = offset(el);
      still = now.x === before.x && now.y === before.y ? still + 1 : 0;
      before = now;
    }
  }

  /** Whether nothing has come of a scroll in its frame, and the page has asked for no other. */
  async function isCalm(el) {
    const before = offset(el);
    const isBusy = await gc._.frames.next();
    // What observes intersections is told after the frame.
    await gc._.frames.turn();
    const now = offset(el);
    return !isBusy && now.x === before.x && now.y === before.y;
  }

  /**
   * Scrolls by dx, dy. Where that is not `calm`, and where the page listens for scrolls, it has not come to rest.
   * @param {{index?:number, middle?:{x,y}}} where  an element in the scroller that is meant, or the middle of what is seen
   * @returns {Promise<{is:'scrolled'|'none'|'gone', moved?:boolean, from?, scroll?:{x,y,max_x,max_y}, target?:object, inside?:number}>}
   *   none: nothing here goes that way; inside: the frame element under the middle
   */
  async function scroll({ id, middle, inner_done: innerDone = false }, dx, dy) {
    const from = id ? node(id) : null;
    if (id && !from) return { is: 'gone' };
    if (!from && !innerDone && middle) {
      const hit = geo.hitTest(middle.x, middle.y);
      if (hit && d.isFrame(hit)) {
        const root = d.scrollingElement(document);
        const isPage = root && scrolls(root, dx, dy) && hasRoom(root, dx, dy) && part(hit) < LARGE;
        if (!isPage) return { is: 'none', inside: idOf(hit) };
      }
    }
    const el = from ? nearest(around(from, dx, dy), dx, dy) : meant(middle || { x: innerWidth / 2, y: innerHeight / 2 }, dx, dy);
    if (!el) return { is: 'none', inside: null, scroll: facts(d.scrollingElement(document) || d.documentElement(document)) };
    const before = offset(el);
    d.scrollBy(el, { left: dx, top: dy, behavior: 'instant' });
    const calm = await isCalm(el);
    const at = offset(el);
    return { is: 'scrolled', calm, moved: at.x !== before.x || at.y !== before.y, has_room: hasRoom(el, dx, dy), from: before, scroll: facts(el), target: told(el) };
  }

  /** @returns {{url, title, ready_state, scroll:{x,y,max_x,max_y}, viewport:{width,height,scale}}} */
  function state() {
    const root = d.scrollingElement(document) || d.documentElement(document);
    return {
      url: d.cut(location.href, URL_MAX), title: d.clean(d.title(document), TITLE_MAX), ready_state: d.readyState(document),
      scroll: root ? facts(root) : { x: 0, y: 0, max_x: 0, max_y: 0 },
      viewport: { width: innerWidth, height: innerHeight, scale: devicePixelRatio },
    };
  }

  gc._.expose('scroll', scroll);
  gc._.expose('scrollRested', async (id) => { const el = id ? node(id) : d.scrollingElement(document); if (el) await rested(el); });
  gc._.expose('scrolledTo', (id) => { const el = id ? node(id) : d.scrollingElement(document); return el && facts(el); });
  gc._.expose('state', state);
})();
