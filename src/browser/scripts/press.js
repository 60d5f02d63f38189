// press.js: lets a press land on what was aimed at, or nowhere, and remembers on what it did.
//
// Between aiming and pressing the page may move: a menu opens under the pointer, a row slips in. Our
// listeners come first, in the capturing phase of the window, since they are there before any of the
// page's. They look again under the very event, and keep one that lands elsewhere from everybody.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.pressed) return;
  const { d, geometry: geo, names, idOf, locating } = gc._;
  const KINDS = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click', 'auxclick', 'dblclick', 'contextmenu', 'dragstart'];
  const DRAGS = ['drag', 'drop', 'dragend']; // one that the page prevents begins, and never goes on
  /** Whoever takes the wheel meanwhile is not kept from pressing for longer. */
  const ARMED_MS = 3000;
  const OPTIONS = { capture: true, passive: false };

  /** @type {{only:Element|null, any:boolean, nested:boolean, until:number, presses:number, clicks:number, blocked:object|null, on:object|null, isBlocking:boolean, isOver:boolean, drags:Set<string>}|null} */
  let armed = null;

  /**
   * @param {{only?:Element|null, any?:boolean, nested?:boolean}} what  only: the one element that may be pressed, null
   *   for none at all; any: whatever is there, which is noted
   */
  function arm({ only = null, any = false, nested = false }) {
    armed = { only, any, nested, until: performance.now() + ARMED_MS, presses: 0, clicks: 0, blocked: null, on: null, isBlocking: false, isOver: false, drags: new Set() };
    listen();
  }
  function listen() {
    d.hearAll(KINDS, onEvent, OPTIONS);
    d.hearAll(DRAGS, onDrag, { capture: true, passive: true });
    d.hearAll(['pointerover', 'pointermove'], onMove, { capture: true, passive: true });
  }
  function onDrag(event) {
    if (armed && event.isTrusted) armed.drags.add(event.type);
  }
  /** What was hovered stays so in memory when something opens over it. */
  function onMove(event) {
    if (!armed?.only || armed.isOver || !event.isTrusted) return;
    const hit = geo.hitTest(event.clientX, event.clientY);
    armed.isOver = Boolean(hit) && locating.judge(armed.only, hit) !== 'miss';
  }

  function onEvent(event) {
    if (!armed || !event.isTrusted || event.timeStamp > armed.until) return;
    if (event.type === 'pointerdown') decide(event);
    if (!armed.isBlocking) {
      if (event.type === 'click' && isOnTarget(event)) armed.clicks++;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  /** A press that is let go of elsewhere becomes a click of what is around both. */
  const isOnTarget = (event) => !armed.only || [armed.only, names.subject(armed.only)].some((at) => event.composedPath().includes(at));
  function decide({ clientX, clientY }) {
    const hit = geo.hitTest(clientX, clientY);
    const verdict = armed.any ? 'hit' : armed.only && hit ? locating.judge(armed.only, hit) : 'miss';
    armed.isBlocking = verdict === 'miss' || (verdict === 'nested' && !armed.nested);
    if (armed.isBlocking) { armed.blocked ||= hit ? locating.tell(hit, armed.only) : null; return; }
    armed.presses++;
    armed.on = locating.about(armed.only || meant(hit));
  }
  /** The nearest thing around what is hit that has a meaning of its own. */
  function meant(hit) {
    if (!hit) return d.documentElement(document);
    for (const at of locating.upwards(hit)) {
      if (gc._.knownId(at) && (names.role(at) !== 'generic' || names.name(at))) return at;
      if (/^(button|link|checkbox|radio|tab|menuitem|option|switch|textbox|combobox|slider|searchbox)$/.test(names.role(at))) return at;
    }
    return hit;
  }

  /** What became of the presses since; nothing is kept back any more. */
  function pressed() {
    const was = armed;
    armed = null;
    return was && {
      presses: was.presses, clicks: was.clicks, blocked: was.blocked, is_blocked: was.isBlocking, on: was.on, is_over: was.isOver, is_drag: was.drags.has('drag'),
    };
  }

  /** What would be pressed at a point. */
  function under(x, y) {
    const hit = geo.hitTest(x, y);
    return hit && { ...locating.about(meant(hit)), is_frame: d.isFrame(hit), host: d.isFrame(hit) ? idOf(hit) : null };
  }

  listen();
  /** Whether a drag is under way that has begun and not ended: its end comes a moment after the release. */
  const isDragging = () => Boolean(armed?.drags.has('drag') && !armed.drags.has('dragend') && !armed.isBlocking);
  gc._.press = { arm, pressed, isDragging, isBlocked: () => Boolean(armed?.isBlocking) };
  gc._.expose('arm', (any) => { arm({ any: Boolean(any) }); return true; });
  gc._.expose('isDragging', isDragging);
  gc._.expose('pressed', pressed);
  gc._.expose('under', under);
})();
