// Draws in an empty page of our own, and answers where: [left, top, width, height], whole px. Texts of pages
// become text and nothing else.
(what, screen, picture) => {
  const SHADOW = 20, GAP = 2, EDGE = 8;
  const make = (style, ...inside) => {
    const el = document.createElement('div');
    el.style.cssText = style;
    el.append(...inside);
    return el;
  };
  const lines = (count) => `display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:${count};overflow:hidden;`
    + 'overflow-wrap:anywhere;';
  const line = 'overflow:hidden;text-overflow:ellipsis;white-space:nowrap;';
  const card = (style, ...inside) => make('position:absolute;box-sizing:border-box;background:#fff;color:#1f2328;'
    + `border:1px solid #8c959f;box-shadow:0 3px 10px rgba(0,0,0,.35);font:14px/20px sans-serif;${style}`, ...inside);
  const button = (text, isMain) => make('padding:6px 22px;border-radius:16px;border:1px solid #1a73e8;'
    + (isMain ? 'background:#1a73e8;color:#fff' : 'background:#fff;color:#1a73e8'), text);
  const buttons = (...all) => make('display:flex;justify-content:flex-end;gap:8px;margin-top:16px', ...all);

  function dialog({ origin, info }) {
    const { type: kind, message, default_value: value } = info;
    const isLeaving = kind === 'beforeunload';
    const title = isLeaving ? 'Leave this page?' : `${origin || 'This page'} says`;
    const text = isLeaving ? message || 'Changes that you made may not be saved.' : message;
    const width = Math.min(448, screen.width - 2 * EDGE);
    const all = [make(`${lines(2)}font-weight:600;font-size:15px;margin-bottom:8px`, title)];
    all.push(make(`${lines(Math.max(1, Math.min(10, Math.floor((screen.height - 190) / 20))))}white-space:pre-wrap`, text));
    if (kind === 'prompt') {
      all.push(make(`${line}margin-top:12px;padding:5px 8px;min-height:20px;border:2px solid #1a73e8;border-radius:4px`, value || ''));
    }
    const yes = button(isLeaving ? 'Leave' : 'OK', true);
    all.push(kind === 'alert' ? buttons(yes) : buttons(yes, button(isLeaving ? 'Stay' : 'Cancel')));
    return card(`left:${Math.floor((screen.width - width) / 2)}px;top:${EDGE}px;width:${width}px;padding:18px 20px;border-radius:10px`, ...all);
  }

  function choice({ list }) {
    const more = (count) => make('padding:1px 10px;color:#59636e', count === 1 ? '1 more' : `${count} more`);
    const all = list.labels.map((label, at) => make(
      `${line}padding:1px 10px;min-height:20px;${list.marked.includes(at) ? 'background:#1a73e8;color:#fff' : ''}`, label));
    if (list.above) all.unshift(more(list.above));
    if (list.below) all.push(more(list.below));
    return card('padding:4px 0', ...all);
  }

  function files({ names }) {
    const SHOWN = 5;
    const all = [make('font-weight:600;margin-bottom:6px', names.length === 1 ? 'Open this file' : `Open ${names.length} files`)];
    all.push(...names.slice(0, SHOWN).map((name) => make(`${line}padding:2px 8px;background:#ddf4ff;margin-bottom:2px`, name)));
    if (names.length > SHOWN) all.push(make('padding:2px 8px;color:#59636e', `${names.length - SHOWN} more`));
    all.push(buttons(button('Open', true)));
    return card('width:300px;padding:14px 16px;border-radius:10px', ...all);
  }

  function badge({ who }) {
    const said = who === 'somebody' ? 'Somebody drives' : `${who} drives`;
    const dot = make('flex:none;width:8px;height:8px;border-radius:4px;background:#f0883e');
    return make(`position:absolute;left:${EDGE}px;bottom:${EDGE}px;display:flex;align-items:center;gap:6px;box-sizing:border-box;`
      + `max-width:${Math.min(260, screen.width - 2 * EDGE)}px;padding:3px 9px;border-radius:11px;background:rgba(13,17,23,.78);`
      + 'color:#f0f6fc;font:12px/16px sans-serif', dot, make(line, said));
  }

  /** Below the element, or above it where there is more room; within the picture. */
  function beside(el, [left, top, width, height]) {
    el.style.minWidth = `${Math.min(Math.max(width, 80), screen.width - 2 * EDGE)}px`;
    el.style.maxWidth = `${Math.min(Math.max(width, 420), screen.width - 2 * EDGE)}px`;
    const { width: w, height: h } = el.getBoundingClientRect();
    const below = top + height + GAP, above = top - GAP - h;
    const y = below + h <= screen.height || above < 0 ? below : above;
    el.style.left = `${Math.max(0, Math.min(left, screen.width - w))}px`;
    el.style.top = `${Math.max(0, Math.min(y, screen.height - h))}px`;
  }

  const style = document.documentElement.style;
  style.cssText = 'overflow:hidden';
  style.background = picture ? `url(data:image/png;base64,${picture}) 0 0 / ${screen.width}px ${screen.height}px no-repeat` : 'transparent';
  document.body.style.cssText = 'margin:0;min-height:100vh';
  const el = { dialog, choice, files, badge }[what.is](what);
  document.body.replaceChildren(el);
  if (what.area) beside(el, what.area);
  const { left, top, right, bottom } = el.getBoundingClientRect();
  const from = (at) => Math.max(0, Math.floor(at - SHADOW));
  const [x, y] = [from(left), from(top)];
  const drawn = [x, y, Math.min(screen.width, Math.ceil(right + SHADOW)) - x, Math.min(screen.height, Math.ceil(bottom + SHADOW)) - y];
  if (!picture) return drawn;
  // What lies in the background is decoded before it is looked at.
  const image = new Image();
  image.src = `data:image/png;base64,${picture}`;
  return image.decode().then(() => drawn);
}
