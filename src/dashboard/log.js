// The event log: bounded, filtered, paused on request, and still while the reader looks back.

import { $, el, setText } from './dom.js';
import { GROUPS, groupOf, summarise } from './events.js';
import { clock, plural } from './format.js';

const HIDDEN_KEY = 'ghostcast.log.hidden';
const ROWS_MAX = 500;
// How near the end still counts as following, CSS px.
const FOLLOW_PX = 24;

export class EventLog {
  #list = $('log-list');
  #queue = [];
  #hidden = new Set(remembered());
  #counts = {};
  #paused = false;
  #following = true;
  #top = 0;
  #frame = 0;

  constructor() {
    $('log-filters').append(...Object.keys(GROUPS).map((group) => this.#chip(group)));
    $('log-clear').addEventListener('click', () => this.clear());
    $('log-latest').addEventListener('click', () => this.#follow());
    $('log-pause').addEventListener('click', () => {
      this.#paused = !this.#paused;
      $('log-pause').setAttribute('aria-pressed', this.#paused);
      this.#flush();
    });
    this.#list.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#list;
      const atEnd = scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
      // A list that grows or shrinks does not end the following; scrolling up does.
      this.#following = atEnd || (this.#following && scrollTop >= this.#top);
      this.#top = scrollTop;
      this.#update();
    }, { passive: true });
    this.#update();
  }

  add(event) {
    this.#queue.push(event);
    if (this.#queue.length > ROWS_MAX) this.#queue.shift();
    this.#frame ||= requestAnimationFrame(() => this.#flush());
  }

  clear() {
    this.#queue = [];
    this.#counts = {};
    this.#list.replaceChildren();
    this.#follow();
  }

  #flush() {
    this.#frame = 0;
    if (!this.#paused) {
      for (const event of this.#queue.splice(0)) this.#append(event);
      while (this.#list.childElementCount > ROWS_MAX) this.#list.firstElementChild.remove();
      if (this.#following) this.#follow();
    }
    this.#update();
  }

  #append(event) {
    const group = groupOf(event);
    const line = summarise(event);
    this.#counts[group] = (this.#counts[group] ?? 0) + 1;
    const last = this.#list.lastElementChild;
    if (event.type === 'dom_change' && last?.dataset.line === line) return repeat(last, event);
    const row = el('li', { class: 'row', 'data-group': group, 'data-line': line },
      el('time', {}, clock(event.timestamp)), el('span', { class: 'row-type' }, event.type), el('p', {}, line));
    row.hidden = this.#hidden.has(group);
    this.#list.append(row);
  }

  #chip(group) {
    const chip = el('button', { type: 'button', class: 'chip', 'aria-pressed': !this.#hidden.has(group) },
      group, el('span', { id: `chip-${group}` }));
    chip.addEventListener('click', () => {
      const shown = this.#hidden.delete(group);
      if (!shown) this.#hidden.add(group);
      chip.setAttribute('aria-pressed', shown);
      remember(this.#hidden);
      for (const row of this.#list.children) row.hidden = this.#hidden.has(row.dataset.group);
      if (this.#following) this.#follow();
      this.#update();
    });
    return chip;
  }

  #follow() {
    this.#following = true;
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#update();
  }

  #update() {
    setText($('log-pause'), this.#paused ? 'Resume' : 'Pause');
    setText($('log-held'), this.#paused ? `Paused, ${plural(this.#queue.length, 'event')} held` : '');
    $('log-latest').hidden = this.#following;
    $('log-empty').hidden = this.#list.querySelector(':scope > :not([hidden])') !== null;
    for (const group of Object.keys(GROUPS)) setText($(`chip-${group}`), String(this.#counts[group] ?? ''));
    $('chip-Other').parentElement.hidden = !this.#counts.Other;
  }
}

/** The groups that are not shown, as somebody left them in this browser. */
function remembered() {
  try { return JSON.parse(localStorage.getItem(HIDDEN_KEY)) ?? []; } catch { return []; }
}

function remember(hidden) {
  try { localStorage.setItem(HIDDEN_KEY, JSON.stringify([...hidden])); } catch { /* lasts until reload */ }
}

/** A run of the same change stays one row, with a counter. */
function repeat(row, event) {
  const type = row.querySelector('.row-type');
  type.dataset.times = Number(type.dataset.times ?? 1) + 1;
  setText(row.querySelector('time'), clock(event.timestamp));
}
