// rules.js: what the style sheets of a document say of its elements.
(() => {
  const gc = globalThis.__ghostcast;
  const { _ } = gc;
  if (_.rules) return;
  const { d } = _;
  const MAX_RULES = 6000;
  const POINTING = new Set(['pointer', 'grab', 'move', 'zoom-in', 'zoom-out', 'col-resize', 'row-resize', 'ew-resize', 'ns-resize', 'nwse-resize', 'nesw-resize']);

  // Rules that show a pointer, or something more, only when hovered -----------------------------------

  const sheetsSeen = new WeakMap();
  function hoverSelectors(sheets) {
    const found = { cursor: [], reveal: [] };
    let budget = MAX_RULES;
    const scan = (rules, into) => {
      for (const rule of rules) {
        if (--budget < 0) return;
        const selector = rule.selectorText;
        if (selector?.includes(':hover') && rule.style) {
          const { style } = rule;
          if (POINTING.has(style.cursor)) into.cursor.push(...without(selector));
          if (style.display || style.visibility || style.opacity || style.maxHeight || style.height) into.reveal.push(...triggers(selector));
        }
        if (rule.cssRules?.length) scan(rule.cssRules, into);
      }
    };
    for (const sheet of sheets) {
      let rules;
      try { rules = sheet.cssRules; } catch { continue; } // another origin's
      let kept = sheetsSeen.get(sheet);
      if (!kept || kept.size !== rules.length) {
        kept = { size: rules.length, cursor: [], reveal: [] };
        scan(rules, kept);
        sheetsSeen.set(sheet, kept);
      }
      found.cursor.push(...kept.cursor);
      found.reveal.push(...kept.reveal);
    }
    return { cursor: valid(found.cursor), reveal: valid(found.reveal) };
  }
  const parts = (selector) => (/[(\[]/.test(selector.replaceAll(':hover', '')) ? [selector] : selector.split(',')).filter((one) => one.includes(':hover'));
  const without = (selector) => parts(selector).map((one) => one.replaceAll(':hover', '').trim()).filter(Boolean);
  /** `.menu:hover > ul {display: block}`: what has to be hovered, when that shows something else. */
  const triggers = (selector) => parts(selector).filter((one) => /:hover\S*[\s>+~]+\S/.test(one))
    .map((one) => one.slice(0, one.lastIndexOf(':hover')).replaceAll(':hover', '').trim()).filter((one) => one && !/[>+~\s]$/.test(one));
  function valid(selectors) {
    const some = [...new Set(selectors)].slice(0, 200).filter((selector) => {
      try { d.querySelector(d.createDocumentFragment(document), selector); return !/^(\*|html|body|:root)$/.test(selector); } catch { return false; }
    });
    return some.join(',');
  }

  _.rules = { POINTING, hoverSelectors };
})();
