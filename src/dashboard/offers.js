// What a page asks a person for in windows of a browser's own: an option of a list, files, permission.

import { $, setText } from './dom.js';
import { encoded } from './encode.js';

const ASKS = {
  geolocation: 'know your location', notifications: 'show notifications', camera: 'use a camera', microphone: 'use a microphone',
};
/** Which answer to a question of permission says so. */
const ALLOW = 0;
const BLOCK = 1;

export class Offers {
  #say;
  #hands;
  #give;
  /** The offer that is shown. */
  #offer = null;
  #isGiving = false;

  /** `say` tells the service; `give` sends files to the offer of that number. */
  constructor(say, hands, give) {
    this.#say = say;
    this.#hands = hands;
    this.#give = give;
    $('list-cancel').onclick = () => this.#choose(null);
    $('files-cancel').onclick = () => this.#choose(null);
    $('permission-allow').onclick = () => this.#choose(ALLOW);
    $('permission-block').onclick = () => this.#choose(BLOCK);
    for (const id of ['list', 'files', 'permission']) {
      $(id).oncancel = (event) => { event.preventDefault(); this.#choose(null); };
    }
    // Beside a list it is left, as everywhere.
    $('list').onclick = (event) => event.target === $('list') && this.#choose(null);
    $('list-options').onkeydown = (event) => this.#move(event);
    $('files-field').onchange = () => this.#sendFiles();
  }

  /** Shows what the page offers now, if anything. */
  draw(offer) {
    if (offer?.number === this.#offer?.number) return;
    this.#offer = offer ?? null;
    this.#close();
    if (offer?.type === 'list') this.#showList(offer);
    if (offer?.type === 'files') this.#showFiles(offer);
    if (offer?.type === 'permission') this.#showPermission(offer);
  }

  #close() {
    for (const id of ['list', 'files', 'permission']) if ($(id).open) $(id).close();
  }

  #showPermission({ site, permissions }) {
    setText($('permission-text'), `${site} wants to ${permissions.map((name) => ASKS[name]).join(' and ')}.`);
    $('permission').showModal();
  }

  #showList({ label, options }) {
    setText($('list-label'), label || 'Choose one');
    const box = $('list-options');
    box.replaceChildren();
    let group;
    options.forEach((option, index) => {
      if (option.group !== group) {
        group = option.group;
        if (group) box.append(Object.assign(document.createElement('p'), { textContent: group }));
      }
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: option.label || '\u00a0', disabled: Boolean(option.disabled) });
      button.setAttribute('role', 'option');
      button.setAttribute('aria-selected', Boolean(option.selected));
      button.onclick = () => this.#choose(index);
      box.append(button);
    });
    $('list').showModal();
    const first = box.querySelector('[aria-selected=true]:enabled') ?? box.querySelector('button:enabled');
    first?.focus();
    first?.scrollIntoView({ block: 'center' });
  }
  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...$('list-options').querySelectorAll('button:enabled')];
    all[all.indexOf(document.activeElement) + step]?.focus();
  }

  #showFiles({ multiple, accept }) {
    const field = $('files-field');
    Object.assign(field, { multiple, accept, value: '', disabled: false });
    setText($('files-text'), multiple ? 'The page asks for files.' : 'The page asks for a file.');
    setText($('files-many'), multiple ? 'files' : 'a file');
    setText($('files-error'), '');
    $('files').showModal();
  }
  async #sendFiles() {
    const chosen = [...$('files-field').files];
    const offer = this.#offer;
    if (!chosen.length || !offer || this.#isGiving) return;
    this.#isGiving = true;
    $('files-field').disabled = true;
    setText($('files-error'), 'Sending …');
    try {
      await this.#give(offer.number, await encoded(chosen));
      this.#hands.focus();
    } catch (error) {
      setText($('files-error'), error.message);
      Object.assign($('files-field'), { value: '', disabled: false });
    }
    this.#isGiving = false;
  }

  #choose(index) {
    if (!this.#offer) return;
    this.#say({ type: 'choose', number: this.#offer.number, index });
    this.#close();
    this.#hands.focus();
  }
}
