// Making and updating elements. Data only ever becomes text, never markup.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Sets text only when it differs, so that an unchanged node keeps a selection. */
export function setText(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** A word with its tone, the meaning of which the word carries. */
export function setTone(node, words, tone) {
  setText(node, words);
  node.dataset.state = tone ?? '';
}

/** The rows of a list, each kept for as long as its thing is there, so that focus survives a refresh. */
export class Rows {
  #list;
  #make;
  #update;
  #rows = new Map();

  /** `make` gives a new row for a thing; `update` shows in it how the thing is now. */
  constructor(list, make, update) {
    this.#list = list;
    this.#make = make;
    this.#update = update;
  }

  show(things, keyOf) {
    const keys = new Set(things.map(keyOf));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    things.forEach((thing, at) => {
      const key = keyOf(thing);
      const row = this.#rows.get(key) ?? this.#make(thing);
      this.#rows.set(key, row);
      const there = this.#list.children[at] ?? null;
      if (there !== row) this.#list.insertBefore(row, there);
      this.#update(row, thing);
    });
  }
}

/** The part of a row that has this name. */
export const part = (row, name) => row.querySelector(`[data-part="${name}"]`);

/** A button that works: it is off until what it does is done. */
export function button(words, act, attributes = {}) {
  const node = el('button', { type: 'button', class: 'button', ...attributes }, words);
  node.addEventListener('click', () => busy(node, act));
  return node;
}

/** Lets a button be pressed once at a time. */
export async function busy(node, act) {
  if (node.getAttribute('aria-busy') === 'true') return;
  node.setAttribute('aria-busy', 'true');
  try {
    await act();
  } finally {
    node.removeAttribute('aria-busy');
  }
}

const isThere = (node) => node.isConnected && node.checkVisibility();

/** Whoever goes on by the keyboard goes on here, when what had the focus is gone. */
export function holdFocus(fallback) {
  let last = null;
  addEventListener('focusin', ({ target }) => { last = target; });
  return () => requestAnimationFrame(() => {
    const isLost = document.activeElement === document.body && last && !isThere(last);
    if (!isLost) return;
    last = null;
    [...fallback()].find((node) => node && isThere(node))?.focus({ preventScroll: true });
  });
}
