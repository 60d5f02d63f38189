// permission_page.js: holds the page's asking for its place, notifications, a camera or a microphone until our world
// lets it go on. Runs in the page's own world, since calls of a page cannot be heard from ours; what comes of them is
// the browser's own answer. Where our world does not hold it, nothing is changed.
(() => {
  const { apply } = Reflect;
  const { dispatchEvent, addEventListener } = EventTarget.prototype;
  const [Asks, Held] = [CustomEvent, Promise];
  const { then } = Promise.prototype;
  const waiting = Object.create(null);
  let count = 0;
  apply(addEventListener, document, ['ghostcast-answered', (event) => {
    event.stopImmediatePropagation();
    const go = waiting[event.detail];
    delete waiting[event.detail];
    if (go) go();
  }, true]);

  /** What is fulfilled when it may go on; nothing where it is not held. */
  const held = (names) => {
    const number = ++count;
    const wait = new Held((done) => { waiting[number] = done; });
    const asks = new Asks('ghostcast-asks', { detail: `${number} ${names}`, cancelable: true });
    if (!apply(dispatchEvent, document, [asks])) return wait;
    delete waiting[number];
    return null;
  };
  const wrap = (owner, key, call) => {
    const property = owner && Object.getOwnPropertyDescriptor(owner, key);
    if (!property?.value) return;
    Object.defineProperty(owner, key, { ...property, value: new Proxy(property.value, { apply: call }) });
  };

  const places = globalThis.Geolocation?.prototype;
  /** What is held calls its function back, or fails, as the browser has it; the numbers of watches are ours until then. */
  const watches = Object.create(null);
  let watch = 1e6;
  const asksPlace = (self, [heard]) => self === navigator.geolocation && typeof heard === 'function';
  wrap(places, 'getCurrentPosition', (target, self, args) => {
    const wait = asksPlace(self, args) ? held('geolocation') : null;
    return wait ? void apply(then, wait, [() => apply(target, self, args)]) : apply(target, self, args);
  });
  wrap(places, 'watchPosition', (target, self, args) => {
    const wait = asksPlace(self, args) ? held('geolocation') : null;
    if (!wait) return apply(target, self, args);
    const number = ++watch;
    watches[number] = 0;
    apply(then, wait, [() => { if (number in watches) watches[number] = apply(target, self, args); }]);
    return number;
  });
  wrap(places, 'clearWatch', (target, self, args) => {
    const known = watches[args[0]];
    delete watches[args[0]];
    return apply(target, self, known ? [known] : args);
  });

  wrap(globalThis.Notification, 'requestPermission', (target, self, args) => {
    const wait = held('notifications');
    return wait ? apply(then, wait, [() => apply(target, self, args)]) : apply(target, self, args);
  });

  wrap(globalThis.MediaDevices?.prototype, 'getUserMedia', (target, self, args) => {
    const names = [args[0]?.video && 'camera', args[0]?.audio && 'microphone'].filter(Boolean).join(' ');
    const wait = names && self === navigator.mediaDevices ? held(names) : null;
    return wait ? apply(then, wait, [() => apply(target, self, args)]) : apply(target, self, args);
  });
})();
