// The event log: bounded, filtered, paused, and still when the reader scrolls up.

import { $, el, setText } from './dom.js';
import { GROUPS, groupOf, summarise } from './events.js';
import { clock, plural } from './format.js';

const ROWS_MAX = 500;
// How near the end still counts as "following", CSS px.
const FOLLOW_PX = 24;

export class EventLog {
  #list = $('log-list');
  #waiting = [];
  #hidden = new Set();
  #counts = new Map();
  #chips = new Map();
  #paused = false;
  #following = true;
  #unseen = 0;
  #frame = 0;

  constructor() {
    for (const [group, { label }] of Object.entries(GROUPS)) this.#addChip(group, label);
    $('log-pause').addEventListener('click', () => this.#pause(!this.#paused));
    $('log-clear').addEventListener('click', () => this.clear());
    $('log-latest').addEventListener('click', () => this.#follow());
    this.#list.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#list;
      this.#following = scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
      if (this.#following) this.#unseen = 0;
      this.#update();
    }, { passive: true });
    this.#update();
  }

  add(event) {
    this.#waiting.push(event);
    if (this.#waiting.length > ROWS_MAX) this.#waiting.shift();
    if (this.#paused) this.#update();
    else this.#frame ||= requestAnimationFrame(() => this.#flush());
  }

  clear() {
    this.#waiting = [];
    this.#counts.clear();
    this.#list.replaceChildren();
    this.#follow();
  }

  #flush() {
    this.#frame = 0;
    if (this.#paused) return;
    for (const event of this.#waiting.splice(0)) this.#append(event);
    while (this.#list.childElementCount > ROWS_MAX) this.#list.firstElementChild.remove();
    if (this.#following) this.#list.scrollTop = this.#list.scrollHeight;
    this.#update();
  }

  #append(event) {
    const group = groupOf(event);
    const line = summarise(event);
    this.#counts.set(group, (this.#counts.get(group) ?? 0) + 1);
    if (!this.#following) this.#unseen += 1;
    const last = this.#list.lastElementChild;
    if (event.type === 'dom_change' && last?.dataset.line === line) return repeat(last, event);
    const time = el('time', {}, clock(event.timestamp));
    const row = el('li', { class: 'row', 'data-type': event.type, 'data-group': group, 'data-line': line },
      time, el('div', {}, el('span', { class: 'row-type' }, event.type), el('p', {}, line)));
    row.hidden = this.#hidden.has(group);
    return this.#list.append(row);
  }

  #addChip(group, label) {
    const number = el('span', { class: 'chip-count' });
    const chip = el('button', { type: 'button', class: 'chip', 'data-group': group, 'aria-pressed': 'true' }, label, number);
    chip.addEventListener('click', () => {
      const show = this.#hidden.delete(group);
      if (!show) this.#hidden.add(group);
      chip.setAttribute('aria-pressed', show);
      for (const row of this.#list.children) row.hidden = this.#hidden.has(row.dataset.group);
      if (this.#following) this.#follow();
      this.#update();
    });
    this.#chips.set(group, { chip, number });
    $('log-filters').append(chip);
  }

  #pause(paused) {
    this.#paused = paused;
    if (paused) this.#update();
    else this.#flush();
  }

  #follow() {
    this.#following = true;
    this.#unseen = 0;
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#update();
  }

  #update() {
    const button = $('log-pause');
    setText(button, this.#paused ? 'Resume' : 'Pause');
    button.setAttribute('aria-pressed', this.#paused);
    $('log-latest').hidden = this.#following;
    setText($('log-latest'), this.#unseen ? `${plural(this.#unseen, 'new event')} ↓` : 'Latest ↓');
    setText($('log-held'), this.#paused ? `Paused, ${plural(this.#waiting.length, 'event')} held` : '');
    $('log-empty').hidden = this.#list.querySelector(':scope > :not([hidden])') !== null;
    for (const [group, { chip, number }] of this.#chips) {
      const seen = this.#counts.get(group) ?? 0;
      setText(number, seen ? String(seen) : '');
      if (group === 'other') chip.hidden = seen === 0;
    }
  }
}

/** A run of the same change stays one row with a counter. */
function repeat(row, event) {
  row.dataset.times = Number(row.dataset.times ?? 1) + 1;
  setText(row.querySelector('time'), clock(event.timestamp));
}
