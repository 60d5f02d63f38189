// text.js: the text that shows of this document, in reading order, one line a block.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.text) return;
  const { d, names, idOf, list: listing } = gc._;
  const MAX_CHARS = 400000;
  const MAX_NODES = 150000;
  const MAX_MS = 4000;
  const SKIP = new Set(['head', 'script', 'style', 'template', 'noscript', 'link', 'meta', 'title', 'desc', 'datalist', 'option', 'source', 'track']);
  const BLOCK = /^(block|flex|grid|flow-root|list-item|table|table-caption|table-row|table-row-group|table-header-group|table-footer-group)$/;
  const HEADINGS = { h1: '# ', h2: '## ', h3: '### ', h4: '#### ', h5: '##### ', h6: '###### ' };
  const LAYOUT = 'table,p,ul,ol,h1,h2,h3,h4,div div div';

  /** @typedef {{text:string, el:Element, pieces:{at:number, el:Element}[]}|{frame:number}} Line */
  function newRun() {
    return { lines: [], text: '', pieces: [], mark: '', row: 0, cells: 0, chars: 0, nodes: 0, hosts: [], now: performance.now(), end: performance.now() + MAX_MS, full: false };
  }
  function say(run, text, el) {
    if (!text) return;
    let clean = text.replace(/[\u00AD\u200B\u2060\uFEFF\u202A-\u202E\u2066-\u2069]/g, '').replace(/\s+/g, ' ');
    if (clean[0] === ' ' && (!run.text || run.text.endsWith(' '))) clean = clean.slice(1);
    if (!clean) return;
    run.pieces.push({ at: run.text.length, el });
    run.text += clean;
  }
  /** Ends a line. Within a table's row, lines go on. */
  function end(run) {
    if (run.row) { if (run.text && !run.text.endsWith(' ')) run.text += ' '; return; }
    const text = run.text.replace(/(\s*\|\s*)+$/, '').trimEnd();
    if (text.trim()) {
      const line = d.cut(run.mark + text, 20000);
      run.lines.push({ text: line, shift: run.mark.length, pieces: run.pieces });
      run.chars += line.length + 1;
    }
    run.text = '';
    run.pieces = [];
    run.mark = '';
    if (run.chars > MAX_CHARS || run.nodes > MAX_NODES || performance.now() > run.end) run.full = true;
  }

  function readElement(run, el, depth, soft) {
    const tag = d.localName(el);
    if (run.full || depth > 400 || SKIP.has(tag)) return;
    run.nodes++;
    const boxed = d.checkVisibility(el);
    const s = d.style(el);
    if (!boxed && (tag === 'slot' ? s.display === 'none' : s.display !== 'contents')) return;
    if (s.opacity === '0' || isForReadersOnly(el, s)) return;
    const html = d.isHtml(el);
    const drawn = s.visibility === 'visible';
    const shadow = d.shadowRoot(el);
    if (html) listing.mayHost(run, el, tag, shadow);
    if (tag === 'br') { end(run); return; }
    if (tag === 'hr') { end(run); return; }
    if (html && (tag === 'iframe' || tag === 'frame')) {
      if (drawn) { end(run); run.lines.push({ frame: idOf(el) }); }
      return;
    }
    if (html && /^(input|textarea|select|img|video|audio|canvas|object|embed|progress|meter)$/.test(tag)) {
      if (drawn) say(run, ofLeaf(el, tag), el);
      return;
    }
    if (!html && tag === 'svg') { if (drawn) say(run, ` ${names.attribute(el, 'aria-label') || svgText(el)} `, el); return; }
    const role = d.getAttribute(el, 'role');
    const row = s.display === 'table-row' || role === 'row';
    if (row && !run.row && !isLayout(el)) { readRow(run, el, depth); return; }
    const cell = run.row > 0 && (s.display === 'table-cell' || /^(cell|gridcell|columnheader|rowheader)$/.test(role || ''));
    if (cell) { if (run.cells++ > 0) run.text = `${run.text.trimEnd()} | `; }
    const block = (BLOCK.test(s.display) || s.display === 'table-cell') && !cell;
    if (block) { if (soft) say(run, ' ', el); else end(run); }
    if (block && !run.text && !run.row) {
      if (HEADINGS[tag]) run.mark = HEADINGS[tag];
      else if (role === 'heading') run.mark = '#'.repeat(Math.min(6, Math.max(1, parseInt(d.getAttribute(el, 'aria-level'), 10) || 2))) + ' ';
      else if (s.display === 'list-item' && tag === 'li' && !run.mark) run.mark = '- ';
    }
    if (html && names.isEditingHost(el) && d.editContext(el)) say(run, ` ${names.value(el, 2000) || ''} `, el);
    readInside(run, el, shadow, s, drawn, depth);
    if (block) { if (soft) say(run, ' ', el); else end(run); } else if (s.display === 'inline-block' || s.display === 'inline-flex') say(run, ' ', el);
  }
  function readInside(run, el, shadow, s, drawn, depth) {
    const pre = drawn && /^(pre|pre-wrap|pre-line|break-spaces)$/.test(s.whiteSpace);
    const inRow = /flex|grid/.test(s.display) && !/^column/.test(s.flexDirection);
    const each = (node) => {
      const type = d.nodeType(node);
      if (type === 3) { if (drawn) sayText(run, d.nodeValue(node), el, pre); } else if (type === 1) readElement(run, node, depth + 1, inRow && isShort(node));
    };
    const slotted = d.slotContent(el);
    if (slotted) { for (const node of slotted) each(node); return; }
    const closed = d.isTag(el, 'details') && !el.open;
    for (let node = d.firstChild(shadow || el); node && !run.full; node = d.nextSibling(node)) {
      if (!closed || (d.nodeType(node) === 1 && d.localName(node) === 'summary')) each(node);
    }
  }
  function sayText(run, text, el, pre) {
    if (!pre || !text.includes('\n')) { say(run, text, el); return; }
    const lines = text.split('\n');
    lines.forEach((line, i) => { if (i) end(run); say(run, line, el); });
  }
  /** Side by side and of a few words: on one line. */
  const isShort = (el) => d.childElementCount(el) <= 2 && !/^(p|h[1-6]|ul|ol|table|section|main|article)$/.test(d.localName(el))
    && d.cut(d.textContent(el), 61).length <= 60;
  const isLayout = (row) => Boolean(d.querySelector(row, LAYOUT)) && d.cut(d.textContent(row), 401).length > 400;
  function readRow(run, el, depth) {
    end(run);
    run.row++;
    run.cells = 0;
    const s = d.style(el);
    readInside(run, el, d.shadowRoot(el), s, s.visibility === 'visible', depth);
    run.row--;
    end(run);
  }
  /** The single clipped pixel of text that is meant for screen readers. */
  function isForReadersOnly(el, s) {
    if (s.position !== 'absolute' && s.position !== 'fixed') return false;
    if (s.clip !== 'auto' && /rect\((0|1)px,? (0|1)px,? (0|1)px,? (0|1)px\)/.test(s.clip)) return true;
    if (s.overflow === 'visible' && parseFloat(s.left) > -2000) return false;
    const box = d.getBoundingClientRect(el);
    return (s.overflow !== 'visible' && (box.width <= 1 || box.height <= 1)) || box.right + scrollX < 0;
  }
  function ofLeaf(el, tag) {
    if (tag === 'img') { const alt = names.attribute(el, 'alt'); return alt ? ` [${alt}] ` : ''; }
    if (tag === 'canvas' || tag === 'video' || tag === 'audio' || tag === 'object' || tag === 'embed') {
      const name = names.attribute(el, 'aria-label') || names.attribute(el, 'title');
      return name ? ` [${name}] ` : '';
    }
    if (tag === 'input') {
      if (el.type === 'hidden') return '';
      if (el.type === 'checkbox' || el.type === 'radio') return el.checked ? ' [x] ' : ' [ ] ';
      if (/^(button|submit|reset|image)$/.test(el.type)) return ` ${names.name(el)} `;
      if (names.isPassword(el)) return el.value ? ' [hidden] ' : ' [ ] ';
      return ` [${d.clean(names.value(el, 2000), 2000) || names.attribute(el, 'placeholder')}] `;
    }
    if (tag === 'textarea') return ` [${d.clean(names.value(el, 4000), 4000) || names.attribute(el, 'placeholder')}] `;
    if (tag === 'select') return ` [${Array.from(el.selectedOptions).slice(0, 20).map((o) => d.clean(o.label || o.text, 120)).join(', ')}] `;
    const value = d.getAttribute(el, 'value');
    return value === null ? '' : ` [${d.clean(value, 40)}] `;
  }
  const svgText = (el) => Array.from(d.querySelectorAll(el, 'text')).slice(0, 200).filter((t) => d.isDrawn(t)).map((t) => d.clean(d.textContent(t), 400)).join(' ');

  function read() {
    const run = newRun();
    const root = d.body(document) || d.documentElement(document);
    if (root) readElement(run, root, 0, false);
    end(run);
    return run;
  }

  /**
   * @returns {string} JSON `{lines: (string|{frame:number})[], hosts:number, truncated:boolean}`
   */
  function text() {
    const run = read();
    listing.propose(run.hosts);
    return JSON.stringify({
      lines: run.lines.map((line) => (line.frame ? { frame: line.frame } : line.text)), hosts: run.hosts.length, truncated: run.full,
    });
  }

  const fold = (words) => words.replace(/\s+/g, ' ').trim().toLowerCase();
  /** Where a phrase stands, at most `max` times: within a line, or over the end of one. */
  function places(phrase, max) {
    const wanted = fold(phrase);
    const run = read();
    const lines = run.lines.filter((line) => !line.frame);
    const found = [];
    for (let i = 0; wanted && i < lines.length && found.length < max; i++) {
      const whole = lines[i].text.toLowerCase();
      let at = whole.indexOf(wanted);
      const next = lines[i + 1];
      if (at < 0 && next) {
        const joint = fold(`${whole} ${next.text.toLowerCase()}`).indexOf(wanted);
        if (joint >= 0 && joint < whole.length && !next.text.toLowerCase().includes(wanted)) at = joint;
      }
      for (; at >= 0 && found.length < max; at = whole.indexOf(wanted, at + wanted.length)) found.push({ line: lines[i], at, around: around(lines, i, at, wanted.length) });
    }
    return { found, run, lines };
  }
  function around(lines, i, at, length) {
    const { text: line } = lines[i];
    if (line.length <= 200) return line;
    const from = Math.max(0, at - 80);
    const to = Math.min(line.length, at + length + 80);
    return `${from ? '…' : ''}${d.cut(line.slice(from, to), 400)}${to < line.length ? '…' : ''}`;
  }
  const elementAt = ({ line, at }) => {
    let el = line.pieces[0]?.el;
    for (const piece of line.pieces) if (piece.at + line.shift <= at) ({ el } = piece);
    return el;
  };

  gc._.text = { read, places, elementAt, fold };
  gc._.expose('text', text);
})();
