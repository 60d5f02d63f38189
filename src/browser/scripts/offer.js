// offer.js: the lists of select elements, which a browser opens in a window of its own, for a person who drives.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.offerLists) return;
  const { d, names, choice, options } = gc._;
  const OPTIONS_MAX = 1000;
  const OPENING_KEYS = [' ', 'F4'];
  const ARROWS = ['ArrowDown', 'ArrowUp'];
  /** Until when a person drives; an agent's press opens the list as ever. */
  let until = -Infinity;
  let count = 0;
  let offered = null;

  gc._.expose('offerLists', (ms) => {
    until = performance.now() + ms;
    if (ms <= 0) offered = null;
    return true;
  });

  /** The select element that an event would open; null for any other, and for one whose list the page draws. */
  function opened(event) {
    if (!event.isTrusted || performance.now() > until) return null;
    const el = event.composedPath()[0];
    const list = d.isElement(el) ? d.closest(el, 'select') : null;
    if (!list || !d.isTag(list, 'select') || list.multiple || list.size > 1 || d.matches(list, ':disabled')) return null;
    return getComputedStyle(list).appearance === 'base-select' ? null : list;
  }

  function offer(event) {
    const list = opened(event);
    if (!list) return;
    event.preventDefault();
    d.focus(list, { preventScroll: true });
    offered = { number: ++count, list };
    const told = options.allOf(list).slice(0, OPTIONS_MAX).map((option) => ({
      label: d.cut(options.labelOf(option), 200), group: options.groupOf(option) ?? undefined,
      disabled: options.isOff(option) || option.hidden, selected: option.selected,
    }));
    const label = d.cut(names.name(list) || '', 200);
    try { globalThis.__ghostcastNotify(JSON.stringify({ kind: 'list', number: count, text: label, options: told })); } catch { /* nobody listens */ }
  }

  /**
   * Chooses as by hand. @param {number} number  which list it is @param {number} index  which of its options
   * @returns {boolean} whether that is there to be chosen
   */
  gc._.expose('chooseOffered', (number, index) => {
    if (offered?.number !== number) return false;
    const { list } = offered;
    offered = null;
    const option = options.allOf(list)[index];
    if (!option || !d.isConnected(list) || options.isOff(option)) return false;
    if (!option.selected) {
      options.setSelected(option, true);
      choice.tellChoice(list);
    }
    return true;
  });

  d.hearAll(['mousedown'], (event) => { if (event.button === 0) offer(event); }, true);
  d.hearAll(['keydown'], (event) => {
    if (OPENING_KEYS.includes(event.key) || (event.altKey && ARROWS.includes(event.key))) offer(event);
  }, true);
})();
