// Tells the page's own state to the judge whenever it has changed, in the order of the changes.
const run = new URLSearchParams(location.search).get('run');
const heard = [];
let count = 0;
let last = '';

/** What only happens once is noted here, beside the state. */
export const note = (word) => heard.push(word);

/** `state()` is the page's own state, by its library's own interface. */
export const watch = (state) => {
  const look = () => {
    const word = JSON.stringify({...state(), heard});
    if (word === last) return;
    last = word;
    count += 1;
    fetch(`/truth/${run}`, {method: 'POST', keepalive: true, body: JSON.stringify({count, ...JSON.parse(word)})});
  };
  look();
  setInterval(look, 50);
};

/** An element with attributes and children. */
export const make = (tag, attributes = {}, ...children) => {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value);
  }
  el.append(...children);
  return el;
};
