// hears_page.js: whether the page listens for single keys, or for single changes, where the focus is. Runs in the
// page's own world, whose listeners Chromium tells there alone.
(() => {
  const KEYS = ['keydown', 'keypress', 'keyup', 'beforeinput', 'input', 'textInput', 'compositionstart', 'compositionend'];
  let field = document.activeElement;
  while (field && field.shadowRoot && field.shadowRoot.activeElement) field = field.shadowRoot.activeElement;
  // In a closed shadow root nobody sees who listens.
  if (!field || !/^(input|textarea)$/.test(field.localName)) return true;
  const path = [window];
  for (let at = field; at; at = at.assignedSlot || at.parentNode || at.host) path.push(at);
  return path.some((at) => { const heard = getEventListeners(at); return KEYS.some((key) => heard[key]); });
})()
