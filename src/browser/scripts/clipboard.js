// clipboard.js: a clipboard of the session's own, though Chromium has one for the whole process.
//
// What a page copies is told to the service, whichever way it copies. What is pasted is let through
// only when it is what this session holds; otherwise the page gets what the session holds instead.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.holdClipboard) return;
  const { d } = gc._;
  const MAX = 1000000;
  const CHANNEL = 'ghostcast-copied';
  let held = '';
  let isOffering = false;

  /** @param {string} text  what a paste gives here from now on */
  function hold(text) { held = text; return true; }
  function copied(text) {
    if (typeof text !== 'string' || text.length > MAX) return;
    held = text.toWellFormed();
    try { globalThis.__ghostcastNotify(JSON.stringify({ kind: 'copied', text: held })); } catch { /* nobody listens */ }
  }

  /** What is selected, as Chromium copies it. */
  function selected() {
    const at = d.focused();
    if (at && (d.isTag(at, 'input') || d.isTag(at, 'textarea')) && at.selectionStart !== null && at.selectionStart !== at.selectionEnd) {
      return at.type === 'password' ? null : at.value.slice(at.selectionStart, at.selectionEnd);
    }
    return String(getSelection() ?? '') || null;
  }
  /** The page's own listeners may put something else on the clipboard: they are heard out, wherever they stop the event. */
  function onCopy(event) {
    if (!event.isTrusted || isOffering) return;
    const before = selected();
    let seen = null;
    const look = () => {
      seen = event.defaultPrevented ? event.clipboardData?.getData('text/plain') || null : before;
    };
    for (const at of [...event.composedPath()]) d.listen(at, event.type, look, { once: true });
    look();
    setTimeout(() => { if (seen !== null) copied(seen); }, 0);
  }
  /** A paste of what another session has copied is none of this one's. */
  function onPaste(event) {
    if (!event.isTrusted) return;
    const given = event.clipboardData?.getData('text/plain') ?? '';
    if (same(given) === same(held) && (held !== '' || !event.clipboardData?.types.length)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (held === '') return;
    const data = new DataTransfer();
    data.setData('text/plain', held);
    const own = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true, composed: true });
    const target = event.composedPath()[0];
    if (EventTarget.prototype.dispatchEvent.call(target, own)) d.execCommand(document, 'insertText', false, held);
  }
  const same = (text) => text.replace(/\r\n?/g, '\n');

  /**
   * Puts what the session holds on Chromium's clipboard, so that a paste by keys is the browser's own.
   * @returns {boolean} whether it is there
   */
  function offer(text) {
    held = text;
    if (!d.hasFocus(document)) return false;
    let done = false;
    const put = (event) => {
      event.stopImmediatePropagation();
      event.preventDefault();
      event.clipboardData.setData('text/plain', text);
      done = true;
    };
    addEventListener('copy', put, true);
    isOffering = true;
    try { d.execCommand(document, 'copy'); } finally {
      removeEventListener('copy', put, true);
      isOffering = false;
    }
    return done;
  }

  for (const type of ['copy', 'cut']) addEventListener(type, onCopy, true);
  addEventListener('paste', onPaste, true);
  // What pages write by navigator.clipboard, told by our script in their own world; a page that
  // pretends can do no more than copy, for which it needs a person's press all the same.
  d.listen(document, CHANNEL, (event) => {
    event.stopImmediatePropagation();
    if (navigator.userActivation?.hasBeenActive) copied(event.detail);
  }, true);

  gc._.expose('holdClipboard', hold);
  gc._.expose('offerClipboard', offer);
})();
