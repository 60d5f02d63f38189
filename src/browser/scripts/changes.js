// changes.js: what a person would notice between before and after an action.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.changes) return;
  const { d, geometry: geo, names, node, idOf } = gc._;
  const MAX_TOLD = 8;
  const MAX_LIVE = 60;
  const MAX_RECORDS = 500;
  const MAX_WRITTEN = 200;
  /** What the line of a terminal begins with, before and while there is more on it. */
  const PROMPT = /[$>#%❯»]\s*$/;
  const PROMPTED = /^[^\n]{0,80}[$>#%❯»]\s/;
  const TEXT_MAX = 200;
  const DRAG_END_MS = 600;
  /** What a person has switched or chosen is looked at for so long: pages that do not take it put it back. */
  const HOLDS_MS = 250;
  const SWITCHES = /^(checkbox|radio|switch|menuitemcheckbox|menuitemradio)$/;
  const ENDS_MS = 10000; // after which an action that was told of is no longer asked about
  /** What may be noticed, in one walk of the document; what it is, is told apart afterwards. */
  const NOTABLE = '[role],[aria-live],output,dialog,[aria-modal],[popover],[aria-invalid]';
  const KINDS = {
    live: '[role=alert],[role=status],[role=log],[aria-live]:not([aria-live=off]),output',
    front: 'dialog[open],[role=dialog],[role=alertdialog],[aria-modal=true]',
    menu: '[role=menu],[role=listbox],[role=tooltip],[popover]',
    bad: '[aria-invalid]:not([aria-invalid=false])',
  };
  const WAYS_MAX = 3;
  const LEAVES = /location\s*=|location\.(href\s*=|assign|replace|reload)|\.submit\(|requestSubmit\(/;
  const LATER = /setTimeout|setInterval|addEventListener|onload|then\(|await /;
  const UNSEEN = new Set(['script', 'style', 'link', 'meta', 'head', 'title', 'base', 'noscript', 'template']);
  /** Where a thing lies says little: what moves by itself is moved by these. */
  const MOVES = /^\s*(transform|translate|rotate|scale|left|top|right|bottom|background-position)\s*:/i;

  /** The state when the action began, and what came since. */
  let since = null;
  const watcher = new MutationObserver((records) => since && count(records));

  const drawn = (el) => d.isDrawn(el) && geo.area(geo.fromDom(d.getBoundingClientRect(el))) > 1;
  const all = (selector) => (d.documentElement(document) ? Array.from(d.querySelectorAll(d.documentElement(document), selector)) : []);
  let notable = [];
  let notableOf = -1;
  /** Elements of a kind. The walk is spared while nothing was added, taken away or given another role. */
  function those(kind) {
    const version = gc._.domVersion();
    if (version !== notableOf) {
      notable = [];
      for (const root of [document, ...gc._.shadowRoots()]) notable.push(...d.querySelectorAll(root, NOTABLE));
      notableOf = version;
    }
    return notable.filter((el) => d.matches(el, KINDS[kind]));
  }
  const textOf = (el) => names.textOf(el, undefined, TEXT_MAX);
  const inWords = (el) => {
    const [role, name] = [names.role(el), names.label(el)];
    return `the ${role === 'generic' ? 'part' : role}${name ? ` "${d.brief(name, 80)}"` : ''}`;
  };
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  const offset = (el) => ({ x: geo.round(d.scrollLeft(el)), y: geo.round(d.scrollTop(el)) });
  const range = (el) => ({ max_x: Math.max(0, d.scrollWidth(el) - d.clientWidth(el)), max_y: Math.max(0, d.scrollHeight(el) - d.clientHeight(el)) });
  const root = () => d.scrollingElement(document) || d.documentElement(document);

  /** What a field or a switch holds, to compare; and whether it may be told. */
  function held(el) {
    if (!el) return null;
    if (d.isHtml(el) && names.isPassword(el)) return { raw: String(el.value), told: null };
    const told = names.checked(el) ?? state(el) ?? names.value(el, TEXT_MAX) ?? null;
    const files = d.isTag(el, 'input') && el.type === 'file' ? Array.from(el.files || [], (file) => `${file.name}:${file.size}:${file.lastModified}`).join('|') : '';
    const raw = d.isTag(el, 'input') || d.isTag(el, 'textarea') ? `${el.value}|${el.checked}|${el.indeterminate}|${files}` : JSON.stringify(told);
    return { raw, told };
  }
  function state(el) {
    for (const key of ['aria-pressed', 'aria-selected', 'aria-expanded']) {
      const value = d.getAttribute(el, key);
      if (value === 'true' || value === 'false') return value === 'true';
    }
    return undefined;
  }

  /** From now on, what changes is told. @param {Element|null} el  what the action is done to */
  function mark(el) {
    const focus = d.focused();
    const subject = el ? names.subject(el) : null;
    since = {
      el, subject, focus, title: d.title(document), fields: new Map(), offset: offset(root()), scrolls: new Map(), live: new Map(), fronts: new Set(), menus: new Set(),
      mutations: 0, inputs: new Set(), invalid: new Map(), submitted: new Set(), marked: new Set(), written: new Map(), switched: new Map(), leads: [], isOver: false,
    };
    for (const field of [subject, focus]) if (field) since.fields.set(field, held(field));
    for (const live of those('live').slice(0, MAX_LIVE)) since.live.set(live, drawn(live) ? textOf(live) : '');
    for (const front of those('front')) if (drawn(front)) since.fronts.add(front);
    for (const menu of those('menu')) if (drawn(menu)) since.menus.add(menu);
    for (const bad of those('bad')) since.marked.add(bad);
    for (const at of el ? gc._.locating.upwards(el) : []) {
      if (d.scrollHeight(at) > d.clientHeight(at) || d.scrollWidth(at) > d.clientWidth(at)) since.scrolls.set(at, offset(at));
    }
    watcher.disconnect();
    const options = { subtree: true, childList: true, characterData: true, attributes: true, attributeOldValue: true };
    watcher.observe(document, options);
    for (const shadow of shadowsAround(el)) {
      watcher.observe(shadow, options);
      // What is said of a field does not leave its shadow tree.
      for (const kind of ['invalid', 'submit', 'change']) d.listen(shadow, kind, hear, { capture: true, passive: true });
    }
    listen();
    return { scroll: since.offset };
  }
  function* shadowsAround(el) {
    for (let at = el, i = 0; at && i < 32; i++) {
      const tree = d.getRootNode(at);
      if (d.nodeType(tree) !== 11) return;
      yield tree;
      try { at = d.shadowHost(tree); } catch { return; }
    }
  }

  function count(records) {
    for (let i = 0; i < Math.min(records.length, MAX_RECORDS) && since.mutations < 50; i++) {
      if (!matters(records[i])) continue;
      since.mutations++;
      noteWriting(records[i]);
    }
  }
  /** Keeps what an element said before it was written into, as far as the first record tells. */
  function noteWriting({ type, target, oldValue, removedNodes }) {
    const el = d.nodeType(target) === 1 ? target : d.parentNode(target);
    if (type === 'attributes' || !el || since.written.size >= MAX_WRITTEN || since.written.has(el)) return;
    since.written.set(el, type === 'characterData' ? oldValue : Array.from(removedNodes, d.textContent).join(''));
  }
  /** Whether the page has written just this text since elsewhere than in `field`: by itself, or on a line with a prompt. */
  function writes(text, field) {
    if (!since) return false;
    count(watcher.takeRecords());
    const wanted = d.clean(text, TEXT_MAX);
    for (const [el, before] of since.written) {
      if (d.nodeType(el) !== 1 || !d.isDrawn(el) || d.isWithin(el, field) || d.matches(el, KINDS.live)) continue;
      const now = d.clean(d.textContent(el), 2 * TEXT_MAX);
      if (now === wanted) return true;
      const head = now.endsWith(wanted) ? now.slice(0, -wanted.length) : null;
      if (head !== null && (PROMPT.test(head) || (head.trim() === d.clean(before, 2 * TEXT_MAX) && isPrompted(el)))) return true;
    }
    return false;
  }
  function isPrompted(el) {
    for (let at = el, i = 0; at && i < 3; at = d.flatParent(at), i++) if (PROMPTED.test(d.textContent(at).trim())) return true;
    return false;
  }
  function matters({ type, target, attributeName, oldValue, addedNodes, removedNodes }) {
    const el = d.nodeType(target) === 1 ? target : d.parentNode(target);
    if (el && d.nodeType(el) === 1 && UNSEEN.has(d.localName(el))) return false;
    if (gc._.isRestless(target)) return false;
    if (type === 'childList') return [...addedNodes, ...removedNodes].some((n) => d.nodeType(n) === 3 || (d.nodeType(n) === 1 && !UNSEEN.has(d.localName(n))));
    if (type === 'characterData') return true;
    const now = d.getAttribute(target, attributeName);
    if (now === oldValue) return false;
    return attributeName !== 'style' || resting(now) !== resting(oldValue);
  }
  const resting = (style) => (style || '').split(';').filter((rule) => rule.trim() && !MOVES.test(rule)).map((rule) => rule.trim()).sort().join(';');

  const realTarget = (event) => event.composedPath()[0];
  const HEARD = {
    input: (event) => noteInput(realTarget(event)),
    change: (event) => noteInput(realTarget(event)),
    invalid: (event) => { if (event.isTrusted) since.invalid.set(realTarget(event), d.cut(realTarget(event).validationMessage, TEXT_MAX)); },
    submit: (event) => { since.submitted.add(realTarget(event)); if (event.isTrusted) lead(event); },
    click: (event) => lead(event),
  };
  /** A switch says here what was made of it by hand: the page hears of it after this. */
  function noteInput(field) {
    since.inputs.add(field);
    if (since.fields.has(field) && isSwitch(field)) since.switched.set(field, held(field).raw);
  }
  /** An event forgets its way when it has arrived; whether the page lets it go on shows only then. */
  const lead = (event) => { if (since.leads.length < MAX_TOLD) since.leads.push({ event, path: event.composedPath() }); };
  /** Pages send events of these names to the window and to objects of their own, too. */
  const hear = (event) => { if (since && d.isElement(realTarget(event))) HEARD[event.type](event); };
  const listen = () => d.hearAll(Object.keys(HEARD), hear, { capture: true, passive: true });

  /** The fields for whose sake the browser stopped a form. */
  function stopped() {
    const fields = [];
    for (const [field, message] of since.invalid) {
      const form = field.form;
      if (form && since.submitted.has(form)) continue;
      fields.push({ field, form, message });
    }
    const isSubmit = since.subject && /^(input|button)$/.test(d.localName(since.subject)) && /^(submit|image)$/.test(since.subject.type);
    const isTold = fields.some(({ field, form }) => d.focused() === field || (isSubmit && form && since.subject.form === form));
    return isTold ? fields.slice(0, MAX_TOLD).map(({ field, message }) => ({ node: idOf(field), role: names.role(field), name: names.name(field), message })) : [];
  }

  function told(kind, text, el) { return { kind, text: d.brief(text, TEXT_MAX + 60), node: el ? idOf(el) : null }; }

  function* notices() {
    for (const live of those('live').slice(0, MAX_LIVE)) {
      const now = drawn(live) ? textOf(live) : '';
      if (!now || now === since.live.get(live) || gc._.isRestless(live)) continue;
      const urgent = d.getAttribute(live, 'role') === 'alert' || d.getAttribute(live, 'aria-live') === 'assertive';
      yield told(urgent ? 'alert' : 'status', `The page says: "${now}"`, null);
    }
    for (const bad of those('bad')) {
      if (since.marked.has(bad) || !d.isDrawn(bad)) continue;
      const why = whyBad(bad);
      yield told('validation', `${capital(inWords(bad))} is marked as not valid${why ? `: "${why}"` : ''}.`, bad);
    }
    yield* openings('front', since.fronts, 'dialog');
    yield* openings('menu', since.menus, 'menu');
  }
  function whyBad(el) {
    const ids = `${d.getAttribute(el, 'aria-errormessage') || ''} ${d.getAttribute(el, 'aria-describedby') || ''}`.trim();
    return ids ? d.clean(ids.split(/\s+/).slice(0, 3).map((id) => d.getElementById(d.getRootNode(el), id)).filter(Boolean).map(textOf).join(' '), TEXT_MAX) : '';
  }
  function* openings(which, before, kind) {
    const now = new Set(those(which).filter(drawn));
    for (const el of now) if (!before.has(el)) yield told(kind, `${capital(inWords(el))} opened${kind === 'dialog' ? saying(el) : ''}.`, el);
    for (const el of before) if (!now.has(el)) yield told(kind, `${capital(inWords(el))} closed.`, null);
  }
  const saying = (el) => { const text = textOf(el); return text && text !== names.name(el) ? `: "${d.brief(text, 120)}"` : ''; };

  function valueEffect() {
    const changed = [];
    for (const [field, before] of since.fields) {
      const after = d.isConnected(field) ? held(field) : before;
      if (after.raw !== before.raw) changed.push({ field, before: before.told, after: after.told });
    }
    for (const field of since.inputs) {
      if (since.fields.has(field) || d.nodeType(field) !== 1) continue;
      changed.push({ field, before: null, after: held(field)?.told ?? null });
    }
    return changed;
  }
  const isSwitch = (el) => SWITCHES.test(names.role(el)) || d.isTag(el, 'select') || (d.isTag(el, 'input') && el.type === 'file') || d.hasAttribute(el, 'aria-pressed');
  /** What was switched or chosen, as long as it holds. */
  function switched() {
    const all = valueEffect().filter(({ field }) => since.fields.has(field) && isSwitch(field));
    for (const { field } of all) since.switched.set(field, held(field).raw);
    return all;
  }
  /** Fields that were switched or changed by hand, and hold again what they held. */
  function* takenBack() {
    for (const [field, before] of since.fields) {
      const last = since.switched.get(field);
      if (last === undefined || last === before.raw || !d.isConnected(field)) continue;
      const now = held(field);
      if (now.raw === before.raw) yield told('value', `${capital(inWords(field))} was changed, and the page changed it back: it holds ${JSON.stringify(now.told)}.`, field);
    }
  }
  function scrollEffect() {
    const at = offset(root());
    if (at.x !== since.offset.x || at.y !== since.offset.y) return { before: since.offset, after: { ...at, ...range(root()) } };
    for (const [el, before] of since.scrolls) {
      const now = offset(el);
      if (d.isConnected(el) && (now.x !== before.x || now.y !== before.y)) return { before, after: { ...now, ...range(el) } };
    }
    return null;
  }
  function focusEffect() {
    const now = d.focused();
    if (now === since.focus) return null;
    const brief = (el) => el && { role: names.role(el), name: names.label(el) };
    return { before: brief(since.focus), after: brief(now), node: now ? idOf(now) : null };
  }

  /**
   * What has changed since the mark.
   * @returns {null|{page:boolean, value:object|null, focus:object|null, scroll:object|null, stopped:object[], told:object[]}}
   */
  function changes() {
    if (!since) return null;
    count(watcher.takeRecords());
    const list = [];
    for (const notice of notices()) if (list.length < MAX_TOLD) list.push(notice);
    const fields = valueEffect();
    for (const { field, after } of fields.slice(0, 3)) {
      if (after !== null && typeof after !== 'object') list.push(told('value', `${capital(inWords(field))} holds ${JSON.stringify(after)} now.`, field));
    }
    list.push(...takenBack());
    const focus = focusEffect();
    if (focus?.after && !d.isFrame(d.focused())) list.push(told('focus', `The focus is on ${inWords(d.focused())} now.`, d.focused()));
    return {
      page: since.mutations > 0 || list.some(({ kind }) => kind !== 'focus' && kind !== 'value'),
      value: fields.length ? { before: fields[0].before, after: fields[0].after } : null,
      focus, scroll: scrollEffect(), stopped: stopped(), told: list, leads: since.leads.map(leadsTo).find(Boolean) || null,
    };
  }
  /** Nobody asks any more. */
  function end(one) {
    if (since !== one) return;
    watcher.disconnect();
    since = null;
  }

  /** Where a click or a submission leads that the page has not kept from it: 'away', 'file' or null. */
  function leadsTo({ event, path: way }) {
    if (event.defaultPrevented) return null;
    const path = way.filter(d.isElement);
    if (event.type === 'submit') {
      const form = path[0];
      return form && !/^dialog$/i.test(d.getAttribute(form, 'method') || '') && staysHere(d.getAttribute(form, 'target')) ? 'away' : null;
    }
    const link = path.find((el) => /^(a|area)$/.test(d.localName(el)) && d.hasAttribute(el, 'href'));
    if (!link || event.button !== 0) return null;
    if (d.hasAttribute(link, 'download')) return 'file';
    const [to, here] = [String(link.href), location.href.split('#')[0]];
    const isAway = /^(https?|file|data|blob|about):/i.test(to) && !(to.includes('#') && to.split('#')[0] === here);
    return isAway && staysHere(d.getAttribute(link, 'target')) ? 'away' : null;
  }
  const staysHere = (target) => !target || /^_(self|top|parent)$/i.test(target);

  /** A press gives what is pressed the focus: to a field that is what it is for, to a button it is nothing. */
  function hasItself() {
    const at = d.focused();
    return Boolean(at && since.el) && !names.isEditable(at) && (at === since.subject || d.isWithin(since.el, at) || d.isWithin(at, since.el));
  }
  /** A title may tick by itself, and so is no effect that is told; whoever waits for one need not wait longer. */
  const hasOtherTitle = () => d.title(document) !== since.title;
  const isNothing = (seen) => !seen || !(seen.page || hasOtherTitle() || seen.value || (seen.focus && !hasItself()) || seen.scroll || seen.stopped.length);

  /**
   * At rest after input: what the press landed on, what has changed, and the page's state.
   * @param {number} [patienceMs]  how long a change is waited for where there is none at once
   * @param {number|null} [field]  the number of a field that is told of as well
   */
  async function after(quietMs, maxMs, patienceMs = 0, field = null) {
    const start = performance.now();
    let quiet = await gc.quiet(quietMs, maxMs);
    const until = start + Math.min(patienceMs, maxMs);
    while (since && !gc._.press.isBlocked() && isNothing(changes()) && performance.now() < until) {
      await gc._.frames.next();
      if (!isNothing(changes())) quiet = await gc.quiet(quietMs, maxMs);
    }
    const holds = start + Math.min(patienceMs && HOLDS_MS, maxMs);
    while (since && switched().length && performance.now() < holds) await gc._.frames.next();
    if (patienceMs && since && scrollEffect()) await glide(start + maxMs);
    while (gc._.press.isDragging() && performance.now() - start < DRAG_END_MS) await gc._.frames.next();
    const out = { ...quiet, is_closing: window.closed, pressed: gc._.press.pressed(), changes: changes(), state: gc.state(), field: field && gc.typed(field) };
    if (since && !since.isOver) {
      since.isOver = true;
      setTimeout(end, ENDS_MS, since);
    }
    return out;
  }
  /** Until what scrolls stands still in three frames. */
  async function glide(until) {
    for (let still = 0, before = scrollEffect()?.after; still < 2 && performance.now() < until;) {
      await gc._.frames.next();
      const now = scrollEffect()?.after;
      still = before?.x === now?.x && before?.y === now?.y ? still + 1 : 0;
      before = now;
    }
  }
  /** Seconds after which the document sends the page elsewhere by markup, if it does. */
  function refreshWithin() {
    const meta = all('meta[http-equiv]').find((el) => /^refresh$/i.test(d.getAttribute(el, 'http-equiv')));
    const match = meta && /^\s*(\d+(?:\.\d+)?)\s*[;,]\s*\S/.exec(d.getAttribute(meta, 'content') || '');
    return match ? Number(match[1]) : null;
  }

  /**
   * How long the document may still send the page elsewhere by itself: by markup within a second, or by a
   * script, where there is hardly anything else to do on it. Milliseconds; 0 when it is there to stay.
   */
  function passing() {
    const seconds = refreshWithin();
    if (seconds !== null && seconds <= 1) return Math.round(seconds * 1000) + 500;
    if (all('a[href],button,input:not([type=hidden]),select,textarea').length > WAYS_MAX) return 0;
    const scripts = all('script');
    const text = scripts.map((el) => d.cut(d.textContent(el), 20000)).join('\n') + (d.getAttribute(d.body(document) || d.documentElement(document), 'onload') || '');
    if (LEAVES.test(text)) return LATER.test(text) ? 1200 : 100;
    return scripts.some((el) => d.hasAttribute(el, 'src')) && !textOf(d.documentElement(document)) ? 50 : 0;
  }

  listen();
  gc._.changes = { mark, writes, isWatching: () => since !== null && !since.isOver };
  gc._.expose('mark', (id) => mark(id ? node(id) : null));
  gc._.expose('changes', changes);
  gc._.expose('after', after);
  gc._.expose('passing', passing);
})();
