// names.js (3 of 9): role, accessible name (simplified) and nature of an element.
(() => {
  const { _ } = globalThis.__ghostcast;
  if (_.names) return;
  const { d } = _;
  const NAME_MAX = 120;
  const NO_TEXT = new Set(['script', 'style', 'template', 'noscript', 'select', 'textarea', 'input', 'iframe', 'video', 'audio', 'object']);
  const INLINE = new Set(['a', 'abbr', 'b', 'bdi', 'bdo', 'cite', 'code', 'em', 'font', 'i', 'kbd', 'label', 'mark', 'q', 's', 'slot', 'small',
    'span', 'strong', 'sub', 'sup', 'tspan', 'u', 'var', 'wbr']);
  const INPUT_ROLES = { button: 'button', submit: 'button', reset: 'button', image: 'button', file: 'button', color: 'button',
    checkbox: 'checkbox', radio: 'radio', range: 'slider', number: 'spinbutton', search: 'searchbox' };
  const TAG_ROLES = { button: 'button', summary: 'button', textarea: 'textbox', option: 'option', img: 'img', iframe: 'iframe', frame: 'iframe',
    dialog: 'dialog', nav: 'navigation', main: 'main', header: 'banner', footer: 'contentinfo', form: 'form', p: 'paragraph', table: 'table',
    td: 'cell', th: 'columnheader', tr: 'row', ul: 'list', ol: 'list', li: 'listitem', video: 'video', audio: 'audio', canvas: 'canvas',
    h1: 'heading', h2: 'heading', h3: 'heading', h4: 'heading', h5: 'heading', h6: 'heading' };
  /** Roles whose name never comes from their content. */
  const NOT_FROM_TEXT = new Set(['textbox', 'searchbox', 'combobox', 'listbox', 'slider', 'spinbutton', 'scrollbar', 'iframe']);
  const NO_TYPING = new Set(['button', 'submit', 'reset', 'image', 'file', 'color', 'checkbox', 'radio', 'range', 'hidden']);

  const isEditingHost = (el) => /^(|true|plaintext-only)$/i.test(d.getAttribute(el, 'contenteditable') ?? 'false');

  /** For a label that stands in for a control which itself cannot be seen. */
  const controlOf = (el) => (d.isTag(el, 'label') ? d.labelControl(el) : null);
  /** The element whose state counts: the control of a label, else the element. */
  const subject = (el) => controlOf(el) || el;

  function role(el) {
    const explicit = (d.getAttribute(el, 'role') || '').trim().toLowerCase().split(/\s+/)[0];
    if (explicit && explicit !== 'none' && explicit !== 'presentation') return d.cut(explicit, 40);
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

  /** Visible text in flat-tree order, with the names of images and labelled parts; bounded. */
  function textOf(el, except) {
    const budget = { nodes: 240, out: '' };
    gather(el, except, budget, 0);
    return d.clean(budget.out, NAME_MAX);
  }
  function gather(el, except, budget, depth) {
    const shadow = d.shadowRoot(el);
    const slotted = d.slotContent(el);
    if (slotted) {
      for (const node of slotted) takeNode(node, except, budget, depth);
    } else {
      for (let node = d.firstChild(shadow || el); node; node = d.nextSibling(node)) {
        if (budget.nodes <= 0 || budget.out.length > NAME_MAX * 2) return;
        takeNode(node, except, budget, depth);
      }
    }
  }
  function takeNode(node, except, budget, depth) {
    if (--budget.nodes < 0 || depth > 40) return;
    const type = d.nodeType(node);
    if (type === 3) budget.out += d.cut(d.nodeValue(node), NAME_MAX * 4);
    if (type !== 1 || node === except) return;
    const name = d.localName(node);
    if (NO_TEXT.has(name) || d.getAttribute(node, 'aria-hidden') === 'true' || isHidden(node)) return;
    const gap = INLINE.has(name) ? '' : ' ';
    const label = d.getAttribute(node, 'aria-label') || (name === 'img' ? d.getAttribute(node, 'alt') : '');
    budget.out += gap;
    if (label) budget.out += ` ${d.cut(label, NAME_MAX * 4)} `;
    else gather(node, except, budget, depth + 1);
    budget.out += gap;
  }
  // A `title` inside SVG has no box and yet names it; `display: contents` has none and shows its content.
  const isHidden = (el) => !d.isDrawn(el)
    && !(d.localName(el) === 'title' && !d.isHtml(el)) && d.style(el).display !== 'contents';

  /**
   * aria-labelledby, aria-label, label, alt, text (for roles named by it), placeholder, title.
   * @param {Map<Element,Element[]>} [labels]  labels by control, when many are asked for: `el.labels` searches the document
   */
  function name(el, labels) {
    const from = d.getAttribute(el, 'aria-labelledby');
    return (from && labelledBy(el, from)) || attribute(el, 'aria-label') || nativeName(el, labels)
      || (NOT_FROM_TEXT.has(role(el)) ? '' : textOf(el, controlOf(el)))
      || attribute(el, 'placeholder') || attribute(el, 'aria-placeholder') || attribute(el, 'title');
  }
  const attribute = (el, key) => d.clean(d.getAttribute(el, key), NAME_MAX);

  function labelledBy(el, ids) {
    const root = d.getRootNode(el);
    const named = ids.trim().split(/\s+/).slice(0, 6).map((id) => d.getElementById(root, id)).filter(Boolean);
    return d.clean(named.map((other) => attribute(other, 'aria-label') || textOf(other, el)).join(' '), NAME_MAX);
  }
  function nativeName(el, known) {
    if (!d.isHtml(el)) return '';
    const tag = d.localName(el);
    const labels = !/^(input|select|textarea|button)$/.test(tag) ? null : known ? known.get(el) : el.labels;
    if (labels?.length) {
      const text = Array.from(labels).slice(0, 3).map((label) => attribute(label, 'aria-label') || textOf(label, el)).join(' ');
      if (text.trim()) return d.clean(text, NAME_MAX);
    }
    if (tag === 'img' || tag === 'area') return attribute(el, 'alt');
    if (tag === 'iframe' || tag === 'frame') return attribute(el, 'title') || attribute(el, 'name') || attribute(el, 'src');
    if (tag !== 'input') return '';
    if (el.type === 'image') return attribute(el, 'alt') || attribute(el, 'value');
    if (/^(button|submit|reset)$/.test(el.type)) return d.clean(el.value, NAME_MAX) || { submit: 'Submit', reset: 'Reset' }[el.type] || '';
    return '';
  }

  /** A field whose text must not be read back: by type, by purpose or by masked drawing. */
  function isPassword(el) {
    if (!d.isHtml(el)) return false;
    if (d.localName(el) === 'input' && (el.type === 'password' || /password/i.test(d.getAttribute(el, 'autocomplete') || ''))) return true;
    const mask = d.style(el).webkitTextSecurity;
    return Boolean(mask) && mask !== 'none';
  }
  const isDisabled = (el) => d.matches(subject(el), ':disabled') || d.getAttribute(el, 'aria-disabled') === 'true';

  /** Whether typing into the element itself puts text there. */
  function isEditable(el) {
    if (!d.isHtml(el)) return false;
    const tag = d.localName(el);
    if (tag === 'textarea' || (tag === 'input' && !NO_TYPING.has(el.type))) return !d.matches(el, ':disabled') && !el.readOnly;
    return tag !== 'input' && tag !== 'select' && tag !== 'button' && d.isContentEditable(el);
  }
  const value = (el) => {
    const tag = d.isHtml(el) ? d.localName(el) : '';
    if (isPassword(el)) return undefined;
    if (tag === 'input') return /^(checkbox|radio|button|submit|reset|image|file)$/.test(el.type) ? undefined : d.cut(el.value, 200);
    if (tag === 'textarea' || tag === 'select') return d.cut(el.value, 200);
    return isEditingHost(el) ? textOf(el) : undefined;
  };
  function checked(el) {
    if (d.isTag(el, 'input') && /^(checkbox|radio)$/.test(el.type)) return el.checked;
    const aria = d.getAttribute(el, 'aria-checked');
    return aria === null ? undefined : aria === 'true';
  }
  function href(el) {
    const raw = d.localName(el) === 'a' || d.localName(el) === 'area' ? d.getAttribute(el, 'href') ?? d.getAttribute(el, 'xlink:href') : null;
    if (raw === null) return undefined;
    try { return d.cut(new URL(raw, el.baseURI).href, 500); } catch { return d.cut(raw, 500); }
  }

  /** Name for a diagnosis: anything tells what it is by its text. */
  const label = (el) => name(el) || (isEditable(el) ? '' : textOf(el));

  _.names = { role, name, label, subject, controlOf, isEditingHost, isPassword, isDisabled, isEditable, value, checked, href };
})();
