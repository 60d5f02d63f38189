// dom.js (1 of 9): safe access to the DOM, the flat tree and string hygiene.
//
// Runs in an isolated world, so page scripts cannot reach these objects. Markup still can:
// `<form><input name="parentNode">` and `<img name="body">` shadow built-ins of forms and
// documents in every world, hence the accessors captured from the prototypes.
(() => {
  // An own property: `<div id="__ghostcast">` is reachable by name but inherited.
  if (Object.hasOwn(globalThis, '__ghostcast')) return;

  const uncurry = (fn) => Function.prototype.call.bind(fn);
  const captured = (proto, key) => {
    const { get, value } = Object.getOwnPropertyDescriptor(proto, key);
    return uncurry(get || value);
  };
  /** Accessors and methods under their own names, as functions of the node: `d.parentNode(el)`. */
  const d = {};
  const capture = (proto, keys) => { for (const key of keys.split(' ')) d[key] = captured(proto, key); };
  capture(Node.prototype, 'parentNode nodeType nodeValue firstChild nextSibling isConnected ownerDocument getRootNode');
  capture(Element.prototype, 'localName namespaceURI firstElementChild nextElementSibling shadowRoot assignedSlot getAttribute hasAttribute'
    + ' matches querySelector querySelectorAll checkVisibility getBoundingClientRect getClientRects scrollIntoView scrollBy'
    + ' scrollTop scrollLeft scrollWidth scrollHeight clientWidth clientHeight');
  capture(HTMLElement.prototype, 'focus isContentEditable');
  capture(Document.prototype, 'documentElement body title readyState designMode defaultView scrollingElement execCommand');
  d.labelControl = captured(HTMLLabelElement.prototype, 'control');
  d.shadowHost = captured(ShadowRoot.prototype, 'host');
  d.shadowFirst = captured(DocumentFragment.prototype, 'firstElementChild');
  /** Closed shadow roots, which only the debugger can hand over, by their hosts. */
  const closedRoots = new WeakMap();
  const openRoot = d.shadowRoot;
  d.shadowRoot = (el) => openRoot(el) || closedRoots.get(el) || null;
  d.adopt = (inside) => {
    const root = d.getRootNode(inside);
    closedRoots.set(d.shadowHost(root), root);
  };
  d.adoptAll = (nodes) => { for (const node of nodes) d.adopt(node); };
  const either = (key, shadowProto = ShadowRoot.prototype) => {
    const [ofDocument, ofShadow] = [captured(Document.prototype, key), captured(shadowProto, key)];
    return (root, ...args) => (d.nodeType(root) === 9 ? ofDocument : ofShadow)(root, ...args);
  };
  d.activeElement = either('activeElement');
  d.elementFromPoint = either('elementFromPoint');
  d.getElementById = either('getElementById', DocumentFragment.prototype);
  const assignedNodes = captured(HTMLSlotElement.prototype, 'assignedNodes');

  const HTML = 'http://www.w3.org/1999/xhtml';
  const frameDocument = captured(HTMLIFrameElement.prototype, 'contentDocument');
  const oldFrameDocument = captured(HTMLFrameElement.prototype, 'contentDocument');

  d.isHtml = (el) => d.namespaceURI(el) === HTML;
  d.isTag = (el, name) => d.localName(el) === name && d.isHtml(el);
  d.style = (el) => getComputedStyle(el);
  d.isDrawn = (el) => d.checkVisibility(el, { visibilityProperty: true });

  /** Parent in the flat (composed) tree: slots and shadow hosts count as ancestors. */
  d.flatParent = (el) => {
    const parent = d.assignedSlot(el) || d.parentNode(el);
    const type = parent ? d.nodeType(parent) : 0;
    if (type !== 11) return type === 1 ? parent : null;
    try { return d.shadowHost(parent); } catch { return null; } // a plain fragment
  };
  d.isFrame = (el) => d.isTag(el, 'iframe') || d.isTag(el, 'frame');
  /** The document inside a frame element, or null when it is another origin's. */
  d.contentDocument = (el) => {
    if (!d.isFrame(el)) return null;
    try {
      const doc = (d.localName(el) === 'iframe' ? frameDocument : oldFrameDocument)(el);
      return doc && d.defaultView(doc) && d.documentElement(doc) ? doc : null;
    } catch { return null; }
  };
  /** The nodes a slot shows, or null when it shows its own fallback content. */
  d.slotContent = (el) => {
    const nodes = d.isTag(el, 'slot') ? assignedNodes(el) : null;
    return nodes?.length ? nodes : null;
  };

  /** Cuts to `max` UTF-16 units, never inside a pair. */
  d.cut = (text, max) => {
    let s = String(text ?? '');
    if (s.length > max) s = s.slice(0, /[\uD800-\uDBFF]/.test(s[max - 1]) ? max - 1 : max);
    return s.toWellFormed();
  };
  /** Collapses white space, drops invisible and direction-override characters. */
  d.clean = (text, max) => d.cut(
    d.cut(text, max * 8).replace(/[\u00AD\u200B\u2060\uFEFF\u202A-\u202E\u2066-\u2069]/g, '').replace(/\s+/g, ' ').trim(), max);

  /** The top frame of this world and a frame inside it: {doc, host, parent, label}. */
  d.top = { doc: document, host: null, parent: null, label: null };
  d.childFrame = (host, doc, parent) => ({
    doc, host, parent,
    label: d.clean(d.getAttribute(host, 'name') || d.getAttribute(host, 'id') || doc.URL, 120),
  });
  /** Whether a frame's document is still the one on show. */
  d.frameAlive = (frame) => !frame.host
    || (d.isConnected(frame.host) && d.contentDocument(frame.host) === frame.doc && d.frameAlive(frame.parent));

  const api = { _: { d } };
  /** Publishes a function that never throws: on an odd page it answers `fallback(error)`. */
  api._.expose = (name, fn, fallback) => {
    api[name] = (...args) => {
      try { return fn(...args); } catch (error) { return fallback(d.cut(error, 200)); }
    };
  };
  Object.defineProperty(globalThis, '__ghostcast', { value: api });
})();
