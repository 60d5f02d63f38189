// choose.js: the options of select elements and of listboxes, and choosing among them.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.choose) return;
  const { d, geometry: geo, names, node, idOf, choice } = gc._;
  const TOLD_MAX = 60;
  const POPUPS = '[role=listbox],[role=menu],[role=tree],[role=grid]';
  const OPTIONS = '[role=option],[role=menuitemradio],[role=menuitemcheckbox],[role=treeitem]';
  const setSelected = Object.getOwnPropertyDescriptor(HTMLOptionElement.prototype, 'selected').set;
  const optionsOf = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'options').get;

  const same = (text) => d.clean(text, 400);
  const labelOf = (option) => same(option.label || option.text);
  const groupOf = (option) => {
    const group = d.closest(option, 'optgroup');
    return group ? same(d.getAttribute(group, 'label')) : null;
  };
  const isOff = (option) => d.matches(option, ':disabled') || d.matches(option, 'optgroup:disabled *');
  const told = (option) => ({ label: labelOf(option), value: d.cut(option.value, 200), group: groupOf(option) ?? undefined,
    disabled: isOff(option) || undefined, selected: option.selected || undefined });
  const allOf = (el) => Array.from(optionsOf.call(el));

  /** Those that a name means: written the same, else the same but for capitals; with or without the group's name. */
  function meant(list, names_, wanted) {
    const ways = [(text) => text, (text) => text.toLowerCase()];
    for (const way of ways) {
      const found = list.filter((one) => names_(one).some((name) => way(name) === way(same(wanted))));
      if (found.length) return found;
    }
    return [];
  }
  const called = (option) => [labelOf(option), ...(groupOf(option) ? [`${groupOf(option)} / ${labelOf(option)}`, `${groupOf(option)}: ${labelOf(option)}`] : [])];

  /**
   * Chooses in a select element, as by hand.
   * @param {number} id
   * @param {{values?:string[], labels?:string[]}} wanted
   * @returns {{is:'gone'|'aria'|'absent'|'disabled'|'twice'|'one_only'|'chosen', …}} aria: it is no select element
   */
  function choose(id, { values, labels }) {
    const el = node(id);
    if (!el) return { is: 'gone' };
    const list = names.subject(el);
    if (!d.isTag(list, 'select')) return { is: 'aria' };
    const options = allOf(list);
    const listed = options.slice(0, TOLD_MAX).map(told);
    const more = Math.max(0, options.length - listed.length);
    const wanted = values || labels;
    if (!list.multiple && wanted.length !== 1) return { is: 'one_only', options: listed, more };
    const picked = [];
    for (const want of wanted) {
      const found = values ? options.filter((option) => option.value === want) : meant(options, called, want);
      const open = found.filter((option) => !isOff(option));
      if (!found.length) return { is: 'absent', what: want, options: listed, more };
      if (!open.length) return { is: 'disabled', what: want, options: listed, more };
      if (open.length > 1 && !values && new Set(open.map((option) => option.value)).size > 1) return { is: 'twice', what: want, options: listed, more };
      picked.push(open[0]);
    }
    d.focus(list, { preventScroll: true });
    const before = allOf(list).filter((option) => option.selected);
    const isNews = before.length !== picked.length || picked.some((option) => !before.includes(option));
    if (isNews) {
      // By hand, those that are let go of go with those that are taken: one event for all.
      if (list.multiple) for (const option of options) setSelected.call(option, picked.includes(option));
      else setSelected.call(picked[0], true);
      choice.tellChoice(list);
    }
    return { is: 'chosen', before: before.map(labelOf), picked: picked.map((option) => option.value), changed: isNews };
  }
  /**
   * What the list of a select element shows when it is open, and where the element is: {area, list}; null for one
   * whose list is part of the page, and for what is none.
   */
  function openList(id) {
    const el = node(id);
    const list = el && names.subject(el);
    if (!list || !d.isTag(list, 'select') || list.multiple || list.size > 1) return null;
    const LINES = 12;
    const options = allOf(list).filter((option) => !option.hidden);
    const at = options.findIndex((option) => option.selected);
    const start = Math.max(0, Math.min(at - LINES / 2, options.length - LINES));
    const shown = options.slice(start, start + LINES);
    const labels = shown.map((option) => d.cut(labelOf(option), 120));
    const marked = at < 0 ? [] : [at - start];
    return { area: geo.place(list), list: { labels, marked, above: start, below: options.length - start - shown.length } };
  }
  /** What a select element holds now: {values, labels}; null when it is gone. */
  function chosen(id) {
    const el = node(id);
    const list = el && names.subject(el);
    if (!list || !d.isTag(list, 'select')) return null;
    const picked = allOf(list).filter((option) => option.selected);
    return { values: picked.map((option) => option.value), labels: picked.map(labelOf) };
  }

  // Listboxes of pages -----------------------------------------------------------------------------

  const isSeen = (el) => d.isDrawn(el) && geo.area(geo.fromDom(d.getBoundingClientRect(el))) > 1;
  const byIds = (el, key) => (d.getAttribute(el, key) || '').split(/\s+/).filter(Boolean).slice(0, 8)
    .map((id) => d.getElementById(d.getRootNode(el), id)).filter(Boolean);
  const inside = (root, selector) => (root ? Array.from(d.querySelectorAll(root, selector)) : []);
  /** The field of a combobox, where the combobox is around it. */
  const fieldIn = (el) => (d.isTag(el, 'input') ? el : inside(el, 'input:not([type=hidden])').find(isSeen) || null);

  const shownLists = () => inside(document, POPUPS).filter((at) => isSeen(at) && inside(at, OPTIONS).length);
  /** Listboxes that showed before an element was opened, by their first option: they are others'. */
  let others = new Map();
  function noteOthers(el) {
    const field = fieldIn(el);
    const says = [el, field].filter(Boolean).map((at) => d.getAttribute(at, 'aria-expanded')).find((state) => state !== null);
    const at = d.focused();
    const isOpen = says === undefined ? Boolean(at) && (at === field || d.isWithin(at, el)) : says === 'true';
    others = new Map(isOpen ? [] : shownLists().map((list) => [list, inside(list, OPTIONS)[0]]));
  }
  /** The listbox that belongs to an element: it, one that it names, or the only one that shows. */
  function listOf(el) {
    if (d.matches(el, POPUPS)) return el;
    const field = fieldIn(el);
    const named = [el, field].filter(Boolean).flatMap((at) => [...byIds(at, 'aria-controls'), ...byIds(at, 'aria-owns')]);
    for (const at of named) {
      if (d.matches(at, POPUPS)) return at;
      const within = inside(at, POPUPS)[0];
      if (within) return within;
      if (inside(at, OPTIONS).length) return at;
    }
    const own = inside(el, POPUPS)[0];
    if (own) return own;
    const shown = shownLists().filter((at) => !others.has(at) || others.get(at) !== inside(at, OPTIONS)[0]);
    return shown.length === 1 ? shown[0] : null;
  }
  const ariaOff = (option) => d.getAttribute(option, 'aria-disabled') === 'true';
  const ariaOn = (option) => d.getAttribute(option, 'aria-selected') === 'true' || d.getAttribute(option, 'aria-checked') === 'true';
  const ariaLabel = (option) => same(names.name(option) || names.textOf(option, undefined, 300));
  const ariaNames = (option) => [ariaLabel(option), same(d.getAttribute(option, 'data-value')), same(d.getAttribute(option, 'value'))].filter(Boolean);

  /**
   * An option of the listbox of an element, and whether that is open.
   * @param {boolean} first  nothing was done to open it so far
   * @returns {{is:'gone'|'closed'|'absent'|'found', option?:{node, label, disabled, selected}, options?:string[], typeable?:boolean}}
   */
  function seekOption(id, wanted, first) {
    const el = node(id);
    if (!el) return { is: 'gone' };
    if (first) noteOthers(el);
    const list = listOf(el);
    const typeable = Boolean(fieldIn(el)) && !fieldIn(el).readOnly;
    if (!list || !isSeen(list)) return { is: 'closed', typeable };
    const options = inside(list, OPTIONS).filter(isSeen);
    const options_ = options.slice(0, TOLD_MAX).map(ariaLabel);
    const found = meant(options, ariaNames, wanted);
    if (!found.length) return { is: 'absent', options: options_, typeable };
    if (found.length > 1) return { is: 'twice', options: options_, typeable };
    const [option] = found;
    return { is: 'found', option: { node: idOf(option), label: ariaLabel(option), disabled: ariaOff(option), selected: ariaOn(option) }, options: options_, typeable };
  }
  /** Scrolls the listbox on by most of its height; answers whether it moved. */
  function scrollList(id, toStart) {
    const el = node(id);
    let at = el && listOf(el);
    for (let i = 0; at && i < 4 && d.scrollHeight(at) <= d.clientHeight(at) + 1; i++) at = d.flatParent(at);
    if (!at) return false;
    const before = d.scrollTop(at);
    d.scrollBy(at, { top: toStart ? -1e9 : d.clientHeight(at) * 0.8, behavior: 'instant' });
    return d.scrollTop(at) !== before;
  }
  /**
   * What shows that an option was taken. @param {number} id @param {number} option  its number @param {string} label
   * @returns {{held:string, shows:boolean, is_open:boolean}}
   */
  function tookOption(id, option, label) {
    const el = node(id);
    if (!el) return null;
    const one = node(option);
    const list = listOf(el);
    const field = fieldIn(el);
    const held = same(field ? field.value : list === el ? inside(list, OPTIONS).filter(ariaOn).map(ariaLabel).join(', ') : names.textOf(el, undefined, 300));
    return {
      held, shows: Boolean(one && ariaOn(one)) || held.toLowerCase().includes(label.toLowerCase()),
      is_open: Boolean(list && list !== el && isSeen(list)),
    };
  }

  /**
   * What a listbox shows of options that were taken, by number and label: those that are not chosen although it
   * says of each whether it is, and those that are chosen besides where it takes many.
   * @returns {{off:string[], others:{node, label, disabled, selected}[]}}
   */
  function heldOptions(id, numbers, labels) {
    const el = node(id);
    const list = el && listOf(el);
    if (!list || !isSeen(list)) return { off: [], others: [] };
    const held = tookOption(id, numbers[0], '').held.toLowerCase();
    const says = (one) => d.hasAttribute(one, 'aria-selected') || d.hasAttribute(one, 'aria-checked');
    const off = numbers.map(node).flatMap((one, i) => (one && says(one) && !ariaOn(one) && (list === el || !held.includes(labels[i].toLowerCase())) ? [labels[i]] : []));
    const isOther = (one) => isSeen(one) && ariaOn(one) && !ariaOff(one) && !labels.includes(ariaLabel(one));
    const others = d.getAttribute(list, 'aria-multiselectable') === 'true' ? inside(list, OPTIONS).filter(isOther) : [];
    return { off, others: others.map((one) => ({ node: idOf(one), label: ariaLabel(one), disabled: false, selected: true })) };
  }

  gc._.options = { allOf, isOff, labelOf, groupOf, setSelected: (option, is) => setSelected.call(option, is) };
  gc._.expose('heldOptions', heldOptions);
  gc._.expose('choose', choose);
  gc._.expose('chosen', chosen);
  gc._.expose('openList', openList);
  gc._.expose('seekOption', seekOption);
  gc._.expose('scrollList', scrollList);
  gc._.expose('tookOption', tookOption);
})();
