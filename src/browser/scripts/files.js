// files.js: fields that take files.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.fileField) return;
  const { d, names, node, idOf } = gc._;
  const isFileField = (el) => d.isTag(el, 'input') && el.type === 'file';
  const filesOf = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'files').get;

  /** The field that an element is, labels or wraps; null for a button in front of one. */
  function fieldOf(el) {
    const subject = names.subject(el);
    if (isFileField(subject)) return subject;
    if (/^(button|a)$/.test(d.localName(subject))) return null;
    const inside = Array.from(d.querySelectorAll(subject, 'input[type=file]'));
    return inside.length === 1 ? inside[0] : null;
  }
  const about = (el) => ({ is: 'field', node: idOf(el), multiple: el.multiple, directory: Boolean(el.webkitdirectory), accept: d.cut(el.accept, 300) });

  /** @returns {{is:'gone'}|{is:'other'}|{is:'field', node, multiple, directory, accept}} other: a click may open the chooser */
  function fileField(id) {
    const el = node(id);
    if (!el) return { is: 'gone' };
    const field = fieldOf(el);
    return field ? about(field) : { is: 'other' };
  }
  gc._.expose('fileField', fileField);
  /** The same for the field that a chooser was opened for. */
  gc._.expose('fileFieldOf', ([el]) => (el && isFileField(el) ? about(el) : { is: 'gone' }));
  /** The element itself, for Chromium. */
  gc._.expose('element', (id) => node(id));
  const tell = (el) => Array.from(filesOf.call(el)).map(({ name, type, size }) => ({ name, type, size }));
  /** What the page heard last, since many pages empty the field as soon as they have taken its files. */
  let heard = [];
  addEventListener('change', (event) => {
    const at = event.composedPath()[0];
    if (at && d.nodeType(at) === 1 && isFileField(at)) heard = tell(at);
  }, true);
  /** @returns {{now:object[]|null, heard:object[]}} what a field holds, null when it is gone, and what the page heard of */
  gc._.expose('heldFiles', (id) => {
    const el = node(id);
    return { now: el && isFileField(el) ? tell(el) : null, heard };
  });
  /** Says that nothing was chosen, as a chooser does that is closed. */
  gc._.expose('leaveFiles', (id) => {
    const el = node(id);
    if (el && isFileField(el)) EventTarget.prototype.dispatchEvent.call(el, new Event('cancel', { bubbles: true }));
    return true;
  });
  gc._.expose('forgetFiles', () => { heard = []; return true; });
})();
