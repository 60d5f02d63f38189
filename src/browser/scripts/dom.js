// dom.js: safe access to the DOM, the flat tree, the identity of elements and string hygiene.
//
// Runs in an isolated world of one document, so page scripts cannot reach these objects. Markup
// still can: `<form><input name="parentNode">` and `<img name="body">` shadow built-ins of forms and
// documents in every world, hence the accessors captured from the prototypes. Those throw "Illegal
// invocation" for an object of another kind: what may be one is looked at first.
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
  capture(Node.prototype, 'parentNode parentElement nodeType nodeValue textContent firstChild nextSibling isConnected ownerDocument baseURI getRootNode contains compareDocumentPosition');
  capture(Element.prototype, 'localName namespaceURI className firstElementChild nextElementSibling previousElementSibling childElementCount shadowRoot assignedSlot'
    + ' getAttribute getAttributeNames hasAttribute hasAttributes getElementsByTagName matches closest checkVisibility getBoundingClientRect getClientRects'
    + ' scrollIntoView scrollBy scrollTop scrollLeft scrollWidth scrollHeight clientWidth clientHeight clientTop clientLeft');
  capture(HTMLElement.prototype, 'focus isContentEditable innerText offsetWidth offsetHeight');
  capture(Document.prototype, 'documentElement body title readyState designMode defaultView scrollingElement execCommand hasFocus styleSheets adoptedStyleSheets'
    + ' createDocumentFragment createTreeWalker getAnimations');
  d.listen = captured(EventTarget.prototype, 'addEventListener');
  /**
   * Listens on the window, once more if it did: `document.open` takes listeners away, and in a window that goes on with
   * another document, as one that was opened empty does, those of before are there and hear nothing.
   */
  d.hearAll = (kinds, listener, options) => {
    for (const kind of kinds) {
      removeEventListener(kind, listener, options);
      addEventListener(kind, listener, options);
    }
  };
  /** Whatever it is given, such as the target of an event that a page has sent to itself. */
  d.isElement = (any) => { try { return d.nodeType(any) === 1; } catch { return false; } };
  d.labelControl = captured(HTMLLabelElement.prototype, 'control');
  const [anchorHref, areaHref] = [captured(HTMLAnchorElement.prototype, 'href'), captured(HTMLAreaElement.prototype, 'href')];
  d.linkHref = (el) => (d.localName(el) === 'area' ? areaHref : anchorHref)(el);
  d.shadowHost = captured(ShadowRoot.prototype, 'host');
  d.shadowFirst = captured(DocumentFragment.prototype, 'firstElementChild');
  /** Closed shadow roots, which only the debugger can hand over, by their hosts. */
  const closedRoots = new WeakMap();
  const openRoot = d.shadowRoot;
  d.shadowRoot = (el) => openRoot(el) || closedRoots.get(el) || null;
  /** The host of a shadow root; null of a plain fragment, which is a node of the same type. */
  const hostOf = (root) => { try { return d.shadowHost(root); } catch { return null; } };
  d.adopt = (inside) => {
    const root = d.getRootNode(inside);
    const host = hostOf(root); // none when the page has taken it out since it was found
    if (host) closedRoots.set(host, root);
  };
  /** Of a document or a shadow root; null of the root of what a page has taken out. */
  const either = (key, shadowProto = ShadowRoot.prototype) => {
    const [ofDocument, ofShadow] = [captured(Document.prototype, key), captured(shadowProto, key)];
    return (root, ...args) => {
      const type = d.nodeType(root);
      if (type === 9) return ofDocument(root, ...args);
      return type === 11 && (shadowProto !== ShadowRoot.prototype || hostOf(root)) ? ofShadow(root, ...args) : null;
    };
  };
  for (const key of ['querySelector', 'querySelectorAll']) {
    const ways = { 1: captured(Element.prototype, key), 9: captured(Document.prototype, key), 11: captured(DocumentFragment.prototype, key) };
    d[key] = (root, selector) => ways[d.nodeType(root)](root, selector);
  }
  d.activeElement = either('activeElement');
  d.elementFromPoint = either('elementFromPoint');
  d.getElementById = either('getElementById', DocumentFragment.prototype);
  const assignedNodes = captured(HTMLSlotElement.prototype, 'assignedNodes');

  const HTML = 'http://www.w3.org/1999/xhtml';
  d.isHtml = (el) => d.namespaceURI(el) === HTML;
  d.isTag = (el, name) => d.localName(el) === name && d.isHtml(el);
  d.style = (el) => getComputedStyle(el);
  /** What takes the text of an element that draws it itself; null of all others. */
  const { get: editContext } = Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'editContext') || {};
  d.editContext = (el) => (editContext && d.isHtml(el) ? editContext.call(el) : null);
  d.isDrawn = (el) => d.checkVisibility(el, { visibilityProperty: true });

  /** Parent in the flat (composed) tree: slots and shadow hosts count as ancestors. */
  d.flatParent = (el) => {
    const parent = (d.nodeType(el) === 1 && d.assignedSlot(el)) || d.parentNode(el);
    const type = parent ? d.nodeType(parent) : 0;
    if (type !== 11) return type === 1 ? parent : null;
    return hostOf(parent);
  };
  /** Whether `el` is `outer` or inside it in the flat tree. */
  d.isWithin = (el, outer) => {
    for (let at = el, i = 0; at && i < 2000; at = d.flatParent(at), i++) if (at === outer) return true;
    return false;
  };
  d.isFrame = (el) => d.isTag(el, 'iframe') || d.isTag(el, 'frame');
  /** The nodes a slot shows, or null when it shows its own fallback content. */
  d.slotContent = (el) => {
    const nodes = d.isTag(el, 'slot') ? assignedNodes(el) : null;
    return nodes?.length ? nodes : null;
  };
  /** The element that has the focus, through shadow roots; null when it is the page as a whole. */
  d.focused = () => {
    let at = d.activeElement(document);
    for (let depth = 0; at && depth < 64; depth++) {
      const root = d.shadowRoot(at);
      const inner = root && d.activeElement(root);
      if (!inner) break;
      at = inner;
    }
    return at === d.body(document) || at === d.documentElement(document) ? null : at;
  };

  /** Cuts to `max` UTF-16 units, never inside a pair. */
  d.cut = (text, max) => {
    let s = String(text ?? '');
    if (s.length > max) s = s.slice(0, /[\uD800-\uDBFF]/.test(s[max - 1]) ? max - 1 : max);
    return s.toWellFormed();
  };
  /** As `cut`, and a cut is said by an ellipsis, which counts. */
  d.brief = (text, max) => {
    const s = String(text ?? '');
    return s.length > max ? `${d.cut(s, max - 1).trimEnd()}…` : s.toWellFormed();
  };
  /** Collapses white space, drops invisible and direction-override characters; a cut is said. */
  d.clean = (text, max) => (text && text.length <= max && /^[!-~]+( [!-~]+)*$/.test(text) ? text : d.brief(
    d.cut(text, max * 8).replace(/[\u00AD\u200B\u2060\uFEFF\u202A-\u202E\u2066-\u2069]/g, '').replace(/\s+/g, ' ').trim(), max));

  /** Elements by a number of their own, from 1, which this document never gives again. */
  const ids = new WeakMap();
  const refs = new Map();
  let lastId = 0;
  const collected = new FinalizationRegistry((id) => refs.delete(id));
  function idOf(el) {
    let id = ids.get(el);
    if (!id) {
      ids.set(el, (id = ++lastId));
      refs.set(id, new WeakRef(el));
      collected.register(el, id);
    }
    return id;
  }
  /** The number of an element that has one already. */
  const knownId = (el) => ids.get(el);
  /** The element of a number, or null when it is gone or in another document now. */
  function node(id) {
    const el = refs.get(id)?.deref();
    return el && d.isConnected(el) && d.ownerDocument(el) === document ? el : null;
  }

  const api = { _: { d, idOf, knownId, node } };
  // In a document that has made way for another one, everything of the window is an illegal invocation.
  const own = document;
  const why = (error) => (d.defaultView(own) ? error : new Error('ghostcast: this document is gone'));
  /** Publishes a function: `__ghostcast.<name>(...)`. It throws what goes wrong. */
  api._.expose = (name, fn) => {
    api[name] = (...args) => {
      try {
        const made = fn(...args);
        return made instanceof Promise ? made.catch((error) => { throw why(error); }) : made;
      } catch (error) { throw why(error); }
    };
  };
  api._.expose('adopt', (insides) => { for (const inside of insides) d.adopt(inside); return insides.length; });
  api._.expose('ids', (elements) => elements.map(idOf));
  Object.defineProperty(globalThis, '__ghostcast', { value: api });
})();
