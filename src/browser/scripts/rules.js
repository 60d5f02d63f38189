// rules.js: what the style sheets of a document say of its elements.
(() => {
  const gc = globalThis.__ghostcast;
  const { _ } = gc;
  if (_.rules) return;
  const { d } = _;
  const MAX_RULES = 6000; // of one sheet, and of all that are read anew at one look
  const SMALL = 300; // rules whose selectors are looked at again at each look
  const MAX_ATTRIBUTES = 60;
  const POINTING = new Set(['pointer', 'grab', 'move', 'zoom-in', 'zoom-out', 'col-resize', 'row-resize', 'ew-resize', 'ns-resize', 'nwse-resize', 'nesw-resize']);

  // One sheet -----------------------------------------------------------------------------------------

  /**
   * What a sheet says: selectors of what shows a pointer (`cursor`) or something more (`reveal`) when
   * hovered; and by which classes, ids, tags and attributes it reaches the elements to which it gives a
   * cursor, scrolling or no look at all. `any`: it may reach every element.
   */
  const nothing = () => ({ cursor: [], reveal: [], classes: new Set(), ids: new Set(), tags: new Set(), attributes: new Set(), any: false });
  const kept = new WeakMap();
  function ofSheet(sheet, budget) {
    let rules;
    try { rules = sheet.cssRules; } catch { return { ...nothing(), any: true }; } // another origin's
    const before = kept.get(sheet);
    if (before && isAsRead(rules, before)) return before.says;
    const run = { says: nothing(), rules: [], left: MAX_RULES };
    try { scan(rules, run, { compounds: null, selector: null }); } catch { run.says.any = true; } // of a kind that is not known
    const isLong = run.left < 0;
    if (isLong) run.says.any = true;
    budget.left -= run.rules.length;
    if (budget.left < 0) return { ...run.says, any: true };
    const small = run.rules.length <= SMALL;
    kept.set(sheet, { says: run.says, rules: run.rules, marks: run.rules.map((rule) => markOf(rule, small)), small, long: isLong ? rules.length : 0 });
    return run.says;
  }
  /** What scripts can change of a rule; the objects are the same as long as nobody replaces them. */
  const markOf = (rule, small) => (rule.style ? `${rule.style.length} ${small ? rule.selectorText : ''}` : '');
  function isAsRead(all, { rules, marks, small, long }) {
    if (long > 0) return all.length === long;
    let at = 0;
    const is = (list) => {
      for (const rule of list) {
        if (rules[at] !== rule || marks[at] !== markOf(rule, small)) return false;
        at++;
        const inner = inside(rule);
        if (inner && !is(inner)) return false;
      }
      return true;
    };
    return is(all) && at === rules.length;
  }
  /** The rules in a rule, and those of an imported sheet; undefined where they are another origin's, or on their way. */
  function inside(rule) {
    if (rule instanceof CSSKeyframesRule) return null;
    if (!(rule instanceof CSSImportRule)) return rule.cssRules?.length ? rule.cssRules : null;
    try { return rule.styleSheet.cssRules; } catch { return undefined; }
  }
  /** @param {{compounds:string[]|null, selector:string|null}} outer  what the rule around means by `&`; null for none */
  function scan(list, run, outer) {
    for (const rule of list) {
      if (--run.left < 0) return;
      run.rules.push(rule);
      const { selectorText: selector, style } = rule;
      const inner = inside(rule);
      if (inner === undefined) run.says.any = true;
      const counts = Boolean(style) && matters(style);
      let meant = outer;
      if (selector && (inner || counts)) meant = { compounds: lastCompounds(selector).flatMap((one) => meantBy(one, outer)), selector: whole(selector, outer) };
      else if (rule instanceof CSSScopeRule) meant = { compounds: ['*'], selector: null };
      if (selector && style?.length && selector.includes(':hover')) hovered(whole(selector, outer), style, run.says);
      if (counts) for (const one of meant.compounds ?? []) reach(one, run.says);
      if (inner) scan(inner, run, meant);
    }
  }
  /** A nested rule's selector without `&`; null where that cannot be said. */
  function whole(selector, outer) {
    if (!selector?.includes('&')) return selector;
    return outer.selector === null ? null : selector.replaceAll('&', `:is(${outer.selector})`);
  }
  /** Whether declarations say how an element is pointed at, scrolled, or not there at all. */
  function matters(style) {
    if (style.length === 0) return false;
    return Boolean(style.cursor || style.pointerEvents || style.overflow || style.overflowX || style.overflowY || style.overflowBlock || style.overflowInline
      || style.all || style.display === 'none' || style.display?.includes('(') || (style.opacity && !(parseFloat(style.opacity) > 0)));
  }
  function hovered(selector, style, says) {
    if (selector === null) return;
    if (POINTING.has(style.cursor)) says.cursor.push(...without(selector));
    if (style.display || style.visibility || style.opacity || style.maxHeight || style.height) says.reveal.push(...triggers(selector));
  }
  const parts = (selector) => (/[(\[]/.test(selector.replaceAll(':hover', '')) ? [selector] : selector.split(',')).filter((one) => one.includes(':hover'));
  const without = (selector) => parts(selector).map((one) => one.replaceAll(':hover', '').trim()).filter(Boolean);
  /** `.menu:hover > ul {display: block}`: what has to be hovered, when that shows something else. */
  const triggers = (selector) => parts(selector).filter((one) => /:hover\S*[\s>+~]+\S/.test(one))
    .map((one) => one.slice(0, one.lastIndexOf(':hover')).replaceAll(':hover', '').trim()).filter((one) => one && !/[>+~\s]$/.test(one));

  // Selectors -------------------------------------------------------------------------------------------

  /** The last compound of each selector of a list: what the element itself has to be. */
  function lastCompounds(selector) {
    const all = [];
    let from = 0;
    let depth = 0;
    let quote = '';
    for (let i = 0; i < selector.length; i++) {
      const c = selector[i];
      if (c === '\\') i += escaped(selector, i).length - 1;
      else if (quote) { if (c === quote) quote = ''; }
      else if (c === '"' || c === "'") quote = c;
      else if (c === '(' || c === '[') depth++;
      else if (c === ')' || c === ']') depth--;
      else if (depth === 0 && c === ',') { all.push(selector.slice(from, i)); from = i + 1; }
      else if (depth === 0 && /[\s>+~]/.test(c)) from = i + 1;
    }
    all.push(selector.slice(from));
    return all;
  }
  const ESCAPE = /\\(?:[0-9a-f]{1,6}\s?|[^])/iy;
  function escaped(text, at) {
    ESCAPE.lastIndex = at;
    return ESCAPE.exec(text)?.[0] ?? text[at];
  }
  const unescape = (name) => name.replace(/\\(?:([0-9a-f]{1,6})\s?|([^]))/gi, (_all, hex, plain) => (hex ? String.fromCodePoint(parseInt(hex, 16) || 0xFFFD) : plain)).toLowerCase();
  const NAME = String.raw`((?:\\[0-9a-f]{1,6}\s?|\\[^]|[\w-]|[^\0-\x7f])+)`;
  /** Only controls, links, dialogs and the root can be these. */
  const NATIVE = /:(?:root|host|disabled|enabled|checked|indeterminate|default|(?:user-)?(?:in)?valid|in-range|out-of-range|required|optional|placeholder-shown|autofill|link|visited|any-link|-webkit-any-link|modal|popover-open)(?![\w-])/;

  /** `&` is what the rule around it means, unless more is said of the element. */
  const meantBy = (compound, outer) => (compound.startsWith('&') && keyOf(compound) === null ? outer.compounds ?? ['*'] : [compound]);
  /** A compound taken apart: what stands outside of any parentheses. */
  const SIMPLE = new RegExp(String.raw`(\.|#|&|::?)?${NAME}`, 'iy');
  function apart(compound) {
    const top = { tag: null, ids: [], classes: [], attributes: [], bare: '' };
    for (let i = 0; i < compound.length;) {
      const c = compound[i];
      if (c === '[' || c === '(') {
        const end = closing(compound, i);
        if (c === '[') top.attributes.push(compound.slice(i, end));
        i = end;
        continue;
      }
      SIMPLE.lastIndex = i;
      const found = SIMPLE.exec(compound);
      if (!found) { top.bare += c; i++; continue; }
      const [all, sign, name] = found;
      if (sign === '.') top.classes.push(unescape(name));
      else if (sign === '#') top.ids.push(unescape(name));
      else if (sign === undefined || sign === '&') top.tag = unescape(name);
      else top.bare += all;
      i += all.length;
    }
    return top;
  }
  /** Where what opens at `from` ends. */
  function closing(text, from) {
    let depth = 0;
    let quote = '';
    for (let i = from; i < text.length; i++) {
      const c = text[i];
      if (c === '\\') i += escaped(text, i).length - 1;
      else if (quote) { if (c === quote) quote = ''; }
      else if (c === '"' || c === "'") quote = c;
      else if (c === '(' || c === '[') depth++;
      else if ((c === ')' || c === ']') && --depth === 0) return i + 1;
    }
    return text.length;
  }
  const isPrefixed = (attribute) => /^\[[^="']*\|(?!=)/.test(attribute);
  /** What has to hold of an element that a compound matches, as `[kind, value]`; null where nothing is known. */
  function keyOf(compound) {
    const { tag, ids, classes, attributes, bare } = apart(compound);
    if (/::(?:part|slotted)/.test(bare)) return null;
    if (bare.includes('::')) return ['none'];
    if (classes.length) return ['classes', classes[0]];
    if (ids.length) return ['ids', ids[0]];
    if (attributes.length && !attributes.some(isPrefixed)) return ['attributes', attributes.join('')];
    if (tag !== null && !bare.includes('|')) return ['tags', tag];
    return NATIVE.test(bare) ? ['none'] : null;
  }
  function reach(compound, says) {
    const key = keyOf(compound);
    if (key) { if (key[0] !== 'none') says[key[0]].add(key[1]); return; }
    const either = /^&?:(?:is|where|-webkit-any)\(/.exec(compound);
    if (!either) { says.any = true; return; }
    const from = either[0].length;
    for (const one of lastCompounds(compound.slice(from, closing(compound, from - 1) - 1))) reach(one, says);
  }

  // Who is reached --------------------------------------------------------------------------------------

  /** What has a look or a use of its own by its tag, or by its markup. */
  const KEEN_TAGS = new Set(['a', 'area', 'audio', 'body', 'button', 'canvas', 'details', 'dialog', 'embed', 'fieldset', 'foreignObject', 'form', 'frame',
    'geolocation', 'html', 'iframe', 'input', 'install', 'label', 'marquee', 'object', 'optgroup', 'option', 'permission', 'select', 'slot', 'summary', 'svg',
    'textarea', 'usermedia', 'video']);
  /** The only ones besides custom elements, and a canvas, that can have a shadow root or take text by an EditContext. */
  const HOLDERS = new Set(['article', 'aside', 'blockquote', 'body', 'div', 'footer', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'main', 'nav', 'p',
    'section', 'span']);
  const KEEN = `[aria-disabled],[cursor],[display],[hidden],[inert],[opacity],[overflow],[pointer-events],[popover],[style]`;
  /**
   * What all sheets of a document say: selectors of what shows a pointer or something more when hovered, and
   * `isPlain`, whether an element is reached by none and has no look of its own by tag or markup, so that it
   * looks and scrolls as its parent has it; null where a rule may reach anything. Not for shadow roots.
   * @param {string} marked  a selector of other markup that sets an element apart
   * @returns {{cursor:string, reveal:string, isPlain:((el:Element, tag:string)=>boolean)|null}}
   */
  function read(sheets, marked) {
    const budget = { left: MAX_RULES };
    const all = sheets.map((sheet) => ofSheet(sheet, budget));
    const [cursor, reveal] = ['cursor', 'reveal'].map((key) => valid(all.flatMap((one) => one[key])));
    return { cursor, reveal, isPlain: plain(all, marked, [cursor, reveal].filter(Boolean).join(',')) };
  }
  function plain(all, marked, hovered) {
    const attributes = [...new Set(all.flatMap((one) => [...one.attributes]))];
    const markup = [KEEN, marked, ...attributes].join(',');
    if (all.some((one) => one.any) || attributes.length > MAX_ATTRIBUTES || !isSelector(markup)) return null;
    const keen = keenOf(hovered);
    const isCalled = called(all);
    const byTag = new Map();
    return (el, tag) => {
      let isKeen = byTag.get(tag);
      if (isKeen === undefined) byTag.set(tag, (isKeen = KEEN_TAGS.has(tag) || tag.includes('-') || isCalled.tag(tag)));
      return !(isKeen || (keen.size > 0 && keen.has(el)) || (d.hasAttributes(el) && (isCalled.other(el) || d.matches(el, markup)))
        || (HOLDERS.has(tag) && (d.shadowRoot(el) || d.editContext(el))));
    };
  }
  /** Elements that change by hovering or by themselves. */
  function keenOf(hovered) {
    const keen = new Set();
    const root = d.documentElement(document);
    if (!root) return keen;
    if (hovered) for (const el of d.querySelectorAll(root, hovered)) keen.add(el);
    for (const { effect } of d.getAnimations(document)) if (effect?.target) keen.add(effect.target);
    for (const el of d.querySelectorAll(root, 'set,animate')) keen.add(d.parentNode(el));
    return keen;
  }
  /** Whether a sheet reaches an element by its tag, or by its class or id. */
  function called(all) {
    const [classes, ids, tags] = ['classes', 'ids', 'tags'].map((key) => all.map((one) => one[key]).filter((set) => set.size > 0));
    const isIn = (sets, name) => { for (const set of sets) if (set.has(name)) return true; return false; };
    const known = new Map();
    const isOf = (names) => {
      let is = known.get(names);
      if (is === undefined) known.set(names, (is = names.toLowerCase().split(/[\t\n\f\r ]+/).some((name) => isIn(classes, name))));
      return is;
    };
    return {
      tag: (tag) => tags.length > 0 && isIn(tags, tag.toLowerCase()),
      other: (el) => (classes.length > 0 && d.hasAttribute(el, 'class') && isOf(d.getAttribute(el, 'class')))
        || (ids.length > 0 && d.hasAttribute(el, 'id') && isIn(ids, d.getAttribute(el, 'id').toLowerCase())),
    };
  }
  function isSelector(text) {
    try { d.querySelector(d.createDocumentFragment(document), text); return true; } catch { return false; }
  }
  const valid = (selectors) => [...new Set(selectors)].slice(0, 200).filter((one) => !/^(\*|html|body|:root)$/.test(one) && isSelector(one)).join(',');

  _.rules = { POINTING, read };
})();
