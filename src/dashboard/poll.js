// Asks again and again while somebody looks, and knows how old the answer is.

const HIDDEN_TIMES = 5;

export class Poll {
  /** The last answer, when it came, and what has gone wrong since. */
  value = null;
  at = null;
  error = null;

  #read;
  #changed;
  #pauseMs;
  #timer = 0;
  /** Counts the questions: an answer to an older one is not taken. */
  #number = 0;
  #isOn = false;

  /** `read` asks; `changed` is called with each answer and each failure there. */
  constructor(read, changed, pauseMs) {
    this.#read = read;
    this.#changed = changed;
    this.#pauseMs = pauseMs;
    document.addEventListener('visibilitychange', () => document.hidden || this.soon());
    addEventListener('online', () => this.soon());
  }

  start() {
    this.#isOn = true;
    this.#ask();
  }

  stop() {
    this.#isOn = false;
    this.#number += 1;
    clearTimeout(this.#timer);
  }

  /** Asks now, if at all. */
  soon() {
    if (this.#isOn) this.#ask();
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#number += 1;
    const number = this.#number;
    const told = await this.#read().then((value) => ({ value, error: null, at: Date.now() }), (error) => ({ error }));
    if (number !== this.#number) return;
    Object.assign(this, told);
    this.#changed();
    // Asking again with the same token is no use, and counts as a wrong one each time.
    if (this.error?.status === 401) return;
    this.#timer = setTimeout(() => this.#ask(), this.#pauseMs * (document.hidden ? HIDDEN_TIMES : 1));
  }
}
