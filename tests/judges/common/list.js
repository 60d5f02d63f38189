// Everything that a person sees: what has text of its own, what can be operated, shapes. For the reference only.
() => {
  const INPUTS = {checkbox: 'checkbox', radio: 'radio', button: 'button', submit: 'button', reset: 'button',
    range: 'slider', number: 'spinbutton', search: 'searchbox'};
  const TAGS = {button: 'button', textarea: 'textbox', option: 'option', summary: 'button', h1: 'heading',
    h2: 'heading', h3: 'heading', li: 'listitem', td: 'cell', th: 'columnheader', p: 'paragraph'};
  const SHAPES = ['circle', 'rect', 'path', 'polygon', 'ellipse', 'text', 'canvas'];
  const squeeze = (text) => (text || '').replace(/\s+/g, ' ').trim();
  const role = (el, tag) => {
    const given = el.getAttribute('role');
    if (given) return given;
    if (tag === 'input') return INPUTS[el.type] || 'textbox';
    if (tag === 'select') return el.multiple ? 'listbox' : 'combobox';
    if (tag === 'a') return el.hasAttribute('href') ? 'link' : 'generic';
    if (el.isContentEditable && !el.parentElement?.isContentEditable) return 'textbox';
    return TAGS[tag] || 'generic';
  };
  // The text as it is composed: shadow roots in place of children, slots with what is put into them.
  const said = (node) => {
    if (node.nodeType === 3) return node.data;
    if (node.nodeType !== 1 || ['style', 'script', 'svg'].includes(node.localName)) return '';
    const inner = node.localName === 'slot' ? node.assignedNodes() : (node.shadowRoot || node).childNodes;
    return [...inner].map(said).join(' ');
  };
  const name = (el, tag) => {
    const by = el.getAttribute('aria-labelledby');
    if (by) {
      const named = squeeze(by.split(/\s+/).map((id) => el.getRootNode().getElementById?.(id)?.textContent || '').join(' '));
      if (named) return named;
    }
    const given = squeeze(el.getAttribute('aria-label'));
    if (given) return given;
    if (['input', 'select', 'textarea'].includes(tag)) {
      if (['button', 'submit', 'reset'].includes(el.type)) return squeeze(el.value);
      const labels = squeeze([...(el.labels || [])].map((label) => squeeze(label.innerText) || said(label)).join(' '));
      return labels || squeeze(el.placeholder) || squeeze(el.title);
    }
    return squeeze(el.innerText ?? el.textContent) || squeeze(said(el)) || squeeze(el.alt) || squeeze(el.title);
  };
  const found = [];
  const visit = (root) => {
    for (const el of root.children) {
      const tag = el.localName;
      if (['script', 'style', 'head', 'template', 'noscript'].includes(tag)) continue;
      const box = el.getBoundingClientRect();
      const style = getComputedStyle(el);
      const shown = box.width > 0 && box.height > 0 && style.visibility !== 'hidden';
      const operable = /^(a|button|input|select|textarea|summary|label)$/.test(tag) || el.hasAttribute('role')
        || el.hasAttribute('tabindex') || style.cursor === 'pointer' || el.isContentEditable || el.onclick;
      const says = [...el.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      const pictured = style.backgroundImage !== 'none' || tag === 'img';
      if (shown && (operable || says || pictured || SHAPES.includes(tag))) found.push(el);
      if (style.display !== 'none' && tag !== 'select') visit(el);
      if (el.shadowRoot) visit(el.shadowRoot);
    }
  };
  visit(document.body);
  window.__listed = found;
  return found.map((el, ref) => {
    const tag = el.localName;
    const box = el.getBoundingClientRect();
    return {ref, tag, role: role(el, tag), name: name(el, tag), type: el.type && tag === 'input' ? el.type : null,
      value: 'value' in el && typeof el.value === 'string' ? el.value : null,
      checked: typeof el.checked === 'boolean' ? el.checked : null,
      disabled: Boolean(el.disabled), expanded: el.hasAttribute('aria-expanded') ? el.getAttribute('aria-expanded') === 'true' : null,
      box: [box.x, box.y, box.width, box.height]};
  });
}
