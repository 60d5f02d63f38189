// clipboard_page.js: tells our world what the page writes by navigator.clipboard. Runs in the page's
// own world, since calls of a page cannot be heard from ours; it changes nothing of what they do.
(() => {
  const proto = globalThis.Clipboard?.prototype;
  if (!proto) return;
  const { apply } = Reflect;
  const { dispatchEvent } = EventTarget.prototype;
  const Told = CustomEvent;
  const tell = (text) => apply(dispatchEvent, document, [new Told('ghostcast-copied', { detail: text })]);
  const told = (call, read) => new Proxy(call, {
    apply(target, self, args) {
      const done = apply(target, self, args);
      done.then(() => read(args)).then((text) => { if (typeof text === 'string') tell(text); }, () => {});
      return done;
    },
  });
  const wrap = (key, read) => {
    const property = Object.getOwnPropertyDescriptor(proto, key);
    if (property?.value) Object.defineProperty(proto, key, { ...property, value: told(property.value, read) });
  };
  wrap('writeText', ([text]) => String(text));
  wrap('write', async ([items]) => {
    for (const item of items) if (item.types.includes('text/plain')) return (await item.getType('text/plain')).text();
    return null;
  });
})();
