// field.js: what takes text, how it takes it, and what it holds.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.prepareField) return;
  const { d, geometry: geo, names, node, idOf } = gc._;
  const HELD_MAX = 300000;
  /** Fields whose value is picked, not typed: keys alone do not make it. */
  const PICKED = new Set(['date', 'time', 'datetime-local', 'month', 'week', 'color', 'range']);
  const UNTYPED = new Set(['button', 'submit', 'reset', 'image', 'file', 'checkbox', 'radio', 'hidden']);
  /** Code editors that draw their text themselves and listen to a small text area. */
  const CODE = '.CodeMirror,.ace_editor,.monaco-editor';
  const CODE_LINES = '.CodeMirror-line,.ace_line,.view-line';
  const INSIDE = 'input:not([type=hidden]),textarea,[contenteditable]';
  /** Roles of things that become a field when they are clicked. */
  const BECOMES = new Set(['textbox', 'searchbox', 'combobox', 'spinbutton', 'gridcell', 'application', 'code']);

  const getter = (proto, key) => Function.prototype.call.bind(Object.getOwnPropertyDescriptor(proto, key).get);
  const valueOf = { input: getter(HTMLInputElement.prototype, 'value'), textarea: getter(HTMLTextAreaElement.prototype, 'value') };
  const innerText = getter(HTMLElement.prototype, 'innerText');
  const textContent = getter(Node.prototype, 'textContent');
  const below = (root, selector) => Array.from(d.querySelectorAll(root, selector));
  const tagOf = (el) => (d.isHtml(el) ? d.localName(el) : '');
  const isDesigned = () => d.designMode(document) === 'on';

  /** @returns {'picked'|'number'|'line'|'area'|'rich'|'context'|'code'|null} how an element takes text */
  function wayOf(el) {
    const tag = tagOf(el);
    if (tag === 'input') return UNTYPED.has(el.type) ? null : PICKED.has(el.type) ? 'picked' : el.type === 'number' ? 'number' : 'line';
    if (tag === 'textarea') return d.closest(el, CODE) ? 'code' : 'area';
    if (d.editContext(el)) return d.closest(el, CODE) ? 'code' : 'context';
    if (tag === 'select' || tag === 'button' || !tag) return null;
    return d.isContentEditable(el) || isDesigned() ? 'rich' : null;
  }
  const isReadOnly = (el) => /^(input|textarea)$/.test(tagOf(el)) && d.matches(el, ':read-only') && d.hasAttribute(el, 'readonly');
  const takesText = (el) => Boolean(wayOf(el)) && !isReadOnly(el) && !d.matches(el, ':disabled');

  /** The element that is edited as a whole: the outermost that is editable around `el`. */
  function hostOf(el) {
    if (isDesigned()) return d.body(document) || el;
    let host = el;
    for (let at = d.parentNode(el); at && d.nodeType(at) === 1 && d.isHtml(at) && d.isContentEditable(at); at = d.parentNode(at)) host = at;
    return host;
  }
  const firstInside = (el) => [d.shadowRoot(el), el].filter(Boolean)
    .flatMap((root) => below(root, INSIDE).slice(0, 50)).find(takesText) || null;
  /** The element that takes the text: the target, the control of a label, or the one field inside a wrapper. */
  function fieldOf(el) {
    const subject = names.subject(el);
    const way = wayOf(subject);
    if (way === 'rich') return hostOf(subject);
    if (way) return subject;
    if (/^(input|select|button|a)$/.test(d.localName(subject))) return null;
    const editor = d.closest(subject, CODE);
    return firstInside(subject) || (editor && firstInside(editor)) || null;
  }

  /** What a field holds. Rich text as it is read, an editor of code as far as it is drawn. */
  function held(el) {
    const way = wayOf(el);
    const tag = tagOf(el);
    let text;
    if (way === 'code') {
      const editor = d.closest(el, CODE);
      text = editor ? below(editor, CODE_LINES).map(textContent).join('\n') : '';
    } else if (valueOf[tag]) text = valueOf[tag](el);
    else if (way === 'context') text = d.editContext(el).text;
    else text = innerText(el).replace(/\n$/, '');
    return text.length > HELD_MAX ? null : text.replace(/\u00A0/g, ' ').replace(/[\u200B\uFEFF]/g, '').toWellFormed();
  }

  /** @returns {object} what has to be known of a field to type into it */
  function facts(el) {
    const way = wayOf(el);
    const length = /^(line|area)$/.test(way) ? el.maxLength : -1;
    return {
      node: idOf(el), way, type: tagOf(el) === 'input' ? el.type : null, is_password: names.isPassword(el),
      held: held(el), breaks: breaksOf(el, way), max_length: length >= 0 ? length : null,
      caret: caretOf(el, way), role: names.role(el), name: names.name(el),
    };
  }
  /** How a line break gets in without an Enter, which pages take for "send": by an editing command, or as text. */
  function breaksOf(el, way) {
    if (/^(picked|number|line)$/.test(way)) return 'none';
    if (way === 'context') return 'text';
    // They read back twice the breaks that editing commands make, and send nothing by Shift and Enter.
    return d.closest(el, '.cm-content,.ProseMirror') ? 'shift_enter' : 'command';
  }
  /** Where text would go: [start, end] in what it holds; null when that cannot be told. */
  function caretOf(el, way) {
    if (way === 'line' || way === 'area') return el.selectionStart === null ? null : [el.selectionStart, el.selectionEnd];
    return way === 'context' ? [d.editContext(el).selectionStart, d.editContext(el).selectionEnd].sort((a, b) => a - b) : null;
  }
  /** Selects all of a field, or puts the caret at its end. */
  function select(el, way, all) {
    if (way === 'context') {
      const { length } = d.editContext(el).text;
      d.editContext(el).updateSelection(all ? 0 : length, length);
    } else if (valueOf[tagOf(el)]) {
      if (all) (tagOf(el) === 'input' ? HTMLInputElement : HTMLTextAreaElement).prototype.select.call(el);
      else if (el.selectionEnd !== null) el.setSelectionRange(valueOf[tagOf(el)](el).length, valueOf[tagOf(el)](el).length);
      else getSelection()?.modify('move', 'forward', 'documentboundary');
    } else {
      const range = new Range();
      range.selectNodeContents(el);
      if (!all) range.collapse(false);
      const selection = getSelection();
      selection?.removeAllRanges();
      selection?.addRange(range);
    }
  }
  const hasFocus = (el) => d.hasFocus(document) && (d.focused() === el || (isDesigned() && d.focused() === null)
    || (wayOf(el) === 'rich' && d.focused() !== null && d.isContentEditable(d.focused()) && hostOf(d.focused()) === el));

  /** What typing has reached since: the field, and others that the page has moved the focus to. */
  let typing = null;
  function begin(el) {
    typing = { field: el, others: [] };
    d.hearAll(['input'], note, true);
  }
  function note(event) {
    const at = event.composedPath()[0];
    const el = at && d.nodeType(at) === 1 ? at : null;
    if (typing && el && el !== typing.field && wayOf(el) === 'line' && !typing.others.includes(el)) typing.others.push(el);
  }

  /**
   * Gets a field ready for keys: focus, and the caret at its end, or all of it selected.
   * @param {number} id  what was listed
   * @param {boolean} clear
   * @returns {{is:'gone'|'takes_none'|'read_only'|'click'|'refused_focus'|'ready', field?:object}}
   *   click: only a click may turn it into a field
   */
  function prepareField(id, clear) {
    const el = node(id);
    if (!el) return { is: 'gone' };
    const field = fieldOf(el);
    if (!field) {
      const canBecome = BECOMES.has(names.role(el)) || (names.role(el) === 'generic' && d.style(el).cursor === 'text');
      return { is: canBecome ? 'click' : 'takes_none' };
    }
    if (isReadOnly(field)) return { is: 'read_only', held: names.isPassword(field) ? null : held(field) };
    return ready(field, clear, true);
  }
  function ready(field, clear, move) {
    if (!hasFocus(field)) {
      if (isDesigned()) window.focus();
      d.focus(field, { preventScroll: true });
    }
    if (!d.isConnected(field)) return { is: 'gone' };
    if (!hasFocus(field)) return { is: 'refused_focus' };
    const way = wayOf(field);
    if (way !== 'picked' && way !== 'code' && (move || clear)) select(field, way, Boolean(clear));
    begin(field);
    return { is: 'ready', field: facts(field) };
  }
  /**
   * Whatever has the focus in this document, made ready.
   * @returns {{is:'elsewhere'|'none'|'read_only'|'ready', field?:object}}
   *   elsewhere: in another document, maybe in a frame here
   */
  function focusedField(clear) {
    if (!d.hasFocus(document)) return { is: 'elsewhere' };
    const at = d.focused() || (isDesigned() ? d.body(document) : null);
    if (at && d.isFrame(at)) return { is: 'elsewhere' };
    const way = at && wayOf(at);
    if (!way) return { is: 'none' };
    if (isReadOnly(at)) return { is: 'read_only', held: names.isPassword(at) ? null : held(at) };
    return ready(way === 'rich' ? hostOf(at) : at, clear, false);
  }

  /**
   * What came of typing. @param {number} id  the field
   * @returns {{is_gone:boolean, held:string|null, boxes:string|null, has_focus:boolean}}
   *   boxes: all that is held by the field and by those that the page moved on to
   */
  function typed(id) {
    const el = node(id);
    if (!el || !wayOf(el)) return { is_gone: true, held: null, boxes: null, has_focus: false };
    const others = typing?.field === el ? typing.others.filter((other) => d.isConnected(other)) : [];
    return {
      is_gone: false, held: held(el), boxes: others.length ? [el, ...others].map(held).join('') : null, has_focus: hasFocus(el),
    };
  }
  /**
   * Whether the page has taken the text out of a field and writes it itself, as terminals do.
   * @param {number} id  the field, which does not hold the text
   */
  function taken(id, text) {
    const el = node(id);
    return Boolean(el) && text.trim() !== '' && gc._.changes.writes(text, el);
  }
  /** Waits, for a moment, until the page has moved on from a field that is full. */
  async function moveOn() {
    const full = d.focused();
    const length = full && tagOf(full) === 'input' ? full.maxLength : -1;
    if (length < 1 || length > 2 || valueOf.input(full).length < length) return;
    for (let i = 0; i < 6 && d.focused() === full; i++) await new Promise((next) => { setTimeout(next, 8); });
  }
  /** @returns {boolean} whether keys would go to a password field of this document */
  const activeIsPassword = () => { const at = d.hasFocus(document) && d.focused(); return Boolean(at) && names.isPassword(at); };

  /**
   * Whether an element can be used by focus and keys, and where it is; a cover does not keep them out.
   * Scrolls to it.
   * @param {object} known  what it was when it was listed
   * @param {{clear:boolean}|null} [prepare]  what changes from then on is marked, and it is made ready for keys
   * @returns {{is:'gone'|'other'|'disabled'|'hidden'|'reached', now?:object, by?:string, x?:number, y?:number, prepared?:object}}
   */
  function reach(id, known, prepare = null) {
    const el = node(id);
    if (!el) return { is: 'gone' };
    const now = gc._.print(el);
    if (['role', 'name', 'row', 'href'].some((key) => (now[key] || '') !== (known[key] || ''))) return { is: 'other', now };
    const by = gc._.locating.disabledBy(el);
    if (by) return { is: 'disabled', by };
    const subject = names.subject(el);
    const shown = [el, subject, ...(d.isHtml(subject) && subject.labels ? Array.from(subject.labels) : [])].find((at) => d.isDrawn(at));
    if (!shown) return { is: 'hidden' };
    const seen = () => geo.visibleQuad(geo.survey(), shown)?.seen;
    if (!seen()) d.scrollIntoView(shown, { block: 'center', inline: 'nearest', behavior: 'instant' });
    const at = seen() || geo.fromDom(d.getBoundingClientRect(shown));
    if (prepare) gc._.changes.mark(el);
    const prepared = prepare && prepareField(id, prepare.clear);
    return { is: 'reached', x: geo.round((at.l + at.r) / 2), y: geo.round((at.t + at.b) / 2), prepared };
  }

  gc._.field = { fieldOf, wayOf, held, facts, hasFocus, PICKED };
  gc._.expose('reach', reach);
  gc._.expose('prepareField', prepareField);
  gc._.expose('focusedField', focusedField);
  gc._.expose('typed', typed);
  gc._.expose('taken', taken);
  gc._.expose('moveOn', moveOn);
  gc._.expose('activeIsPassword', activeIsPassword);
  /** Whether it is checked: true, false or 'mixed'; null for what cannot be, and for what is gone. */
  gc._.expose('checkedOf', (id) => {
    const el = node(id);
    return el ? names.checked(names.subject(el)) ?? null : null;
  });
  gc._.expose('focusOn', (id) => {
    const el = node(id);
    if (!el) return { is: 'gone' };
    const subject = names.subject(el);
    if (d.focused() !== subject) d.focus(subject, { preventScroll: true });
    if (!d.isConnected(subject)) return { is: 'gone' };
    const at = d.focused();
    return { is: d.hasFocus(document) && at && (at === subject || d.isWithin(at, subject)) ? 'focused' : 'unfocusable', is_password: Boolean(at) && names.isPassword(at) };
  });
})();
