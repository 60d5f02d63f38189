// locate.js: from an element to a point that will really hit it, or why there is none.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.locate) return;
  const { d, geometry: geo, names, node, idOf, print } = gc._;
  const MIN_VISIBLE = 12; // px that must show before scrolling is spared
  const REST_MS = 2000; // longest wait for the box to stand still
  const GOING_MS = 1500; // longest wait for a cover that goes by itself
  const STAYING_MS = 250; // a cover that seems to stay is looked at once or twice more
  const MAX_BUTTONS = 5;
  const SPOTS = [[0.5, 0.5], [0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75], [0.1, 0.1], [0.9, 0.9], [0.1, 0.9], [0.9, 0.1]];
  const GRID = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95].flatMap((y) => [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95].map((x) => [x, y]));
  const PRESSABLE = 'a[href],button,input:not([type=hidden]),select,textarea,summary,[role=button],[role=link],[role=checkbox],[role=tab],[role=menuitem],[role=switch],[role=option],[role=treeitem],[role=radio],[role=menuitemcheckbox],[role=menuitemradio],[onclick]';
  const PASSING = '[role=status],[role=alert],[role=log],[role=progressbar],[aria-live]:not([aria-live=off]),[aria-busy=true]';
  const PASSING_NAMES = /toast|snack|notif|spinner|loading|loader|overlay|backdrop|splash|fade/i;
  const PRESENT = 'dialog,[role=dialog],[role=alertdialog],[aria-modal=true]';

  const NONE = new Set(['', null, undefined]);
  const isSame = (a, b) => ['role', 'name', 'row', 'href'].every((key) => a[key] === b[key] || (NONE.has(a[key]) && NONE.has(b[key])));

  /** The flat ancestors of an element from itself on. */
  function* upwards(el) {
    for (let at = el, i = 0; at && i < 2000; at = d.flatParent(at), i++) yield at;
  }

  /** What makes an element unusable, as the end of a sentence; null when nothing does. */
  function disabledBy(el) {
    const subject = names.subject(el);
    for (const at of subject === el ? [el] : [subject, el]) {
      if (!d.matches(at, ':disabled')) continue;
      if (d.hasAttribute(at, 'disabled')) return 'it is disabled';
      const group = d.closest(at, 'fieldset:disabled,optgroup:disabled,select:disabled');
      const called = group ? names.name(group) : '';
      return called ? `the group "${called}" around it is disabled` : 'the group around it is disabled';
    }
    for (const at of upwards(subject)) {
      const mine = at === subject;
      if (d.getAttribute(at, 'aria-disabled') === 'true') return mine ? 'it is disabled (aria-disabled)' : `${called(at)} around it is disabled (aria-disabled)`;
      if (d.hasAttribute(at, 'inert')) return mine ? 'it is inert' : `${called(at)} around it is inert`;
    }
    return null;
  }
  function called(el) {
    const name = d.getAttribute(el, 'aria-label') || '';
    const role = names.role(el);
    const kind = role === 'generic' ? 'part' : role;
    return name ? `the ${kind} "${d.clean(name, 60)}"` : `the ${kind}`;
  }

  // Where it is -----------------------------------------------------------------------------------

  const measure = (el, clip) => geo.visibleQuad(geo.survey(clip), el);
  const showsEnough = ({ full, seen }) => seen !== null
    && geo.width(seen) >= Math.min(MIN_VISIBLE, geo.width(full)) - 0.5 && geo.height(seen) >= Math.min(MIN_VISIBLE, geo.height(full)) - 0.5;
  /** An area of an image map is drawn as its image, an element without a box as what it wraps. */
  const drawnAs = (el) => (d.isTag(el, 'area') ? geo.imageOf(el) || el : d.isDrawn(el) ? el : geo.boxed(el));
  const isDrawn = (el) => d.isDrawn(drawnAs(el));
  const scrollTo = (el, block) => {
    const drawn = drawnAs(el);
    d.scrollIntoView(drawn, { block, inline: block === 'center' ? 'nearest' : block, behavior: 'instant' });
    // What holds bare text may be far larger than that.
    if (drawn !== el && d.isWithin(el, drawn) && measure(el)) bringPoint(el, () => middle(measure(el).full));
  };
  /** The control that cannot be seen is used by its label. */
  function standIn(el) {
    if (measure(el)?.full && isDrawn(el)) return el;
    const labels = d.isHtml(el) && el.labels ? Array.from(el.labels) : [];
    return labels.find((label) => d.isDrawn(label) && measure(label)) || el;
  }

  /** A scroller that snaps may go on to where the element shows no longer: other places are tried then. */
  async function unsnap(el) {
    for (const way of ['center', 'end', 'start']) {
      const now = measure(el);
      if (now && showsEnough(now)) return;
      d.scrollIntoView(drawnAs(el), { block: way, inline: way, behavior: 'instant' });
      await frames().next();
      await rest(el, REST_MS);
    }
  }

  const frames = () => gc._.frames;
  /** Whether an animation of its own moves it now. */
  const animates = (el) => Boolean(el.getAnimations) && Element.prototype.getAnimations.call(el).some(({ playState }) => playState === 'running');
  /** Whether something may be moving the element right now. */
  function mayMove(el) {
    return frames().scrolledWithin(120) || frames().requested() || isAnimated(el);
  }
  function isAnimated(el) {
    for (const at of upwards(el)) if (animates(at)) return true;
    return false;
  }
  const middle = ({ l, t, r, b }) => ({ x: (l + r) / 2, y: (t + b) / 2 });
  const place = (el) => { const r = d.getBoundingClientRect(drawnAs(el)); return [r.left, r.top, r.width, r.height]; };
  const isNear = (a, b) => a.every((n, i) => Math.abs(n - b[i]) < 0.5);
  /**
   * Waits until the box stands still in three frames in a row; answers whether it does.
   * @param {boolean} guarded  a press follows that lands on it or nowhere: two frames do, unless more are asked for
   */
  async function rest(el, most, guarded = false) {
    if (!mayMove(el)) return true;
    const until = performance.now() + most;
    let before = place(el);
    for (let still = 0; still < 2;) {
      const isBusy = await frames().next();
      const now = place(el);
      still = isNear(before, now) ? still + (guarded && !isBusy && !isAnimated(el) ? 2 : 1) : 0;
      before = now;
      if (performance.now() > until) return false;
    }
    return true;
  }

  // What is hit -----------------------------------------------------------------------------------

  /** 'hit', 'nested' (inside the target, but on something else that can be pressed) or 'miss'. */
  function judge(target, hit) {
    const control = names.controlOf(target);
    let verdict = 'hit';
    for (const at of upwards(hit)) {
      if (at === target || at === control) return verdict;
      if (names.controlOf(at) === target) return 'hit';
      if (d.isTag(target, 'area') && at === geo.imageOf(target)) return 'hit';
      if (d.isTag(target, 'option') && at === d.closest(target, 'select')) return 'hit';
      if (d.matches(at, PRESSABLE)) verdict = 'nested';
    }
    return 'miss';
  }
  /** What a press on a point inside the target lands on, of what can be pressed there by itself. */
  function innerOf(target, { x, y }) {
    for (const at of upwards(geo.hitTest(x, y))) {
      if (at === target) return null;
      if (d.matches(at, PRESSABLE)) return about(at);
    }
    return null;
  }
  /** A point where a press lands on the target; else what is in the way. */
  function aim(target, quad) {
    const first = tryAt(target, quad.parts.slice(0, 4), SPOTS);
    if (first.point && !first.nested) return first;
    const second = tryAt(target, quad.parts.slice(0, 2), GRID);
    return second.point && (!second.nested || !first.point) ? second : first;
  }
  function tryAt(target, parts, spots) {
    let nested = null;
    let cover = null;
    for (const part of parts) {
      for (const [fx, fy] of spots) {
        const point = { x: geo.round(part.l + fx * geo.width(part)), y: geo.round(part.t + fy * geo.height(part)) };
        const hit = geo.hitTest(point.x, point.y);
        const verdict = hit ? judge(target, hit) : 'miss';
        if (verdict === 'hit') return { point, nested: false };
        if (verdict === 'nested') nested ||= point;
        else if (hit) cover ||= hit;
      }
    }
    return nested ? { point: nested, nested: true } : { cover };
  }

  // What covers it --------------------------------------------------------------------------------

  /** Stuck to the window and small, like a header: scrolling can free what it hides. */
  function canBeFreed(cover) {
    for (const el of upwards(cover)) {
      if (!/^(fixed|sticky)$/.test(d.style(el).position)) continue;
      const box = d.getBoundingClientRect(el);
      return box.width * box.height < innerWidth * innerHeight * 0.4;
    }
    return false;
  }
  /** The outermost thing that covers without holding the target too; a dialog is named as a whole. */
  function wholeCover(cover, target) {
    const holders = new Set(target ? upwards(target) : []);
    let whole = cover;
    for (const at of upwards(cover)) {
      const tag = d.localName(at);
      if (holders.has(at) || tag === 'body' || tag === 'html') break;
      whole = at;
      if (d.matches(at, PRESENT) || /^(fixed|sticky)$/.test(d.style(at).position)) break;
    }
    return whole;
  }
  /** What changes of a cover that is on its way out. */
  function looks(cover) {
    const out = [];
    let i = 0;
    for (const at of upwards(cover)) {
      if (++i > 8) break;
      out.push(d.style(at).opacity, d.getAttribute(at, 'class'), d.getAttribute(at, 'style'));
    }
    return out.concat(place(cover)).join('|');
  }
  function isGoing(cover) {
    let i = 0;
    for (const at of upwards(cover)) {
      if (++i > 12) break;
      if (d.matches(at, PASSING) || animates(at)) return true;
      const named = `${d.getAttribute(at, 'class') || ''} ${d.getAttribute(at, 'id') || ''}`;
      if (PASSING_NAMES.test(named) && !d.matches(at, PRESENT) && !/^(body|html)$/.test(d.localName(at))) return true;
    }
    return false;
  }
  /** @returns {{role, name, text, tag, box, node, buttons}} */
  function tell(cover, target) {
    const whole = wholeCover(cover, target);
    const inside = Array.from(d.querySelectorAll(whole, PRESSABLE)).filter((el) => d.isDrawn(el)).slice(0, MAX_BUTTONS);
    if (d.matches(whole, PRESSABLE)) inside.unshift(whole);
    return {
      node: idOf(whole), tag: d.cut(d.localName(whole), 60), role: names.role(whole), name: names.name(whole), text: names.textOf(whole, undefined, 80),
      box: geo.toBox(geo.boxOf(geo.survey(), whole)), is_frame: d.isFrame(whole),
      buttons: inside.slice(0, MAX_BUTTONS).map((el) => ({ node: idOf(el), role: names.role(el), name: names.name(el), box: geo.toBox(geo.boxOf(geo.survey(), el)) })),
    };
  }

  /**
   * Looks until `find` has a point, or nothing is left to wait for.
   * @param {() => {point?, cover?}|null} find  null: there is nothing to aim at any more
   */
  async function patiently(find, free) {
    let shot = find();
    if (shot?.cover && free && canBeFreed(shot.cover)) {
      for (const block of ['center', 'end', 'start']) {
        free(block);
        const next = find();
        if (next?.point) { shot = { ...next, scrolled: true }; break; }
      }
    }
    const start = performance.now();
    let most = shot?.cover && isGoing(shot.cover) ? GOING_MS : STAYING_MS;
    let was = shot?.cover ? looks(shot.cover) : '';
    while (shot && !shot.point && performance.now() - start < most) {
      await frames().pause(50);
      shot = find();
      if (shot?.cover) {
        const now = looks(shot.cover);
        if (now !== was || isGoing(shot.cover)) most = GOING_MS;
        was = now;
      }
    }
    return shot;
  }

  // Answers ---------------------------------------------------------------------------------------

  const about = (el) => ({ node: idOf(el), role: names.role(el), name: names.label(el), tag: d.cut(d.localName(el), 60) });

  /**
   * A point of this document's viewport to press for an element.
   * @param {number} id
   * @param {{role,name,row,href}|null} known  what it was when it was listed
   * @param {{any_state?:boolean, guard?:boolean, mark?:boolean}} [options]  any_state: a disabled one too; guard:
   *   presses land on it or nowhere; mark: what is changed from now on is told
   * @returns {Promise<{is:'ready'|'gone'|'other'|'disabled'|'hidden'|'covered', …}>}
   */
  async function locate(id, known, options = {}) {
    const el = node(id);
    if (!el) return { is: 'gone' };
    const was = print(el);
    if (known && !isSame(was, known)) return { is: 'other', now: was };
    const by = options.any_state ? null : disabledBy(el);
    if (by) return { is: 'disabled', by, ...about(el) };
    const shown = standIn(el);
    let scrolled = false;
    const quadNow = () => {
      const quad = measure(shown);
      return quad?.seen && isDrawn(shown) ? quad : null;
    };
    const first = measure(shown);
    if (!first || !showsEnough(first)) {
      if (!first && !isDrawn(shown)) return { is: 'hidden', ...about(el) };
      scrollTo(shown, 'center');
      scrolled = true;
      // What is drawn by where it was scrolled to is drawn by the next frame.
      await frames().next();
    }
    const isPress = Boolean(options.guard) && !options.any_state && !d.isFrame(shown);
    const rested = await rest(shown, REST_MS, isPress);
    if (scrolled) await unsnap(shown);
    const shot = await patiently(() => {
      const quad = quadNow();
      return quad && aim(shown, quad);
    }, (block) => scrollTo(shown, block));
    if (scrolled || shot?.scrolled || !rested) {
      const now = node(id) && print(el);
      if (!now) return { is: 'gone' };
      if (known && !isSame(now, known)) return { is: 'other', now };
    }
    if (!shot) return { is: 'hidden', ...about(el) };
    if (!shot.point) return { is: 'covered', cover: shot.cover && !/^(body|html)$/.test(d.localName(shot.cover)) ? tell(shot.cover, shown) : null, ...about(el) };
    if (options.guard) gc._.press.arm({ only: shown, nested: shot.nested });
    if (options.mark) gc._.changes.mark(el);
    const quad = measure(shown);
    return {
      is: 'ready', ...shot.point, ...about(el), inner: shot.nested ? innerOf(shown, shot.point) : null, box: geo.toBox(quad.seen), scrolled: scrolled || Boolean(shot.scrolled), rested,
      is_frame: d.isFrame(shown) || /^(embed|object)$/.test(d.localName(shown)), is_field: names.isEditable(names.subject(el)), centre: centreOf(quad),
    };
  }
  const centreOf = ({ full }) => ({ x: geo.round((full.l + full.r) / 2), y: geo.round((full.t + full.b) / 2) });

  /**
   * The way of a point of a frame's content through this document: where it lies here, and whether the
   * frame is hit there. Scrolls when it lies outside of what is seen.
   * @param {Element[]} hosts  the frame's element
   * @param {{x:number, y:number}} point  in the frame's own px
   */
  async function through([host], point, options = {}) {
    if (!host || !d.isConnected(host)) return { is: 'gone' };
    const lay = () => {
      const box = geo.frameBox(host);
      return { x: geo.round(box.x + box.scale_x * point.x), y: geo.round(box.y + box.scale_y * point.y), clip: box.clip };
    };
    const isSeen = ({ x, y, clip }) => clip && x >= clip.x && y >= clip.y && x < clip.x + clip.width && y < clip.y + clip.height;
    let at = lay();
    const scrolled = !isSeen(at);
    if (scrolled) {
      bringPoint(host, lay);
      await frames().next();
    }
    await rest(host, REST_MS);
    const shot = await patiently(() => {
      at = lay();
      if (!isSeen(at)) return null;
      const hit = geo.hitTest(at.x, at.y);
      return hit === host ? { point: at } : { cover: hit || host };
    }, null);
    if (!shot) return { is: 'hidden', ...about(host) };
    if (!shot.point) return { is: 'covered', cover: tell(shot.cover, host), ...about(host) };
    if (options.guard) gc._.press.arm({ only: null });
    return { is: 'ready', x: at.x, y: at.y, scrolled, ...about(host) };
  }
  /** Scrolls all around the host, from inside out, so that the point comes to the middle. */
  function bringPoint(host, lay) {
    d.scrollIntoView(host, { block: 'nearest', inline: 'nearest', behavior: 'instant' });
    for (const at of upwards(d.flatParent(host))) {
      const root = at === d.scrollingElement(document);
      if (!root && !/auto|scroll|hidden/.test(d.style(at).overflow)) continue;
      const box = root ? { left: 0, top: 0, width: innerWidth, height: innerHeight } : d.getBoundingClientRect(at);
      const p = lay();
      const outX = p.x < box.left || p.x >= box.left + box.width;
      const outY = p.y < box.top || p.y >= box.top + box.height;
      if (outX || outY) {
        d.scrollBy(at, {
          left: outX ? p.x - box.left - box.width / 2 : 0, top: outY ? p.y - box.top - box.height / 2 : 0, behavior: 'instant',
        });
      }
    }
  }

  /** Where a located element is now, without waiting: {x, y} of its middle, or null. */
  function whereIs(id) {
    const el = node(id);
    const quad = el && measure(standIn(el));
    return quad?.seen ? { ...centreOf({ full: quad.seen }), box: geo.toBox(quad.full) } : null;
  }

  /** Whether a point of this document's viewport lies on an element. */
  function hits(id, x, y) {
    const el = node(id);
    const hit = el && geo.hitTest(x, y);
    return Boolean(hit) && judge(standIn(el), hit) !== 'miss';
  }

  gc._.locating = { judge, disabledBy, about, tell, upwards, animates };
  gc._.expose('locate', locate);
  gc._.expose('through', through);
  gc._.expose('whereIs', whereIs);
  gc._.expose('hits', hits);
  gc._.expose('disabledBy', (id) => { const el = node(id); return el && disabledBy(el); });
})();
