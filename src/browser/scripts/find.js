// find.js (9 of 9): whether something that is waited for is on show.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.finds) return;
  const { d, geometry: geo, names, list } = gc._;
  const MAX_SEEN = 300;
  const innerText = Function.prototype.call.bind(Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'innerText').get);
  const fold = (text) => text.replace(/\s+/g, ' ').trim().toLowerCase();

  const isSelector = (selector) => {
    try { document.createDocumentFragment().querySelector(selector); return true; } catch { return false; }
  };
  const tell = (el, frame) => ({ tag: d.cut(d.localName(el), 60), role: names.role(el), name: names.label(el), box: geo.toBox(geo.boxOf(geo.survey(), el, frame)) });

  /** The first element on show that matches, through frames and shadow roots. */
  function findElement(selector) {
    let found = null;
    list.walk({ each: (el, frame) => { if (!found && d.matches(el, selector) && list.shows(el)) found = { el, frame }; } });
    return { found: found && tell(found.el, found.frame), instead: { hidden_matches: d.querySelectorAll(d.documentElement(document), selector).length } };
  }
  /** Whether the text is shown, in one document or shadow root. */
  function findText(text) {
    const wanted = fold(text);
    let seen = '';
    let found = false;
    const read = (el) => {
      if (found || !el || !d.isHtml(el)) return;
      const shown = innerText(el);
      found = fold(shown).includes(wanted);
      if (seen.length < MAX_SEEN) seen += ` ${d.cut(shown, MAX_SEEN * 2)}`;
    };
    const readAll = (first) => { for (let el = first; el && !found; el = d.nextElementSibling(el)) read(el); };
    read(d.body(document));
    if (!found) {
      list.walk({ each: (el, frame) => {
        if (frame.host && d.localName(el) === 'body') read(el);
        const shadow = found ? null : d.shadowRoot(el);
        if (shadow) readAll(d.shadowFirst(shadow));
      } });
    }
    return { found: found ? { text } : null, instead: { text: d.clean(seen, MAX_SEEN) } };
  }

  /** @returns {{found:object|null, instead:object, invalid?:boolean}} */
  function finds({ selector, text }) {
    if (selector === undefined) return findText(text);
    return isSelector(selector) ? findElement(selector) : { found: null, instead: {}, invalid: true };
  }

  gc._.expose('finds', finds, (error) => ({ found: null, instead: {}, error }));
})();
