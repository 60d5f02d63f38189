"""What the pages tell of themselves during the soak: every trusted event, where and on what."""

OBSERVER = """<script>
(() => {
  const squeeze = (text) => (text || '').replace(/\\s+/g, ' ').trim().slice(0, 300);
  const value = (el) => el && ('value' in el && typeof el.value === 'string' ? el.value
    : el.isContentEditable ? el.innerText : null);
  const deep = (root = document) => {
    const el = root.activeElement;
    return el?.shadowRoot?.activeElement ? deep(el.shadowRoot) : el;
  };
  const names = (event) => event.composedPath().filter((el) => el.nodeType === 1).slice(0, 8).flatMap((el) => [
    el.getAttribute('aria-label'), el.labels?.[0]?.innerText, el.placeholder, el.title, el.value, el.innerText ?? el.textContent,
  ].map(squeeze)).filter(Boolean);
  const document_ = Date.now() + '-' + Math.random();
  let queue = [], going = false, count = 0;
  const send = () => {
    going = false;
    const events = queue;
    queue = [];
    fetch('/truth/{{run}}', {method: 'POST', keepalive: true, body: JSON.stringify({document: document_, count: ++count,
      url: location.href, active: value(deep()), events,
      fields: Array.from(document.querySelectorAll('input,textarea'), value).slice(0, 200)})});
  };
  const tell = (event) => {
    queue.push(event);
    if (!going) { going = true; setTimeout(send, 5); }
  };
  for (const type of ['pointerdown', 'pointerup', 'pointermove', 'drop', 'dragend']) {
    addEventListener(type, (event) => event.isTrusted && tell({type, x: event.clientX, y: event.clientY,
      button: event.button, names: type === 'pointerdown' ? names(event) : []}), true);
  }
  addEventListener('keydown', (event) => event.isTrusted && tell({type: 'keydown', key: event.key}), true);
  for (const type of ['input', 'change']) {
    addEventListener(type, (event) => {
      const [on] = event.composedPath();  // empty once the event is over
      setTimeout(() => tell({type, value: value(on)}), 0);
    }, true);
  }
  addEventListener('scroll', (event) => {
    const el = event.target === document ? document.scrollingElement : event.target;
    tell({type: 'scroll', x: Math.round(el.scrollLeft), y: Math.round(el.scrollTop)});
  }, true);
  addEventListener('error', (event) => tell({type: 'error', message: String(event.message)}));
  tell({type: 'ready'});
  setInterval(() => tell({type: 'alive'}), 500);
})();
</script>
"""
