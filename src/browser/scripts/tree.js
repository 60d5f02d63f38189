// tree.js: the document as an outline of roles and names, consistent with the list.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.tree) return;
  const { d, names, idOf, list: listing } = gc._;
  const MAX_NODES = 5000;
  const SKIP = new Set(['head', 'script', 'style', 'template', 'noscript', 'link', 'meta', 'datalist']);
  /** Roles that are told even of what nobody acts on; others only hold what is told. */
  const TOLD = new Set(['heading', 'img', 'navigation', 'main', 'banner', 'contentinfo', 'form', 'search', 'region', 'complementary', 'article',
    'list', 'listitem', 'table', 'row', 'cell', 'columnheader', 'rowheader', 'grid', 'gridcell', 'tree', 'treegrid', 'tablist', 'tabpanel', 'menu',
    'menubar', 'toolbar', 'dialog', 'alertdialog', 'alert', 'status', 'log', 'timer', 'progressbar', 'meter', 'group', 'radiogroup', 'figure',
    'tooltip', 'canvas', 'video', 'audio', 'separator', 'note', 'feed', 'term', 'definition', 'math']);
  /** Told only when they have a name of their own. */
  const NAMED_ONLY = new Set(['img', 'form', 'region', 'group', 'canvas', 'separator', 'figure', 'banner', 'contentinfo', 'article', 'note']);
  /** Says nothing more within something that is listed. */
  const PARTS = new Set(['row', 'cell', 'listitem', 'list']);
  /** What is called by what it holds says that once. */
  const BY_TEXT = new Set(['heading', 'tooltip', 'term']);

  function emit(run, node, depth) {
    if (run.nodes.length >= MAX_NODES) { run.full = true; return depth; }
    run.nodes.push({ ...node, depth });
    return depth + 1;
  }
  function visit(run, el, depth, known, hush, within = false) {
    const tag = d.localName(el);
    if (run.full || SKIP.has(tag) || depth > 200) return;
    const boxed = d.checkVisibility(el);
    const entry = run.entries.get(el);
    if (!entry && !boxed && (tag === 'slot' ? d.style(el).display === 'none' : d.style(el).display !== 'contents')) return;
    if (run.frames.has(el)) { emit(run, { role: 'iframe', name: names.name(el, undefined, 'iframe'), frame: idOf(el) }, depth); return; }
    let at = depth;
    let quiet = hush;
    let called = known;
    let held = within;
    if (entry) {
      at = emit(run, { id: idOf(el), role: entry.role, name: entry.name }, depth);
      called = entry.name;
      held = true;
      if (/^(input|select|textarea)$/.test(tag) || names.isEditingHost(el)) return;
    } else if (d.isDrawn(el)) {
      const role = names.role(el);
      if (TOLD.has(role)) {
        const name = BY_TEXT.has(role) ? names.name(el, undefined, role) : ownName(el, role);
        if (name || !(NAMED_ONLY.has(role) || (within && PARTS.has(role)))) {
          const node = { role, name };
          const level = role === 'heading' && (parseInt(d.getAttribute(el, 'aria-level'), 10) || parseInt(tag.slice(1), 10));
          if (level) node.level = level;
          at = emit(run, node, depth);
          if (name) called = name;
          if (role === 'img') return;
          quiet = quiet || BY_TEXT.has(role);
        }
      }
    }
    // A label's words are the name of its control, which is told itself.
    const control = names.controlOf(el);
    if (control && run.entries.has(control)) quiet = true;
    inside(run, el, at, called, quiet, held);
  }
  /** Cells, rows and the like are not called by their text: that follows as text. */
  const ownName = (el, role) => (role === 'img' ? names.name(el, undefined, role) : names.name(el, undefined, 'group'));
  function inside(run, el, depth, called, quiet, within) {
    const drawn = d.isDrawn(el) || d.style(el).display === 'contents';
    let text = '';
    const flush = () => {
      const said = d.clean(text, 200);
      text = '';
      if (said && !quiet && !(called && called.includes(said.replace(/…$/, '')))) emit(run, { role: 'text', name: said }, depth);
    };
    const each = (node) => {
      const type = d.nodeType(node);
      if (type === 3) { if (drawn) text += d.cut(d.nodeValue(node), 2000); return; }
      if (type !== 1) return;
      if (isPlainInline(run, node)) {
        if (d.style(node).display !== 'inline') text += ' ';
        text += d.textContent(node).length < 2000 ? d.cut(d.innerText(node), 2000) : d.cut(d.textContent(node), 2000);
        return;
      }
      flush();
      visit(run, node, depth, called, quiet, within);
    };
    const slotted = d.slotContent(el);
    if (slotted) for (const node of slotted) each(node);
    else {
      const closed = d.isTag(el, 'details') && !el.open;
      for (let node = d.firstChild(d.shadowRoot(el) || el); node && !run.full; node = d.nextSibling(node)) {
        if (!closed || (d.nodeType(node) === 1 && d.localName(node) === 'summary')) each(node);
      }
    }
    flush();
  }
  /** A few words in bold belong to the sentence around them. */
  const isPlainInline = (run, el) => d.isHtml(el) && names.INLINE.has(d.localName(el)) && d.childElementCount(el) === 0 && !d.shadowRoot(el)
    && !run.entries.has(el) && !d.hasAttribute(el, 'role') && d.localName(el) !== 'slot' && d.isDrawn(el);

  /**
   * @param {object} options  as of `list`
   * @returns {string} JSON `{list, nodes: {role, name, depth, id?, level?, frame?}[], hosts, truncated}`; what is listed carries
   *   the `id` by which its states are found in `list`, a frame element its own as `frame`
   */
  function tree(options) {
    const pass = listing.build(options);
    const run = {
      nodes: [], full: false, entries: new Map(pass.entries.map((entry) => [entry.el, entry])), frames: new Set(pass.frames.map((one) => one.el)),
    };
    const depth = emit(run, { role: 'document', name: d.clean(d.title(document), 120) }, 0);
    const root = d.body(document);
    if (root) visit(run, root, depth, '', false);
    return JSON.stringify({ list: listing.report(pass), nodes: run.nodes, hosts: pass.hosts.length, truncated: run.full });
  }
  gc._.expose('tree', tree);
})();
