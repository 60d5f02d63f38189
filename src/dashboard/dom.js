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
