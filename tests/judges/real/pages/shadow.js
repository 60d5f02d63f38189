// A gallery of web components: Shoelace, everything in shadow roots.
import '@shoelace-style/shoelace/dist/themes/light.css';
import '@shoelace-style/shoelace/dist/components/button/button.js';
import '@shoelace-style/shoelace/dist/components/checkbox/checkbox.js';
import '@shoelace-style/shoelace/dist/components/details/details.js';
import '@shoelace-style/shoelace/dist/components/dialog/dialog.js';
import '@shoelace-style/shoelace/dist/components/input/input.js';
import '@shoelace-style/shoelace/dist/components/option/option.js';
import '@shoelace-style/shoelace/dist/components/select/select.js';
import '@shoelace-style/shoelace/dist/components/switch/switch.js';
import '@shoelace-style/shoelace/dist/components/tab-group/tab-group.js';
import '@shoelace-style/shoelace/dist/components/tab-panel/tab-panel.js';
import '@shoelace-style/shoelace/dist/components/tab/tab.js';
import {note, watch} from './truth.js';

document.body.insertAdjacentHTML('beforeend', `
  <sl-input label="City" clearable></sl-input>
  <sl-checkbox>Newsletter</sl-checkbox> <sl-switch>Dark mode</sl-switch>
  <sl-select label="Size"><sl-option value="s">Small</sl-option><sl-option value="m">Medium</sl-option>
    <sl-option value="l">Large</sl-option></sl-select>
  <sl-button id="order">Order</sl-button> <sl-button id="off" disabled>Sold out</sl-button>
  <sl-button id="open">Open dialog</sl-button>
  <sl-dialog label="Terms"><p>Do you agree?</p><sl-button slot="footer" id="agree">Agree</sl-button></sl-dialog>
  <sl-details summary="Shipping"><p>By tram.</p></sl-details>
  <sl-tab-group><sl-tab slot="nav" panel="a">Photos</sl-tab><sl-tab slot="nav" panel="b">Reviews</sl-tab>
    <sl-tab-panel name="a">Photos here</sl-tab-panel><sl-tab-panel name="b">Reviews here</sl-tab-panel></sl-tab-group>`);
const one = (selector) => document.querySelector(selector);
const dialog = one('sl-dialog');
one('#order').addEventListener('click', () => note('order'));
one('#off').addEventListener('click', () => note('off'));
one('#open').addEventListener('click', () => dialog.show());
one('#agree').addEventListener('click', () => { note('agree'); dialog.hide(); });
watch(() => ({city: one('sl-input').value, newsletter: one('sl-checkbox').checked, dark: one('sl-switch').checked,
  size: one('sl-select').value, dialog: dialog.open, details: one('sl-details').open,
  tab: one('sl-tab[active]')?.panel || null}));
