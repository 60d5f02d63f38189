// shown.js: what a pointer over an element brings into sight by style alone, where no change of the document tells it.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.noteShown) return;
  const { d, geometry: geo, names, idOf } = gc._;
  const MAX_ELEMENTS = 4000;
  const MAX_TOLD = 3;
  const SEEN = { opacityProperty: true, visibilityProperty: true };
  const USED = 'a[href],button,input,select,textarea,[role=menuitem],[role=button],[role=link],[role=tooltip],[onclick]';

  let before = null;
  const isSeen = (el) => d.checkVisibility(el, SEEN) && geo.area(geo.fromDom(d.getBoundingClientRect(el))) > 1;
  const some = () => (d.body(document) ? Array.from(d.querySelectorAll(d.body(document), '*')).slice(0, MAX_ELEMENTS) : []);

  /** From now on, what comes into sight is told. */
  gc._.expose('noteShown', () => {
    before = new WeakMap();
    for (const el of some()) before.set(el, isSeen(el));
    return null;
  });
  /**
   * What was there and not in sight, and is in sight now: what can be used first, at most three.
   * @returns {{role:string, name:string, node:number}[]}
   */
  gc._.expose('newlyShown', () => {
    if (!before) return [];
    const came = some().filter((el) => before.get(el) === false && isSeen(el));
    before = null;
    const outer = came.filter((el) => !came.includes(d.flatParent(el)));
    const used = came.filter((el) => d.matches(el, USED));
    return (used.length ? used : outer).slice(0, MAX_TOLD).map((el) => ({ role: names.role(el), name: names.label(el) || names.textOf(el, undefined, 80), node: idOf(el) }));
  });
})();
