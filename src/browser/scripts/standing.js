// standing.js: where a thing stands among its like, before and after it was dragged.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.noteStanding) return;
  const { d, names, node } = gc._;
  const MAX_AROUND = 4; // what is dragged may be more than what was pressed
  const MAX_HIDDEN = 50;
  const MOVED_PX = 2;
  const REST_MS = 300;

  let noted = null;
  const box = (el) => d.getBoundingClientRect(el);
  /** Where it lies in its parent, which may be what scrolls. */
  const offset = (el, parent) => ({ x: box(el).left - box(parent).left + d.scrollLeft(parent), y: box(el).top - box(parent).top + d.scrollTop(parent) });
  const place = (el) => {
    const parent = d.parentElement(el);
    return parent && { el, parent, previous: d.previousElementSibling(el), next: d.nextElementSibling(el), ...offset(el, parent) };
  };
  const isBefore = (one, other) => Boolean(d.compareDocumentPosition(one, other) & Node.DOCUMENT_POSITION_FOLLOWING);
  /** Whether it has passed one of those that it stood between. What the page adds or takes away beside it moves nothing. */
  function hasPassed({ el, parent, previous, next }) {
    const stays = (other) => other && d.parentElement(other) === parent;
    return (stays(previous) && isBefore(el, previous)) || (stays(next) && isBefore(next, el));
  }
  /** The next to it on one side that shows. */
  function beside(el, side) {
    let at = side(el);
    for (let i = 0; at && !d.isDrawn(at) && i < MAX_HIDDEN; i++) at = side(at);
    return at;
  }
  const called = (el) => (el && d.isDrawn(el) ? names.brief(el) : null);

  /** From now on, where the element goes is told, and what it is in. */
  gc._.expose('noteStanding', (id) => {
    noted = [];
    for (let at = node(id); at && at !== d.body(document) && noted.length < MAX_AROUND; at = d.parentElement(at)) {
      const was = place(at);
      if (was) noted.push(was);
    }
    return noted.length;
  });
  /**
   * Null when it is not known: what was dragged is not there any more.
   * @returns {Promise<{is:'elsewhere'|'moved'|'same', …}|null>}
   */
  gc._.expose('standing', async () => {
    const all = noted;
    noted = null;
    if (!all?.length || !all.every(({ el }) => d.isConnected(el))) return null;
    const end = performance.now() + REST_MS;
    while (performance.now() < end && all.some(({ el }) => gc._.locating.animates(el))) await gc._.frames.pause(20);
    for (const was of all) {
      const now = place(was.el);
      if (!now) return null;
      const isHere = now.parent === was.parent;
      if (isHere && !hasPassed(was)) continue;
      const [after, before] = [beside(was.el, d.previousElementSibling), beside(was.el, d.nextElementSibling)];
      return { is: 'elsewhere', what: called(was.el), after: called(after), before: called(before), into: isHere ? null : called(now.parent) };
    }
    for (const { el, parent, x, y } of all) {
      const now = offset(el, parent);
      const [right, down] = [Math.round(now.x - x), Math.round(now.y - y)];
      if (Math.abs(right) >= MOVED_PX || Math.abs(down) >= MOVED_PX) return { is: 'moved', what: called(el), right, down };
    }
    return { is: 'same', what: called(all[0].el) };
  });
})();
