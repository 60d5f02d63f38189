// The way by which what a person says goes: the data channel of their picture, or the socket.
//
// Each message has a number and is kept until the service has heard it. A way that is taken carries all that was
// not heard yet, in its order, and the service passes over what it knows: nothing is lost, done twice or done out
// of order, whichever way breaks when.

/** What is said by the socket alone: the service tells there what becomes of it. */
const WORDS = ['take', 'ask', 'grant', 'hand_back', 'copy'];
/** Longest message by the channel, UTF-16 units: three bytes each at most. */
const CHANNEL_MAX = 16_000;
/** So many are on their way by the channel: the service lets twice as many wait. */
const UNDER_WAY_MAX = 128;
/** So many wait here at most; more are not taken. */
const KEPT_MAX = 2_000;
/** A channel by which nothing was heard for so long is left, */
const HEARD_MS = 1_500;
/** and taken again after this. */
const LEFT_MS = 10_000;

export class Way {
  #told;
  #socket = null;
  #channel = null;
  #isByChannel = false;
  #count = 0;
  /** What the service has not heard yet, as far as is known; of that, so many have gone by the present way. */
  #unheard = [];
  #sent = 0;
  /** The channel is taken again when this number was heard, */
  #until = 0;
  /** and this time has come. */
  #leftUntil = 0;

  /** `told` is told the way's name when it changes. */
  constructor(told) {
    this.#told = told;
    setInterval(() => this.#look(), HEARD_MS / 3);
  }

  /** A socket on which the service has told how things are, or none; what was not heard by another one is said
      again if it `counts` still. */
  use(socket, counts = false) {
    this.#socket = socket;
    if (socket && !counts) this.#unheard = [];
    if (socket) this.#take(false);
    this.#turn();
  }

  /** The channel that is open, or none. */
  useChannel(channel) {
    this.#channel = channel;
    this.#leftUntil = 0;
    if (!channel && this.#isByChannel) this.#take(false);
    else this.#turn();
  }

  /** Says it; answers whether it is on its way. */
  say(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN || this.#unheard.length >= KEPT_MAX) return false;
    this.#turn();
    this.#count += 1;
    const n = this.#count;
    const text = JSON.stringify({ ...message, n });
    this.#unheard.push({ n, text, at: performance.now() });
    if (text.length > CHANNEL_MAX || WORDS.includes(message.type)) {
      if (this.#isByChannel) this.#take(false);
      this.#until = n;
    }
    this.#flush();
    return true;
  }

  /** The service has heard all up to this number. */
  heard(n) {
    const count = this.#unheard.filter((one) => one.n <= n).length;
    this.#unheard.splice(0, count);
    this.#sent = Math.max(0, this.#sent - count);
    // A page that was loaded again goes on where it was.
    this.#count = Math.max(this.#count, n);
    this.#turn();
    this.#flush();
  }

  /** Goes by the channel where that can be. */
  #turn() {
    const isHeard = !this.#unheard.some((one) => one.n <= this.#until);
    const may = this.#channel?.readyState === 'open' && this.#socket && isHeard;
    if (!this.#isByChannel && may && performance.now() >= this.#leftUntil) this.#take(true);
  }

  #take(isByChannel) {
    [this.#isByChannel, this.#sent] = [isByChannel, 0];
    if (!isByChannel) this.#until = this.#count;
    this.#told(isByChannel ? 'channel' : 'socket');
    this.#flush();
  }

  #flush() {
    const way = this.#isByChannel ? this.#channel : this.#socket;
    const most = this.#isByChannel ? UNDER_WAY_MAX : KEPT_MAX;
    const state = way?.readyState;
    while ((state === 'open' || state === WebSocket.OPEN) && this.#sent < Math.min(this.#unheard.length, most)) {
      try {
        way.send(this.#unheard[this.#sent].text);
      } catch {
        // It breaks, and says so by itself.
        return;
      }
      this.#sent += 1;
    }
  }

  #look() {
    const [first] = this.#unheard;
    if (!this.#isByChannel || !first || performance.now() - first.at < HEARD_MS) return;
    this.#leftUntil = performance.now() + LEFT_MS;
    this.#take(false);
  }
}
