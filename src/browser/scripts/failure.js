// failure.js: what stands on Chromium's page for a document that could not be loaded.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.writeFailure) return;
  /**
   * Fills that page, which is white by itself; on any other one nothing is done.
   * @param {string} url  what was asked for @param {string} why
   * @returns {boolean} whether it says so now
   */
  gc._.expose('writeFailure', (url, why) => {
    if (location.protocol !== 'chrome-error:' || window !== top) return false;
    // What is still parsed would come after it.
    if (document.readyState === 'loading' || !document.body) return false;
    const make = (tag, style, ...inside) => {
      const el = document.createElement(tag);
      el.style.cssText = style;
      el.append(...inside);
      return el;
    };
    const wrap = 'margin:0 0 20px;overflow-wrap:anywhere';
    const page = make('main', 'max-width:640px;margin:12vh auto 0;padding:0 32px',
      make('h1', 'font-size:26px;line-height:34px;margin:0 0 20px', 'This page could not be loaded'),
      make('p', `${wrap};font-family:monospace`, url),
      make('p', wrap, why));
    document.documentElement.style.background = '#f0f2f5';
    document.body.style.cssText = 'margin:0;background:none;color:#1f2328;font:18px/26px sans-serif';
    document.body.replaceChildren(page);
    return true;
  });
})();
