// Looks at a session's page when something says that it has changed: its tabs, and the dialog that it waits with.

import * as calls from './calls.js';

/** What comes close together is one look. */
const SOON_MS = 150;
/** After these the tabs are others, or say something else, or a dialog has come or gone. */
const TELLING = ['page_navigation', 'page_load_complete', 'dialog', 'action_completed', 'action_error', 'control'];
/** The states in which a look costs nothing: a stored session would come back by it. */
const AWAKE = ['live', 'paused', 'reconnecting'];

export class Looks {
  /** What was seen last; null before that, and where it may not be seen. */
  context = null;

  #key = null;
  #id = null;
  #pages = null;
  #changed;
  #timer = 0;
  /** Whether something has changed since the look that is under way began. */
  #isOld = false;

  constructor(changed) {
    this.#changed = changed;
  }

  /** The session as its record says it is; null for none. */
  follow(record) {
    const isAwake = Boolean(record) && AWAKE.includes(record.state);
    if (record?.session_id !== this.#id || !isAwake) {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.context = null;
      this.#pages = null;
    }
    this.#id = record?.session_id ?? null;
    this.#key = isAwake ? record.key : null;
    if (!isAwake || this.#pages === record.page_count) return;
    this.#pages = record.page_count;
    this.soon();
  }

  hear({ type, state }) {
    // The record says so later, and a look in between would bring it back.
    if (type === 'stream_state' && !AWAKE.includes(state)) this.#key = null;
    if (TELLING.includes(type)) this.soon();
  }

  soon() {
    this.#isOld = true;
    if (this.#key) this.#timer ||= setTimeout(() => this.#look(), SOON_MS);
  }

  /** One look at a time: an agent that is quick is not slowed by who watches it. */
  async #look() {
    const [id, timer] = [this.#id, this.#timer];
    this.#isOld = false;
    if (!this.#key) {
      this.#timer = 0;
      return;
    }
    const context = await calls.readContext(this.#key).catch(() => null);
    if (id !== this.#id || timer !== this.#timer) return;
    this.#timer = 0;
    this.context = context ?? this.context;
    this.#changed();
    if (this.#isOld) this.soon();
  }
}
