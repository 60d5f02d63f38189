// typing.js (6 of 9): getting a field ready for keys.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.prepareTyping) return;
  const { d, geometry: geo, names, locating } = gc._;

  /** The element that takes the text: the target, the control of a label, or the one field inside a wrapper. */
  function fieldOf(el) {
    const subject = names.subject(el);
    if (names.isEditable(subject)) return subject;
    if (/^(input|textarea|select|button|a)$/.test(d.localName(subject))) return null;
    const inside = 'input:not([type=hidden]),textarea,[contenteditable]';
    const shadow = d.shadowRoot(subject);
    const first = (shadow && shadow.querySelector(inside)) || d.querySelector(subject, inside);
    return first && names.isEditable(first) ? first : null;
  }

  /** The focused element, through open shadow roots and same-origin frames. */
  function focused() {
    let frame = d.top;
    let el = d.activeElement(frame.doc);
    for (let i = 0; el && i < 64; i++) {
      const shadow = d.shadowRoot(el);
      const doc = shadow ? null : d.contentDocument(el);
      const inner = shadow ? d.activeElement(shadow) : doc ? d.activeElement(doc) : null;
      if (!inner) break;
      if (doc) frame = d.childFrame(el, doc, frame);
      el = inner;
    }
    return el ? { el, frame } : null;
  }

  /** Selects everything in the focused field, or puts the caret at its end. */
  function select(el, all) {
    const doc = d.ownerDocument(el);
    if (/^(input|textarea)$/.test(d.localName(el))) {
      if (all) el.select();
      else if (el.selectionEnd !== null) el.setSelectionRange(el.value.length, el.value.length);
      else d.defaultView(doc).getSelection()?.modify('move', 'forward', 'documentboundary');
    } else if (all) {
      d.execCommand(doc, 'selectAll');
    } else {
      d.defaultView(doc).getSelection()?.modify('move', 'forward', 'documentboundary');
    }
  }

  /**
   * Scrolls to, focuses and (when `clear`) selects the content of the field of an index. Typing then
   * goes to the field; a cover does not prevent it, so it is told and not refused.
   * @param {number} index
   * @param {boolean} clear
   * @param {{build?:boolean, version?:number}} [options]
   * @returns {object} as `locate`, with editable, is_password, covered and cover;
   *   more reasons: 'not_editable' (takes no text, or refused the focus: `detail`)
   */
  function prepareTyping(index, clear, options) {
    const found = locating.approach(index, { build: true, ...options });
    if (found.refusal) return found.refusal;
    const { entry, list, quad } = found;
    const field = fieldOf(entry.el);
    if (!field) return refuseTyping(entry, list, 'takes no text');
    d.focus(field, { preventScroll: true });
    if (!d.isConnected(field)) return locating.resolve(index, options).refusal || refuseTyping(entry, list, 'replaced on focus');
    if (focused()?.el !== field) return refuseTyping(entry, list, 'refused the focus');
    select(field, Boolean(clear));
    const middle = { x: geo.round((quad.seen.l + quad.seen.r) / 2), y: geo.round((quad.seen.t + quad.seen.b) / 2) };
    const out = { ...locating.answer(found, found.point || middle), editable: true, is_password: names.isPassword(field), covered: !found.point };
    if (!found.point) out.cover = found.cover ? locating.about(found.cover) : null;
    return out;
  }
  /** Candidates: other fields, the nearest first. */
  const refuseTyping = (entry, list, detail) => locating.refuse('not_editable', list, (other) => (other === entry ? -Infinity : (fieldOf(other.el) ? 1 : 0) + 1 / (1 + geo.distance(entry.rect, other.rect))), { detail });

  /** @returns {boolean} whether keys would go to a password field */
  const activeIsPassword = () => {
    const at = focused();
    return Boolean(at) && names.isPassword(at.el);
  };
  /** @returns {boolean} whether the page asks, or may ask, for a password anywhere: also where nobody can see it now */
  const hasPassword = () => {
    const below = (root) => Boolean(root) && (names.isPassword(root)
      || Array.from(d.querySelectorAll(root, '*')).some((el) => names.isPassword(el)
        || (d.isFrame(el) && (!d.contentDocument(el) || below(d.documentElement(d.contentDocument(el)))))
        || Array.from(d.shadowRoot(el)?.children ?? []).some(below)));
    return below(d.documentElement(document));
  };
  /** @returns {object[]} fields that take text, for whoever typed without one */
  const fields = () => {
    const list = gc._.list.current() || gc._.list.build();
    return locating.refuse('not_editable', list, (entry, i) => (d.isConnected(entry.el) && fieldOf(entry.el) ? -i : -Infinity)).candidates;
  };
  /** @returns {{ok:boolean, box:object|null}} whether keys would become text, and where */
  const activeEditable = () => {
    const at = focused();
    const ok = Boolean(at) && names.isEditable(at.el);
    return { ok, box: ok ? geo.toBox(geo.boxOf(geo.survey(), at.el, at.frame)) : null };
  };

  gc._.expose('prepareTyping', prepareTyping, (error) => ({ ok: false, reason: 'not_editable', error, candidates: [], total: 0 }));
  gc._.expose('activeIsPassword', activeIsPassword, () => false);
  gc._.expose('fields', fields, () => []);
  gc._.expose('hasPassword', hasPassword, () => true);
  gc._.expose('activeEditable', activeEditable, () => ({ ok: false, box: null }));
})();
