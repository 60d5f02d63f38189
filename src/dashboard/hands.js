// Turns what a person does on the picture into what is done on the page: pointer, touch, wheel and keys.

import { Pinch } from './pinch.js';
import { Zoom } from './zoom.js';

const CLICK_MS = 500;
const CLICK_PX = 6;
const LONG_MS = 550;
/** A finger that has moved so far scrolls, and taps no more. */
const TAP_PX = 10;
const WHEEL_LINE_PX = 40;
const ALT = 1;
const CONTROL = 2;
const META = 4;
const SHIFT = 8;
const BUTTONS = ['left', 'middle', 'right'];
/** Keys of soft keyboards and input methods, which come as text by themselves. */
const UNNAMED = ['Unidentified', 'Process', 'Dead', 'Compose'];

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);

const modifiersOf = (event) => {
  const held = heldBy(event);
  return IS_MAC && held & META ? (held & ~META) | CONTROL : held;
};
const heldBy = (event) => (event.altKey ? ALT : 0) | (event.ctrlKey ? CONTROL : 0) | (event.metaKey ? META : 0) | (event.shiftKey ? SHIFT : 0);

export class Hands {
  #video;
  #keys;
  #send;
  #size = { width: 1280, height: 720 };
  #on = false;
  /** The last place of the pointer that is not told yet: one move a frame is enough. */
  #move = null;
  #click = { at: 0, x: 0, y: 0, button: '', count: 0 };
  #touch = null;
  /** Keys that are down: those that go up while nobody hears are let go of. */
  #down = new Set();
  #isComposing = false;
  /** What two fingers do: enlarge the page, or the picture of it here. */
  #pinch;
  #zoom;
  #fingers;

  /** `send` is called with each deed; `keys` is the field that hears the keyboard. */
  constructor(video, keys, send) {
    this.#video = video;
    this.#keys = keys;
    this.#zoom = new Zoom(video);
    this.#pinch = new Pinch(({ x, y }, scale) => {
      const at = this.#place({ clientX: x, clientY: y }, true);
      if (at) this.#send({ type: 'pinch', ...at, scale });
    });
    this.#fingers = this.#pinch;
    this.#send = (deed) => { if (this.#on) send(deed); };
    const screen = video.parentElement;
    screen.addEventListener('pointermove', (event) => this.#moved(event));
    screen.addEventListener('pointerdown', (event) => this.#pressed(event));
    screen.addEventListener('pointerup', (event) => this.#released(event));
    screen.addEventListener('pointercancel', (event) => (event.pointerType === 'touch' ? this.#touchLost(event) : this.#released(event)));
    screen.addEventListener('contextmenu', (event) => this.#on && event.preventDefault());
    screen.addEventListener('wheel', (event) => this.#turned(event), { passive: false });
    keys.addEventListener('keydown', (event) => this.#key(event, true));
    keys.addEventListener('keyup', (event) => this.#key(event, false));
    keys.addEventListener('input', (event) => this.#typed(event));
    keys.addEventListener('compositionstart', () => { this.#isComposing = true; });
    keys.addEventListener('compositionupdate', ({ data }) => this.#send({ type: 'compose', text: data }));
    keys.addEventListener('compositionend', (event) => this.#composed(event));
    keys.addEventListener('blur', () => this.#letGo());
    keys.addEventListener('paste', (event) => this.#pasted(event));
  }

  /** Whether this person has the wheel, and how large the page is. */
  set(on, size) {
    if (this.#on && !on) {
      this.#endTouch();
      this.#zoom.reset();
      this.#pinch.reset();
    }
    this.#on = on;
    this.#size = size;
  }

  /** Whether two fingers enlarge the picture here, and not the page. */
  set enlarges(isHere) {
    this.#endTouch();
    this.#pinch.reset();
    this.#zoom.reset();
    this.#fingers = isHere ? this.#zoom : this.#pinch;
  }

  focus() { this.#keys.focus({ preventScroll: true }); }

  /** Where on the page an event is; null beside the picture. */
  #place(event, isHeld) {
    const box = this.#video.getBoundingClientRect();
    const { width, height } = this.#size;
    const scale = Math.min(box.width / width, box.height / height);
    if (!(scale > 0)) return null;
    const x = (event.clientX - box.left - (box.width - width * scale) / 2) / scale;
    const y = (event.clientY - box.top - (box.height - height * scale) / 2) / scale;
    const isIn = x >= 0 && y >= 0 && x <= width && y <= height;
    if (!isIn && !isHeld) return null;
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
    return { x: within(x, width), y: within(y, height), modifiers: modifiersOf(event) };
  }

  #moved(event) {
    if (!this.#on) return;
    if (event.pointerType === 'touch') return this.#touchMoved(event);
    const at = this.#place(event, event.buttons > 0);
    if (!at) return;
    if (!this.#move) requestAnimationFrame(() => this.#tellMove());
    this.#move = { type: 'move', ...at, buttons: event.buttons & 7 };
  }
  #tellMove() {
    if (this.#move) this.#send(this.#move);
    this.#move = null;
  }

  #pressed(event) {
    if (!this.#on) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    if (event.pointerType === 'touch') return this.#touchStarted(event);
    this.focus();
    const at = this.#place(event);
    const button = BUTTONS[event.button];
    if (!at || !button) return;
    this.#tellMove();
    this.#press(at, button, event.timeStamp);
  }
  #press(at, button, time) {
    // What an input method is putting together belongs into the field that it was begun in.
    if (this.#isComposing) { this.#keys.blur(); this.focus(); }
    const last = this.#click;
    const isAgain = last.button === button && time - last.at < CLICK_MS && Math.hypot(at.x - last.x, at.y - last.y) < CLICK_PX;
    this.#click = { at: time, x: at.x, y: at.y, button, count: isAgain ? (last.count % 3) + 1 : 1 };
    this.#send({ type: 'move', ...at, buttons: 0 });
    this.#send({ type: 'down', ...at, button, count: this.#click.count });
  }
  #released(event) {
    if (!this.#on) return;
    if (event.pointerType === 'touch') return this.#touchEnded(event);
    const at = this.#place(event, true);
    const button = BUTTONS[event.button];
    if (!at || !button) return;
    this.#tellMove();
    this.#send({ type: 'up', ...at, button, count: this.#click.count || 1 });
  }

  // One finger: a tap clicks, a long press is the right button, a move scrolls. Two enlarge the page, or its picture.
  #touchStarted(event) {
    if (this.#fingers.down(event)) return this.#endTouch();
    if (this.#touch) return;
    const at = this.#place(event);
    if (!at) return;
    this.#touch = {
      id: event.pointerId, at, last: event, isScroll: false,
      timer: setTimeout(() => this.#longPress(), LONG_MS),
    };
  }
  #touchMoved(event) {
    if (this.#fingers.move(event)) return;
    const touch = this.#touch;
    if (touch?.id !== event.pointerId) return;
    const at = this.#place(event, true);
    if (!touch.isScroll && Math.hypot(at.x - touch.at.x, at.y - touch.at.y) < TAP_PX) return;
    clearTimeout(touch.timer);
    const before = this.#place(touch.last, true);
    Object.assign(touch, { isScroll: true, last: event });
    const [dx, dy] = [before.x - at.x, before.y - at.y];
    if (dx || dy) this.#send({ type: 'wheel', ...touch.at, dx, dy });
  }
  #touchEnded(event) {
    this.#fingers.up(event);
    const touch = this.#touch;
    if (touch?.id !== event.pointerId) return;
    this.#endTouch();
    if (touch.isScroll || touch.isDone) return;
    this.#press(touch.at, 'left', event.timeStamp);
    this.#send({ type: 'up', ...touch.at, button: 'left', count: this.#click.count });
  }
  #touchLost(event) {
    this.#fingers.up(event);
    this.#endTouch();
  }
  #longPress() {
    const touch = this.#touch;
    if (!touch) return;
    touch.isDone = true;
    this.#send({ type: 'move', ...touch.at, buttons: 0 });
    this.#send({ type: 'down', ...touch.at, button: 'right', count: 1 });
    this.#send({ type: 'up', ...touch.at, button: 'right', count: 1 });
  }
  #endTouch() {
    clearTimeout(this.#touch?.timer);
    this.#touch = null;
  }

  #turned(event) {
    if (!this.#on) return;
    event.preventDefault();
    const at = this.#place(event);
    if (!at) return;
    const unit = [1, WHEEL_LINE_PX, this.#size.height][event.deltaMode] ?? 1;
    const by = (delta) => Math.max(-10000, Math.min(10000, delta * unit));
    this.#send({ type: 'wheel', ...at, dx: by(event.deltaX), dy: by(event.deltaY) });
  }

  #key(event, down) {
    if (!this.#on || event.isComposing || UNNAMED.includes(event.key)) return;
    // What is pasted comes with the paste itself.
    const isPaste = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'v';
    if (isPaste) return;
    event.preventDefault();
    // A character of a third level, which is no shortcut though keys are held for it.
    const isThird = event.key.length === 1 && (event.getModifierState('AltGraph') || (IS_MAC && event.altKey && !event.metaKey));
    if (isThird) {
      if (down) this.text(event.key);
      return;
    }
    // macOS tells of no other key that goes up while Command is held.
    if (IS_MAC && !down && event.key === 'Meta') return this.#letGo();
    // What is Command there is Control on the machine that the page is on.
    const key = IS_MAC && event.key === 'Meta' ? 'Control' : event.key;
    if (down) this.#down.add(key);
    else this.#down.delete(key);
    this.#send({ type: 'key', down, key, modifiers: modifiersOf(event), repeat: event.repeat });
  }
  #letGo() {
    for (const key of this.#down) this.#send({ type: 'key', down: false, key });
    this.#down.clear();
  }
  /** What soft keyboards do, whose keys have no names. */
  #typed(event) {
    const { inputType, data, isComposing } = event;
    if (isComposing) return;
    if (inputType === 'deleteContentBackward') this.#tap('Backspace');
    else if (inputType === 'insertLineBreak' || inputType === 'insertParagraph') this.#tap('Enter');
    // What an input method ends with has been told by its own event.
    else if (data && !inputType.includes('Composition')) this.text(data);
    // Something to delete is left for the next Backspace of a soft keyboard.
    this.#keys.value = ' ';
  }
  #composed({ data }) {
    this.#isComposing = false;
    if (data) this.text(data);
    else this.#send({ type: 'compose', text: '' });
    this.#keys.value = ' ';
  }
  #pasted(event) {
    if (!this.#on) return;
    event.preventDefault();
    const text = event.clipboardData.getData('text/plain');
    if (text) this.text(text);
  }

  #tap(key) {
    this.#send({ type: 'key', down: true, key });
    this.#send({ type: 'key', down: false, key });
  }
  text(text) { this.#send({ type: 'text', text }); }
}
