// Two fingers that enlarge the page itself, as on a phone: told step by step.

import { apart, middle } from './zoom.js';

/** The page takes about so long for one step. */
const STEP_MS = 120;
/** Less than this is no step. */
const LEAST = 0.02;

export class Pinch {
  #told;
  #fingers = new Map();
  #from = 0;
  #timer = 0;

  /** `told` is told what is between the fingers, and by what factor they went apart since it was told last. */
  constructor(told) { this.#told = told; }

  /** Takes one more finger; answers whether there are two now. */
  down(event) {
    this.#fingers.set(event.pointerId, event);
    const pair = this.#pair();
    this.#from = pair ? apart(pair) : 0;
    return Boolean(pair);
  }
  /** Takes a move; answers whether it was one of two fingers. */
  move(event) {
    if (!this.#fingers.has(event.pointerId)) return false;
    this.#fingers.set(event.pointerId, event);
    if (!this.#pair()) return false;
    this.#timer ||= setTimeout(() => this.#tell(), STEP_MS);
    return true;
  }
  up(event) {
    if (this.#pair()) this.#tell();
    this.#fingers.delete(event.pointerId);
  }
  reset() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#fingers.clear();
  }

  #pair() { return this.#fingers.size === 2 ? [...this.#fingers.values()] : null; }
  #tell() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const pair = this.#pair();
    if (!pair) return;
    const by = Math.min(Math.max(apart(pair) / this.#from, 0.2), 5);
    if (Math.abs(by - 1) < LEAST) return;
    this.#from = apart(pair);
    this.#told(middle(pair), by);
  }
}
