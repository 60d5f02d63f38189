// What users are told as it happens: whoever shows their logins looks again then.

import * as api from './api.js';

/** Sockets are for those whose rows come first; the others are seen at the next look. */
const USERS_MAX = 8;
const RETRY_MS = 5_000;

export class UserNews {
  #sockets = new Map();
  #told;

  constructor(told) {
    this.#told = told;
  }

  /** Listens for these users and no others. */
  follow(users) {
    const wanted = new Set([...new Set(users)].slice(0, USERS_MAX));
    for (const [user, one] of this.#sockets) if (!wanted.has(user)) this.#leave(user, one);
    for (const user of wanted) if (!this.#sockets.has(user)) this.#listen(user);
  }

  #listen(user) {
    const socket = new WebSocket(api.userEventsUrl(user), api.eventsProtocols());
    const one = { socket, timer: 0 };
    this.#sockets.set(user, one);
    socket.onmessage = ({ data }) => this.#told(JSON.parse(data));
    socket.onclose = () => {
      one.timer = setTimeout(() => this.#listen(user), RETRY_MS);
    };
  }

  #leave(user, { socket, timer }) {
    this.#sockets.delete(user);
    clearTimeout(timer);
    Object.assign(socket, { onmessage: null, onclose: null });
    socket.close();
  }
}
