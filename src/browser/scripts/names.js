// names.js: role, accessible name (simplified), row and nature of an element.
(() => {
  const gc = globalThis.__ghostcast;
  const { _ } = gc;
  if (_.names) return;
  const { d } = _;
  const NAME_MAX = 120;
  const ROW_MAX = 80;
  const NO_TEXT = new Set(['script', 'style', 'template', 'noscript', 'select', 'textarea', 'input', 'iframe', 'video', 'audio', 'object', 'canvas']);
  const INLINE = new Set(['a', 'abbr', 'b', 'bdi', 'bdo', 'cite', 'code', 'em', 'font', 'i', 'kbd', 'label', 'mark', 'q', 's', 'slot', 'small',
    'span', 'strong', 'sub', 'sup', 'tspan', 'u', 'var', 'wbr']);
  const INPUT_ROLES = { button: 'button', submit: 'button', reset: 'button', image: 'button', file: 'button', color: 'button',
    checkbox: 'checkbox', radio: 'radio', range: 'slider', number: 'spinbutton', search: 'searchbox' };
  const TAG_ROLES = { button: 'button', summary: 'button', textarea: 'textbox', option: 'option', img: 'img', iframe: 'iframe', frame: 'iframe',
    dialog: 'dialog', nav: 'navigation', main: 'main', header: 'banner', footer: 'contentinfo', form: 'form', p: 'paragraph', table: 'table',
    td: 'cell', th: 'columnheader', tr: 'row', ul: 'list', ol: 'list', li: 'listitem', video: 'video', audio: 'audio', canvas: 'canvas',
    h1: 'heading', h2: 'heading', h3: 'heading', h4: 'heading', h5: 'heading', h6: 'heading', fieldset: 'group', details: 'group',
    aside: 'complementary', article: 'article', progress: 'progressbar', meter: 'meter', output: 'status', menu: 'list', search: 'search' };
  /** Roles whose name never comes from their content. */
  const NOT_FROM_TEXT = new Set(['textbox', 'searchbox', 'combobox', 'listbox', 'slider', 'spinbutton', 'scrollbar', 'iframe', 'list', 'table',
    'grid', 'tree', 'treegrid', 'menu', 'menubar', 'tablist', 'toolbar', 'radiogroup', 'group', 'dialog', 'alertdialog', 'form', 'main',
    'navigation', 'region', 'application', 'progressbar', 'meter', 'canvas']);
  const NO_TYPING = new Set(['button', 'submit', 'reset', 'image', 'file', 'color', 'checkbox', 'radio', 'range', 'hidden']);
  const CONTROL = /^(input|select|textarea|button)$/;

  const isEditingHost = (el) => Boolean(d.editContext(el)) || /^(|true|plaintext-only)$/i.test(d.getAttribute(el, 'contenteditable') ?? 'false');

  /** For a label that stands in for a control which itself cannot be seen. */
  const controlOf = (el) => (d.isTag(el, 'label') ? d.labelControl(el) : null);
  /** The element whose state counts: the control of a label, else the element. */
  const subject = (el) => controlOf(el) || el;

  function role(el) {
    const explicit = d.getAttribute(el, 'role');
    if (explicit) {
      const first = explicit.trim().toLowerCase().split(/\s+/)[0];
      if (first && first !== 'none' && first !== 'presentation') return d.cut(first, 40);
    }
    const control = controlOf(el);
    if (control) return role(control);
    if (isEditingHost(el)) return 'textbox';
    const name = d.localName(el);
    if (name === 'a' || name === 'area') return d.hasAttribute(el, 'href') || d.hasAttribute(el, 'xlink:href') ? 'link' : 'generic';
    if (!d.isHtml(el)) return name === 'svg' ? 'img' : 'generic';
    if (name === 'input') return d.hasAttribute(el, 'list') ? 'combobox' : INPUT_ROLES[el.type] || 'textbox';
    if (name === 'select') return el.multiple || el.size > 1 ? 'listbox' : 'combobox';
    return Object.hasOwn(TAG_ROLES, name) ? TAG_ROLES[name] : 'generic';
  }

  /**
   * Visible text in flat-tree order, with the names of images and labelled parts; bounded.
   * @param {(el:Element)=>boolean} [leaves]  what is left out
   */
  function textOf(el, leaves, max = NAME_MAX, hiddenToo = false) {
    const first = d.firstChild(el);
    // Most things hold a word or two and nothing else.
    if (first && d.nodeType(first) === 3 && !d.nextSibling(first) && !d.shadowRoot(el)) return d.clean(d.nodeValue(first), max);
    const budget = { nodes: 240, out: '', max: max * 2, leaves, hiddenToo };
    gather(el, budget, 0);
    return d.clean(budget.out, max);
  }
  function gather(el, budget, depth) {
    const slotted = d.slotContent(el);
    if (slotted) {
      for (const node of slotted) takeNode(node, budget, depth);
      return;
    }
    for (let node = d.firstChild(d.shadowRoot(el) || el); node; node = d.nextSibling(node)) {
      if (budget.nodes <= 0 || budget.out.length > budget.max) return;
      takeNode(node, budget, depth);
    }
  }
  function takeNode(node, budget, depth) {
    if (--budget.nodes < 0 || depth > 40) return;
    const type = d.nodeType(node);
    if (type === 3) budget.out += d.cut(d.nodeValue(node), NAME_MAX * 8);
    if (type !== 1 || budget.leaves?.(node)) return;
    const name = d.localName(node);
    if (NO_TEXT.has(name) || (!budget.hiddenToo && d.getAttribute(node, 'aria-hidden') === 'true') || isHidden(node)) return;
    const gap = INLINE.has(name) ? '' : ' ';
    const label = d.getAttribute(node, 'aria-label') || (name === 'img' ? d.getAttribute(node, 'alt') : '');
    budget.out += gap;
    if (label) budget.out += ` ${d.cut(label, NAME_MAX * 8)} `;
    else gather(node, budget, depth + 1);
    budget.out += gap;
  }
  // A `title` inside SVG has no box and yet names it; `display: contents` has none and shows its content.
  const isHidden = (el) => !d.isDrawn(el)
    && !(d.localName(el) === 'title' && !d.isHtml(el)) && d.style(el).display !== 'contents';

  /**
   * aria-labelledby, aria-label, label, alt, text (for roles named by it), title, placeholder; then
   * what is drawn though hidden from readers.
   * @param {Map<Element,Element[]>} [labels]  labels by control, when many are asked for: `el.labels` searches the document
   */
  function name(el, labels, known = role(el)) {
    if (panes.has(el)) return paneName(el);
    const from = d.getAttribute(el, 'aria-labelledby');
    const fromText = !NOT_FROM_TEXT.has(known);
    const control = controlOf(el);
    const but = control ? (node) => node === control : NESTING.has(known) ? isNested : undefined;
    return (from && labelledBy(el, from)) || attribute(el, 'aria-label') || nativeName(el, labels)
      || (fromText ? textOf(el, but) : '')
      || attribute(el, 'title') || attribute(el, 'placeholder') || attribute(el, 'aria-placeholder')
      || (fromText ? textOf(el, but, NAME_MAX, true) : '');
  }
  /** Items that hold further ones are not called by those. */
  const NESTING = new Set(['menuitem', 'treeitem', 'listitem', 'option', 'tab']);
  const isNested = (node) => /^(ul|ol|menu)$/.test(d.localName(node)) || /^(menu|group|tree|listbox)$/.test(d.getAttribute(node, 'role') || '');

  /** What is listed as a place, to scroll or to drop on: all that lies in it is not its name. */
  const panes = new WeakSet();
  const HEADING = 'h1,h2,h3,h4,h5,h6,legend,caption,[role=heading]';
  function paneName(el) {
    const from = d.getAttribute(el, 'aria-labelledby');
    const given = (from && labelledBy(el, from)) || attribute(el, 'aria-label') || nativeName(el) || attribute(el, 'title');
    if (given) return given;
    const heading = d.querySelector(el, HEADING);
    return heading && d.isDrawn(heading) ? textOf(heading) : '';
  }
  const attribute = (el, key) => d.clean(d.getAttribute(el, key), NAME_MAX);

  function labelledBy(el, ids) {
    const root = d.getRootNode(el);
    const named = ids.trim().split(/\s+/).slice(0, 6).map((id) => d.getElementById(root, id)).filter(Boolean);
    const text = (other) => attribute(other, 'aria-label') || textOf(other, (node) => node === el, NAME_MAX * 2) || d.clean(d.textContent(other), NAME_MAX);
    return d.clean(named.map(text).join(' '), NAME_MAX);
  }
  function nativeName(el, known) {
    if (!d.isHtml(el)) return '';
    const tag = d.localName(el);
    const labels = !CONTROL.test(tag) ? null : known ? known.get(el) : Array.from(el.labels || []).filter((label) => d.checkVisibility(label));
    if (labels?.length) {
      const text = Array.from(labels).slice(0, 3)
        .map((label) => attribute(label, 'aria-label') || textOf(label, (node) => node === el)).join(' ');
      if (text.trim()) return d.clean(text, NAME_MAX);
    }
    if (tag === 'img' || tag === 'area') return attribute(el, 'alt');
    if (tag === 'iframe' || tag === 'frame') return attribute(el, 'title') || attribute(el, 'name');
    if (tag === 'fieldset') return legendOf(el);
    if (tag === 'optgroup') return attribute(el, 'label');
    if (tag !== 'input') return '';
    if (el.type === 'image') return attribute(el, 'alt') || attribute(el, 'value');
    if (/^(button|submit|reset)$/.test(el.type)) return d.clean(el.value, NAME_MAX) || { submit: 'Submit', reset: 'Reset' }[el.type] || '';
    return '';
  }
  function legendOf(fieldset) {
    const first = d.firstElementChild(fieldset);
    return first && d.isTag(first, 'legend') ? textOf(first) : '';
  }

  /** What was one stays one: pages show a password by making plain text of its field. */
  const passwords = new WeakSet();
  /** A field whose text must not be read back: by type, by purpose or by masked drawing. */
  function isPassword(el) {
    if (!d.isHtml(el)) return false;
    if (passwords.has(el)) return true;
    const is = looksSecret(el);
    if (is) passwords.add(el);
    return is;
  }
  function looksSecret(el) {
    if (d.localName(el) === 'input' && (el.type === 'password' || /password/i.test(d.getAttribute(el, 'autocomplete') || ''))) return true;
    const mask = d.style(el).webkitTextSecurity;
    return Boolean(mask) && mask !== 'none';
  }
  /** Cannot be used: itself, by its fieldset, by what holds it, or because it is inert. */
  function isDisabled(el) {
    const of = subject(el);
    if (d.matches(of, ':disabled')) return true;
    for (let at = of, i = 0; at && i < 2000; at = d.flatParent(at), i++) {
      if (d.getAttribute(at, 'aria-disabled') === 'true' || d.hasAttribute(at, 'inert')) return true;
    }
    return false;
  }

  /** Whether typing into the element itself puts text there. */
  function isEditable(el) {
    if (d.editContext(el)) return true;
    if (!d.isHtml(el)) return false;
    const tag = d.localName(el);
    if (tag === 'textarea' || (tag === 'input' && !NO_TYPING.has(el.type))) return !d.matches(el, ':disabled') && !el.readOnly;
    return tag !== 'input' && tag !== 'select' && tag !== 'button' && d.isContentEditable(el);
  }
  /** What a field holds, as a person reads it; undefined for what holds nothing or must not be read. */
  function value(el, max = 200) {
    const tag = d.isHtml(el) ? d.localName(el) : '';
    if (CONTROL.test(tag) || isEditingHost(el)) {
      if (isPassword(el)) return undefined;
      if (tag === 'input') {
        if (el.type === 'file') return d.brief(Array.from(el.files || []).slice(0, 10).map((file) => file.name).join(', '), max);
        return /^(checkbox|radio|button|submit|reset|image|hidden)$/.test(el.type) ? undefined : d.brief(el.value, max);
      }
      if (tag === 'textarea') return d.brief(el.value, max);
      if (tag === 'select') return d.brief(el.multiple ? Array.from(el.selectedOptions).slice(0, 10).map((o) => o.value).join(', ') : el.value, max);
      if (d.editContext(el)) return d.brief(d.editContext(el).text, max);
      if (isEditingHost(el)) return d.brief(d.isHtml(el) ? d.innerText(el).replace(/\n$/, '') : textOf(el), max);
    }
    return d.hasAttribute(el, 'aria-valuetext') ? attribute(el, 'aria-valuetext')
      : d.hasAttribute(el, 'aria-valuenow') ? attribute(el, 'aria-valuenow') : undefined;
  }
  function checked(el) {
    if (d.isTag(el, 'input') && /^(checkbox|radio)$/.test(el.type)) return el.indeterminate && el.type === 'checkbox' ? 'mixed' : el.checked;
    const aria = d.getAttribute(el, 'aria-checked');
    return aria === null ? undefined : aria === 'mixed' ? 'mixed' : aria === 'true';
  }
  /** Where a link leads, without a user's name and password. */
  function href(el) {
    const name = d.localName(el);
    const raw = name === 'a' || name === 'area' ? d.getAttribute(el, 'href') ?? d.getAttribute(el, 'xlink:href') : null;
    if (raw === null) return undefined;
    try {
      const whole = d.isHtml(el) ? d.linkHref(el) : new URL(raw, d.baseURI(el)).href;
      if (!whole.includes('@')) return d.brief(whole, 500);
      const url = new URL(whole);
      url.username = '';
      url.password = '';
      return d.brief(url.href, 500);
    } catch { return d.brief(raw.replace(/\/\/[^/@]*@/, '//'), 500); }
  }

  /** Name for a diagnosis: anything tells what it is by its text. */
  const label = (el) => name(el) || (isEditable(el) ? '' : textOf(el));
  /** What it is and says, in as few words as name it. */
  const brief = (el) => ({ role: role(el), name: label(el) || textOf(el, undefined, 80) });

  // Rows ------------------------------------------------------------------------------------------

  const ROW_ROLES = new Set(['row', 'listitem', 'option', 'treeitem', 'article', 'menuitem', 'tabpanel']);
  const ROW_TAGS = new Set(['tr', 'li', 'article', 'dd', 'dt']);
  /** Changes by itself, so that it tells no row from another. */
  const RESTLESS = new Set(['time', 'progress', 'meter', 'output']);
  const RESTLESS_ROLES = new Set(['timer', 'progressbar', 'status', 'marquee', 'log', 'alert']);
  const OWN_WORDS = new Set(['button', 'input', 'select', 'textarea', 'summary', 'label']);
  const AGO = /\b(\d+ ?(s|secs?|seconds?|m|mins?|minutes?|h|hours?) (ago|left|remaining)|just now|a (moment|minute|few seconds) ago)\b/gi;
  const SOON = /\bin \d+ ?(s|secs?|seconds?)\b/gi;
  const CLOCK = /\b\d{1,3}:[0-5]\d:[0-5]\d\b/g;

  const NO_ROW = new Set(['ul', 'ol', 'table', 'tbody', 'section', 'main', 'form', 'fieldset', 'label', 'select', 'svg', 'button', 'a', 'nav']);
  /** One of several like it beside it: a row by its looks, whatever its tag. */
  function isRepeated(el) {
    const parent = d.parentNode(el);
    if (!parent || d.nodeType(parent) !== 1) return false;
    const tag = d.localName(el);
    if (NO_ROW.has(tag)) return false;
    const of = d.className(el);
    const isLike = (other) => other !== null && d.localName(other) === tag && d.className(other) === of;
    const [before, after] = [d.previousElementSibling(el), d.nextElementSibling(el)];
    if (typeof of !== 'string' || !(isLike(before) || isLike(after))) return false;
    return d.childElementCount(el) > 0;
  }
  /** The row, card or list item around an element, or null. */
  function rowOf(el, rows) {
    let at = d.flatParent(el);
    const passed = [];
    let found = null;
    for (let i = 0; at && i < 12; i++) {
      if (rows?.has(at)) { found = rows.get(at); break; }
      passed.push(at);
      const tag = d.localName(at);
      if (tag === 'body' || tag === 'html') break;
      const given = d.getAttribute(at, 'role');
      if ((given ? ROW_ROLES.has(given) : ROW_TAGS.has(tag)) || (i > 0 || !INLINE.has(d.localName(el)) ? isRepeated(at) : false)) { found = at; break; }
      at = d.flatParent(at);
    }
    if (rows) for (const node of passed) rows.set(node, found);
    return found;
  }
  const isRestless = (node) => RESTLESS.has(d.localName(node)) || RESTLESS_ROLES.has(d.getAttribute(node, 'role'))
    || (d.hasAttribute(node, 'aria-live') && d.getAttribute(node, 'aria-live') !== 'off');
  const isOwnWords = (node) => OWN_WORDS.has(d.localName(node)) || d.getAttribute(node, 'role') === 'button';

  /**
   * The text of the row around an element that says which one it is: without the element's own words,
   * those of other buttons, and whatever changes by itself.
   */
  function rowText(el, rows, called) {
    if (ROW_TAGS.has(d.localName(el))) return undefined;
    let row = rowOf(el, rows?.around);
    for (let tries = 0; row && tries < 3; tries++) {
      const text = textOfRow(row, el, rows?.texts);
      if (text) return text === called ? undefined : text;
      // A wrapper that says nothing; a real row that says nothing has nothing to say.
      if (ROW_TAGS.has(d.localName(row)) || d.hasAttribute(row, 'role')) return undefined;
      row = rowOf(row, rows?.around);
    }
    return undefined;
  }
  function textOfRow(row, el, texts) {
    // Buttons and fields are left out for all of the row, so that all of them read the same.
    const shared = isOwnWords(el);
    if (shared && texts?.has(row)) return texts.get(row);
    const parent = d.parentNode(el);
    // Links side by side are what can be done with the row, not what it is.
    const isBeside = (node) => d.localName(node) === 'a' && d.parentNode(node) === parent;
    const text = calm(textOf(row, (node) => node === el || isOwnWords(node) || isRestless(node) || (!shared && isBeside(node)), ROW_MAX));
    if (shared) texts?.set(row, text);
    return text;
  }

  const calm = (text) => text.replace(AGO, '').replace(CLOCK, '').replace(SOON, '').replace(/\s+/g, ' ').trim();
  /** A name without what ticks in it: the same as the name, but for few. */
  function steady(el, called) {
    if (!/\d:\d|\d ?[smh]|ago|now/i.test(called)) return called;
    const ticking = d.querySelector(el, 'time,[role=timer]') ? textOf(el, isRestless) : called;
    return calm(ticking) || called;
  }

  /**
   * What an element is to whoever reads the list: as long as this is the same, it is the same thing.
   * @returns {{role:string, name:string, row?:string, href?:string}}
   */
  const print = (el) => {
    const called = name(el);
    return { role: role(el), name: steady(el, called), row: rowText(el, undefined, called), href: href(el) };
  };

  _.print = print;
  _.names = {
    role, name, steady, label, brief, textOf, subject, controlOf, isEditingHost, isPassword, isDisabled, isEditable, value, checked, href,
    attribute, legendOf, labelledBy, panes, HEADING, rowOf, rowText, isRestless, INLINE, NO_TEXT,
  };
  gc._.expose('print', (id) => { const el = _.node(id); return el ? print(el) : null; });
})();
