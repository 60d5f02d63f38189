// find.js: where a phrase stands, and whether something that is waited for is on show.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.finds) return;
  const { d, geometry: geo, names, list: listing, text: reading, idOf } = gc._;
  const MAX_SEEN = 300;
  const MAX_FOUND = 20;

  const isSelector = (selector) => {
    try { d.querySelector(d.createDocumentFragment(document), selector); return true; } catch { return false; }
  };
  /** This document and its shadow roots, as far as they are open to us. */
  function roots() {
    const all = [document];
    for (let i = 0; i < all.length && i < 500; i++) {
      for (const el of d.querySelectorAll(all[i], '*')) {
        const shadow = d.shadowRoot(el);
        if (shadow) all.push(shadow);
      }
    }
    return all;
  }
  /** The first element on show that matches. */
  function findElement(selector) {
    let hidden = 0;
    for (const root of roots()) {
      for (const el of d.querySelectorAll(root, selector)) {
        if (!listing.shows(el)) { hidden++; continue; }
        return {
          found: { id: idOf(el), tag: d.cut(d.localName(el), 60), role: names.role(el), name: names.label(el), box: geo.toBox(geo.boxOf(geo.survey(), el)) },
          instead: {},
        };
      }
    }
    return { found: null, instead: { hidden_matches: hidden } };
  }
  /** Whether a text is shown. The quick way first; then as the page is read, through shadow roots. */
  function findText(text) {
    const wanted = reading.fold(text);
    const body = d.body(document);
    if (body && d.isHtml(body) && reading.fold(d.innerText(body)).includes(wanted)) return { found: { text }, instead: {} };
    const run = reading.read();
    const whole = run.lines.filter((line) => !line.frame).map((line) => line.text).join(' ');
    const is = reading.fold(whole).includes(wanted) || reading.fold(whole.replaceAll(' | ', ' ')).includes(wanted);
    listing.propose(run.hosts);
    return { found: is ? { text } : null, instead: is ? {} : { text: d.clean(whole, MAX_SEEN) }, hosts: is ? 0 : run.hosts.length };
  }
  /**
   * Whether this document shows what is waited for.
   * @returns {{found:object|null, instead:object, invalid?:boolean, hosts?:number}}
   */
  function finds({ selector, text }) {
    // A frame that is not drawn shows nothing, and would say all that it holds.
    if (!innerWidth || !innerHeight) return { found: null, instead: {} };
    if (selector === undefined || selector === null) return findText(text);
    return isSelector(selector) ? findElement(selector) : { found: null, instead: {}, invalid: true };
  }

  /** How far apart two boxes are; nothing when one lies in the other. */
  const gap = (a, b) => Math.hypot(Math.max(0, a.l - b.r, b.l - a.r), Math.max(0, a.t - b.b, b.t - a.b));
  /**
   * Where a phrase stands in this document, with the listed element next to each place.
   * @returns {string} JSON `{found: {text, box, seen, near: id|null}[], hosts}`
   */
  function seek(phrase, options = {}) {
    const { found, run } = reading.places(phrase, MAX_FOUND);
    listing.propose(run.hosts);
    if (!found.length) return JSON.stringify({ found: [], hosts: run.hosts.length });
    const pass = listing.build(options);
    const sv = geo.survey(options.clip);
    const told = found.map((place) => {
      const el = reading.elementAt(place);
      const quad = el && geo.visibleQuad(sv, el);
      const rect = quad ? quad.seen || quad.full : geo.fromDom(d.getBoundingClientRect(el));
      return { text: place.around, box: Object.values(geo.toBox(rect)).map(Math.round), seen: Boolean(quad?.seen), near: nearest(pass, el, rect) };
    });
    return JSON.stringify({ found: told, hosts: run.hosts.length });
  }
  function nearest(pass, el, rect) {
    const entries = new Map(pass.entries.map((entry) => [entry.el, entry]));
    for (let at = el, i = 0; at && i < 30; at = d.flatParent(at), i++) {
      const entry = entries.get(at);
      if (entry && !entry.why.scrollable && !entry.why.drop) return idOf(at);
    }
    let best = null;
    for (const entry of pass.entries) {
      if (entry.why.scrollable) continue;
      const far = gap(entry.full, rect) + geo.distance(entry.full, rect) / 1000;
      if (!best || far < best.far) best = { far, entry };
    }
    return best ? idOf(best.entry.el) : null;
  }

  gc._.expose('finds', finds);
  gc._.expose('isShown', (id) => { const el = gc._.node(id); return Boolean(el) && listing.shows(el); });
  gc._.expose('seek', seek);
  gc._.expose('hasPassword', () => roots().some((root) => Array.from(d.querySelectorAll(root, 'input[type=password]')).some((el) => listing.shows(el))));
})();
