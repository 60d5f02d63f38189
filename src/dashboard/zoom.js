// Enlarges the picture by two fingers: a page that is made for desktops is small on a phone.

const MOST = 5;
export const middle = ([a, b]) => ({ x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2 });
export const apart = ([a, b]) => Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));

export class Zoom {
  #video;
  #drags;
  #scale = 1;
  #at = { x: 0, y: 0 };
  #fingers = new Map();
  #last = null;

  /** With `drags` one finger moves what is enlarged. */
  constructor(video, { drags = false } = {}) {
    this.#video = video;
    this.#drags = drags;
  }

  get isEnlarged() { return this.#scale > 1; }

  /** Takes one more finger; answers whether there are two now, which enlarge. */
  down(event) {
    this.#fingers.set(event.pointerId, event);
    this.#last = this.#pair();
    return Boolean(this.#last);
  }
  /** Takes a move; answers whether it changed what is seen. */
  move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return false;
    this.#fingers.set(event.pointerId, event);
    if (this.#fingers.size === 1) return this.#drag(before, event);
    const now = this.#pair();
    if (!now || !this.#last) return false;
    const scale = Math.min(Math.max(this.#scale * apart(now) / apart(this.#last), 1), MOST);
    const [from, to] = [this.#inside(middle(this.#last)), this.#inside(middle(now))];
    // What was between the fingers stays there.
    const by = scale / this.#scale;
    this.#at = { x: to.x - (from.x - this.#at.x) * by, y: to.y - (from.y - this.#at.y) * by };
    this.#scale = scale;
    this.#last = now;
    this.#show();
    return true;
  }
  up(event) {
    this.#fingers.delete(event.pointerId);
    this.#last = this.#pair();
  }
  reset() {
    this.#fingers.clear();
    [this.#scale, this.#at, this.#last] = [1, { x: 0, y: 0 }, null];
    this.#show();
  }

  #drag(from, to) {
    if (!this.#drags || !this.isEnlarged) return false;
    this.#at = { x: this.#at.x + to.clientX - from.clientX, y: this.#at.y + to.clientY - from.clientY };
    this.#show();
    return true;
  }
  #pair() { return this.#fingers.size === 2 ? [...this.#fingers.values()] : null; }
  #inside({ x, y }) {
    const box = this.#video.parentElement.getBoundingClientRect();
    return { x: x - box.left, y: y - box.top };
  }
  #show() {
    const { clientWidth, clientHeight } = this.#video.parentElement;
    const within = (at, side) => Math.min(0, Math.max(at, side - side * this.#scale));
    this.#at = { x: within(this.#at.x, clientWidth), y: within(this.#at.y, clientHeight) };
    this.#video.style.transform = this.#scale === 1 ? '' : `translate(${this.#at.x}px, ${this.#at.y}px) scale(${this.#scale})`;
  }
}
