// value.js: values that are picked rather than typed, set as a person's choice tells the page.
(() => {
  const gc = globalThis.__ghostcast;
  if (gc.setValue) return;
  const { d, node } = gc._;
  const FORMS = { date: '2026-12-24', time: '09:30', 'datetime-local': '2026-12-24T18:45', month: '2026-11', week: '2026-W48', color: '#ff8800' };
  const make = Document.prototype.createElement;
  const { get: getValue, set: putValue } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');

  /** What a field like this one would make of a value: tried on a twin, so that the page hears nothing. */
  function twinOf(el, text) {
    const twin = make.call(document, 'input');
    twin.type = el.type;
    for (const key of ['min', 'max', 'step']) if (d.hasAttribute(el, key)) twin.setAttribute(key, d.getAttribute(el, key));
    putValue.call(twin, text);
    return getValue.call(twin);
  }
  /** @returns {{value:string}|{why:string}} the value as it will be held, or why it cannot be */
  function understood(el, text) {
    const wanted = text.trim();
    const got = twinOf(el, wanted);
    const { type } = el;
    if (type === 'color') return got === wanted.toLowerCase() ? { value: got } : { why: `it takes a colour as ${FORMS.color}` };
    if (type === 'range') {
      const isNumber = wanted !== '' && Number.isFinite(Number(wanted));
      if (isNumber && Number(got) === Number(wanted)) return { value: got };
      const [min, max, step] = [el.min || '0', el.max || '100', el.step || '1'];
      return { why: `it takes a number from ${min} to ${max}${step === 'any' ? '' : ` in steps of ${step}`}${isNumber ? `; the nearest is ${got}` : ''}` };
    }
    if (type === 'number') return got !== '' || wanted === '' ? { value: got } : { why: 'it takes a number in digits' };
    return got !== '' || wanted === '' ? { value: got } : { why: `it takes a ${type.replace('datetime-local', 'date and time')} that exists, written as ${FORMS[type]}` };
  }
  const tell = (el, event) => EventTarget.prototype.dispatchEvent.call(el, event);
  /** As Chromium does when a person has chosen: `input`, then `change`. */
  function tellChoice(el) {
    tell(el, new Event('input', { bubbles: true, composed: true }));
    tell(el, new Event('change', { bubbles: true }));
  }

  /**
   * Gives a field whose value is picked the value as HTML writes it.
   * @returns {{is:'gone'}|{is:'refused', why:string, held:string}|{is:'set', held:string, invalid:string|null}}
   */
  function setValue(id, text) {
    const el = node(id);
    if (!el) return { is: 'gone' };
    const made = understood(el, text);
    if (made.why) return { is: 'refused', why: made.why, held: getValue.call(el) };
    if (getValue.call(el) !== made.value) {
      // The setter of our world: those that pages put on the element are not asked, so that a page
      // which compares with what it set last sees news.
      putValue.call(el, made.value);
      tellChoice(el);
    }
    return { is: 'set', wanted: made.value, held: getValue.call(el) };
  }
  /** Whether a number field could hold a text: {why, held} when not, null when it can. */
  function refusesNumber(id, text) {
    const el = node(id);
    const why = el && understood(el, text).why;
    return why ? { why, held: getValue.call(el) } : null;
  }
  /** What the browser will say of the field when its form is sent; null when nothing. */
  const complaint = (id) => {
    const el = node(id);
    return (el && el.willValidate && !el.validity.valid && d.clean(el.validationMessage, 200)) || null;
  };

  gc._.choice = { tellChoice };
  gc._.expose('setValue', setValue);
  gc._.expose('refusesNumber', refusesNumber);
  gc._.expose('complaint', complaint);
})();
