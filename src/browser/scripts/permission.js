// permission.js: what the page asks a person's permission for, told to the service, which lets it go on.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.letGoOn) return;
  const { d } = gc._;
  const NAMES = ['geolocation', 'notifications', 'camera', 'microphone'];
  const DEVICES = { camera: 'videoinput', microphone: 'audioinput' };
  const HELD_MAX = 8;
  /** The service answers before; what it never hears of is not held for ever. */
  const HELD_MS = 40_000;
  const held = new Set();

  /** A frame of another site asks in the name of the page, which is not told apart here. */
  function isPages() {
    try { return top.location.origin === location.origin; } catch { return false; }
  }

  /** Whether a browser with windows would ask: it is not decided yet, and there is something to permit. */
  async function isOpen(name) {
    const { state } = await navigator.permissions.query({ name });
    if (state !== 'prompt' || !DEVICES[name]) return state === 'prompt';
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.some(({ kind }) => kind === DEVICES[name]);
  }

  async function ask(number, names) {
    const open = [];
    for (const name of names) if (await isOpen(name).catch(() => false)) open.push(name);
    if (open.length === 0) return letGoOn(number);
    setTimeout(() => letGoOn(number), HELD_MS);
    try {
      globalThis.__ghostcastNotify(JSON.stringify({ kind: 'permission', number, names: open }));
    } catch { letGoOn(number); }
    return undefined;
  }

  /** Lets the page go on with what it has asked for. */
  function letGoOn(number) {
    if (!held.delete(number)) return false;
    document.dispatchEvent(new CustomEvent('ghostcast-answered', { detail: number }));
    return true;
  }

  d.listen(document, 'ghostcast-asks', (event) => {
    event.stopImmediatePropagation();
    const [number, ...names] = String(event.detail).split(' ');
    const known = names.filter((name) => NAMES.includes(name));
    if (held.size >= HELD_MAX || known.length === 0 || !isPages()) return;
    event.preventDefault();
    held.add(Number(number));
    void ask(Number(number), known);
  }, true);

  gc._.expose('letGoOn', letGoOn);
})();
