// rules.js: what the style sheets of a document say of its elements.
(() => {
  const gc = globalThis.__ghostcast;
  const { _ } = gc;
  if (_.rules) return;
  const { d } = _;
  const MAX_RULES = 6000;
  const MAX_ATTRIBUTES = 60;
  const POINTING = new Set(['pointer', 'grab', 'move', 'zoom-in', 'zoom-out', 'col-resize', 'row-resize', 'ew-resize', 'ns-resize', 'nwse-resize', 'nesw-resize']);

  // One sheet -----------------------------------------------------------------------------------------

  /**
   * What a sheet says: selectors of what shows a pointer (`cursor`) or something more (`reveal`) when
   * hovered; and by which classes, ids, tags and attributes it reaches the elements to which it gives a
   * cursor, scrolling or no look at all. `any`: it may reach every element.
   */
  const nothing = () => ({ cursor: [], reveal: [], classes: new Set(), ids: new Set(), tags: new Set(), attributes: new Set(), any: false, imports: false });
  const kept = new WeakMap();
  /** Rules are the same objects as long as nobody replaces them. */
  const isAsKept = (one, rules) => one !== undefined && one.size === rules.length && one.first === rules[0] && one.last === rules[rules.length - 1];
  function ofSheet(sheet, budget) {
    let rules;
    try { rules = sheet.cssRules; } catch { return { ...nothing(), any: true }; } // another origin's
    const before = kept.get(sheet);
    if (isAsKept(before, rules)) return before.says;
    const says = nothing();
    scan(rules, says, budget, []);
    if (!says.imports) kept.set(sheet, { says, size: rules.length, first: rules[0], last: rules[rules.length - 1] });
    return says;
  }
  /** @param {string[]} outer  what the rule around means by `&`, as compounds */
  function scan(rules, says, budget, outer) {
    for (const rule of rules) {
      if (--budget.left < 0) { says.any = true; return; }
      const { selectorText: selector, style } = rule;
      const inner = rule.cssRules?.length ? rule.cssRules : null;
      const counts = Boolean(style) && matters(style);
      if (selector && style?.length && selector.includes(':hover')) hovered(selector, style, says);
      const meant = selector && (inner || counts) ? lastCompounds(selector).flatMap((one) => meantBy(one, outer)) : outer;
      if (counts) for (const one of meant) reach(one, says);
      if (rule instanceof CSSImportRule) imported(rule, says, budget);
      else if (inner && !(rule instanceof CSSKeyframesRule)) scan(inner, says, budget, meant);
    }
  }
  function imported(rule, says, budget) {
    says.imports = true;
    try { scan(rule.styleSheet.cssRules, says, budget, []); } catch { says.any = true; } // another origin's, or on its way
  }
  /** Whether declarations say how an element is pointed at, scrolled, or not there at all. */
  function matters(style) {
    if (style.length === 0) return false;
    return Boolean(style.cursor || style.pointerEvents || style.overflow || style.overflowX || style.overflowY || style.overflowBlock || style.overflowInline
      || style.all || style.display === 'none' || style.display.includes('(') || (style.opacity !== '' && !(parseFloat(style.opacity) > 0)));
  }
  function hovered(selector, style, says) {
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
  const [CLASS, ID, TAG] = ['\\.', '#', '^&?'].map((sign) => new RegExp(sign + NAME, 'i'));
  const ATTRIBUTE = /\[(?:[^\]"']|"[^"]*"|'[^']*')*\]/g;
  /** Only controls, links, dialogs and the root can be these. */
  const NATIVE = /:(?:root|host|disabled|enabled|checked|indeterminate|default|(?:user-)?(?:in)?valid|in-range|out-of-range|required|optional|placeholder-shown|autofill|link|visited|any-link|-webkit-any-link|modal|popover-open)(?![\w-])/;

  /** `&` is what the rule around it means, unless more is said of the element. */
  const meantBy = (compound, outer) => (compound.startsWith('&') && keyOf(compound) === null ? outer : [compound]);
  /** What has to hold of an element that a compound matches, as `[kind, value]`; null where nothing is known. */
  function keyOf(compound) {
    const attributes = compound.match(ATTRIBUTE);
    let bare = compound.replace(ATTRIBUTE, '');
    for (let before = ''; before !== bare;) { before = bare; bare = bare.replace(/\([^()]*\)/g, ''); }
    if (/::(?:part|slotted)/.test(bare)) return null;
    if (bare.includes('::')) return ['none'];
    const [byClass, byId] = [CLASS.exec(bare), ID.exec(bare)];
    if (byClass) return ['classes', unescape(byClass[1])];
    if (byId) return ['ids', unescape(byId[1])];
    if (attributes) return ['attributes', attributes.join('')];
    const tag = TAG.exec(bare);
    if (tag && !bare.includes('|')) return ['tags', unescape(tag[1])];
    return NATIVE.test(bare) ? ['none'] : null;
  }
  function reach(compound, says) {
    const key = keyOf(compound);
    if (key) { if (key[0] !== 'none') says[key[0]].add(key[1]); return; }
    const either = /^&?:(?:is|where|-webkit-any)\(/.exec(compound);
    if (!either) { says.any = true; return; }
    let [depth, to] = [1, either[0].length];
    for (; to < compound.length && depth > 0; to++) depth += compound[to] === '(' ? 1 : compound[to] === ')' ? -1 : 0;
    for (const one of lastCompounds(compound.slice(either[0].length, to - 1))) reach(one, says);
  }

  // All sheets ------------------------------------------------------------------------------------------

  /**
   * What all sheets of a document say of hovering, as selectors, and whom they reach: null where that
   * may be anything, else the selectors of `attributes`, and what tells whether an element is reached
   * by its tag, or by its class or id. Whoever is not looks and scrolls as its parent and its tag have it.
   * @returns {{cursor:string, reveal:string, reached:{attributes:string[], hasTag:(tag:string)=>boolean, has:(el:Element)=>boolean}|null}}
   */
  function read(sheets) {
    const budget = { left: MAX_RULES };
    const all = sheets.map((sheet) => ofSheet(sheet, budget));
    const every = (key) => all.flatMap((one) => one[key]);
    return { cursor: valid(every('cursor')), reveal: valid(every('reveal')), reached: reachedBy(all) };
  }
  function reachedBy(all) {
    const attributes = [...new Set(all.flatMap((one) => [...one.attributes]))];
    if (all.some((one) => one.any) || attributes.length > MAX_ATTRIBUTES) return null;
    const [classes, ids, tags] = ['classes', 'ids', 'tags'].map((key) => all.map((one) => one[key]).filter((set) => set.size > 0));
    const isIn = (sets, name) => { for (const set of sets) if (set.has(name)) return true; return false; };
    const known = new Map();
    const isOf = (names) => {
      let is = known.get(names);
      if (is === undefined) known.set(names, (is = names.toLowerCase().split(/\s+/).some((name) => isIn(classes, name))));
      return is;
    };
    const hasTag = (tag) => tags.length > 0 && isIn(tags, tag.toLowerCase());
    const has = (el) => (classes.length > 0 && d.hasAttribute(el, 'class') && isOf(d.getAttribute(el, 'class')))
      || (ids.length > 0 && d.hasAttribute(el, 'id') && isIn(ids, d.getAttribute(el, 'id').toLowerCase()));
    return { attributes, hasTag, has };
  }
  function valid(selectors) {
    const some = [...new Set(selectors)].slice(0, 200).filter((selector) => {
      try { d.querySelector(d.createDocumentFragment(document), selector); return !/^(\*|html|body|:root)$/.test(selector); } catch { return false; }
    });
    return some.join(',');
  }

  _.rules = { POINTING, read };
})();
