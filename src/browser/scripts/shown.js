// shown.js: what a pointer over an element brings into sight by style alone, where no change of the document tells it.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.noteShown) return;
  const { d, geometry: geo, names, idOf } = gc._;
  const MAX_ELEMENTS = 3000;
  const MAX_TOLD = 3;
  const SEEN = { opacityProperty: true, visibilityProperty: true };
  const USED = 'a[href],button,input,select,textarea,[role=menuitem],[role=button],[role=link],[role=tooltip],[onclick]';

  let before = null;
  /** What shows of an element inside all that clips it, CSS px². What is being moved at this moment moves by itself. */
  const sightOf = (sv, el) => {
    if (!d.checkVisibility(el, SEEN)) return 0;
    const seen = geo.visibleQuad(sv, el)?.seen;
    return seen ? geo.area(seen) : 0;
  };
  const isMoving = (el) => gc._.isRestless(el) || gc._.locating.animates(el);
  const some = () => (d.body(document) ? Array.from(d.querySelectorAll(d.body(document), '*')).slice(0, MAX_ELEMENTS) : []);

  /** From now on, what comes into sight is told. */
  gc._.expose('noteShown', () => {
    before = new WeakMap();
    const sv = geo.survey();
    for (const el of some()) before.set(el, sightOf(sv, el) < 2 && !isMoving(el));
    return null;
  });
  /**
   * What was there and not in sight, and is in sight now: what can be used first, at most three.
   * @returns {{role:string, name:string, node:number}[]}
   */
  gc._.expose('newlyShown', () => {
    if (!before) return [];
    const sv = geo.survey();
    const came = some().filter((el) => before.get(el) && sightOf(sv, el) > 2);
    before = null;
    const outer = came.filter((el) => !came.includes(d.flatParent(el)));
    const used = came.filter((el) => d.matches(el, USED));
    return (used.length ? used : outer).slice(0, MAX_TOLD).map((el) => ({ ...names.brief(el), node: idOf(el) }));
  });
})();
