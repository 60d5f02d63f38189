// The event stream of a room, and each event in one readable line.

import * as api from './api.js';
import { bytes, plural, shorten } from './format.js';

const RETRY_MS = 1_000;
const LINE_CHARS = 240;

/** The filter chips; an event of a type named nowhere falls under "Other". */
export const GROUPS = {
  Pages: ['page_navigation', 'page_load_complete', 'settled'],
  Changes: ['dom_change'],
  Actions: ['action_started', 'action_completed'],
  Errors: ['action_error', 'browser_error', 'lagged'],
  Stream: ['stream_state', 'recording'],
  Files: ['download'],
  Dialogs: ['dialog'],
  People: ['control'],
  Console: ['console'],
  Other: [],
};

export const groupOf = ({ type }) => Object.keys(GROUPS).find((group) => GROUPS[group].includes(type)) ?? 'Other';

/** Follows a room's events; after a break it goes on from the last one seen. */
export class EventStream {
  connected = false;
  since = 0;
  #socket;
  #timer = 0;

  constructor(room, heard, changed) {
    const open = () => {
      this.#socket = new WebSocket(api.eventsUrl(room, this.since), api.eventsProtocols());
      this.#socket.onopen = () => set(true);
      this.#socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        this.since = event.seq ?? this.since;
        heard(event);
      };
      this.#socket.onclose = () => {
        set(false);
        this.#timer = setTimeout(open, RETRY_MS);
      };
    };
    const set = (connected) => {
      this.connected = connected;
      changed();
    };
    open();
  }

  close() {
    clearTimeout(this.#timer);
    Object.assign(this.#socket, { onopen: null, onclose: null, onmessage: null });
    this.#socket.close();
  }
}

const CHANGES = {
  element_added: 'Elements were added',
  element_removed: 'Elements were removed',
  attributes: 'Attributes changed',
  text: 'Text changed',
};

const OWNERS = { agent: 'The agent drives.', nobody: 'Nobody drives.' };

const CAUSES = {
  requested: (_, reason) => `The agent asks for a person: ${reason}`,
  taken: (who) => `${who} has taken the wheel.`,
  done: (who) => `${who} is through.`,
  declined: (who) => `${who} has given the wheel back.`,
  gone: (who) => `${who} is gone.`,
  idle: (who) => `${who} did nothing.`,
  withdrawn: () => 'The agent asks for nobody any more.',
  expired: () => 'Nobody came.',
  asked: (who) => `${who} asks for the wheel.`,
};

const LINES = {
  page_navigation: ({ url }) => `Went to ${url}`,
  page_load_complete: ({ url }) => `Loaded ${url}`,
  dom_change: ({ change_type: change }) => CHANGES[change] ?? change,
  // What it meets is known when it ends.
  action_started: ({ action }) => `${describe(action, '')} …`,
  action_completed: ({ action, element }) => describe(action, element),
  action_error: ({ action, element, error }) => `${describe(action, element)}: ${error}`,
  browser_error: ({ error }) => error,
  stream_state: ({ state, reason }) => (reason ? `${state}: ${reason}` : state),
  settled: ({ url, settled }) => `${settled ? 'Settled' : 'Still busy'} at ${url}`,
  dialog: ({ kind, message }) => `${kind}: ${message}`,
  console: ({ level, text }) => `${level}: ${text}`,
  download: ({ name, state, bytes: size }) => [`${name}: ${state.replace('_', ' ')}`, size ? bytes(size) : ''].filter(Boolean).join(', '),
  control: ({ owner, cause, who, reason }) => [CAUSES[cause]?.(who ?? 'Somebody', reason) ?? cause, OWNERS[owner]].filter(Boolean).join(' '),
  recording: ({ state, file, reason }) => [`${state}: ${file}`, reason].filter(Boolean).join(', '),
  lagged: ({ missed }) => `${plural(missed, 'event')} missed`,
};

const ACTIONS = {
  navigate: ({ url }) => `Navigate to ${url}`,
  click: ({ count = 1, button = 'left', ...where }, on) => words(
    button === 'left' ? 'Click' : `Click the ${button} button on`, count > 1 && `${count} times`, on ?? place(where),
  ),
  hover: (where, on) => words('Point at', on ?? place(where)),
  type: ({ text, index, submit }, on) => words(
    `Type “${shorten(text, 80)}”`, (on ?? element(index)) && `into ${on ?? element(index)}`, submit && 'and press Enter',
  ),
  press: ({ keys, index, count = 1 }, on) => words(
    `Press ${[keys].flat().join(', ')}`, count > 1 && `${count} times`, (on ?? element(index)) && `in ${on ?? element(index)}`,
  ),
  select: ({ index, value, label, values, labels }, on) => words(
    'Choose', [label ?? value ?? labels ?? values ?? 'nothing'].flat().map((one) => `“${shorten(one, 60)}”`).join(', '), 'in', on ?? element(index),
  ),
  check: ({ index, checked = true }, on) => words(checked ? 'Tick' : 'Untick', on ?? element(index)),
  focus: ({ index }, on) => words('Focus', on ?? element(index)),
  drag: ({ from, to }, on) => words('Drag', on ?? place(from), 'to', place(to)),
  upload: ({ index, files, path }, on) => words(
    'Give', [files ?? path ?? []].flat().map((one) => one.name ?? one).join(', ') || 'files', 'to', on ?? element(index),
  ),
  scroll: ({ direction, amount = 500, index }, on) => words(
    `Scroll ${direction} ${amount} px`, (on ?? element(index)) && `in ${on ?? element(index)}`,
  ),
  clipboard_write: ({ text }) => `Put “${shorten(text, 80)}” on the clipboard`,
  clipboard_read: () => 'Read the clipboard',
  request_human: ({ reason }) => `Ask for a person: ${reason}`,
  withdraw_request: () => 'Ask for nobody any more',
  wait: ({ seconds, for: what }) => (what ? `Wait for ${Object.entries(what).map(([kind, value]) => (value === true ? kind : `${kind} “${shorten(value, 60)}”`)).join(', ')}` : `Wait ${seconds} s`),
  handle_dialog: ({ accept, text }) => [accept === false ? 'Cancel the dialog' : 'OK to the dialog', text ? `with “${shorten(text, 80)}”` : ''].filter(Boolean).join(' '),
  go_back: () => 'Go back',
  go_forward: () => 'Go forward',
  refresh: () => 'Reload the page',
  new_tab: ({ url }) => (url ? `Open ${url} in a new tab` : 'Open a new tab'),
  switch_tab: ({ tab }) => `Switch to tab ${tab}`,
  close_tab: ({ tab }) => (tab ? `Close tab ${tab}` : 'Close the tab'),
};

const words = (...parts) => parts.filter(Boolean).join(' ');

/** What is known of an element before the service has met it: its number. */
const element = (index) => (index === undefined ? '' : `element ${index}`);

/** Where something is done: at an element, or at a point; nowhere, where the order itself is wrong. */
function place({ index, x, y, coordinate_x: alsoX, coordinate_y: alsoY } = {}) {
  const [across, down] = [x ?? alsoX, y ?? alsoY];
  return element(index) || (across === undefined || down === undefined ? '' : `at ${across}, ${down}`);
}

export function summarise({ type, timestamp, seq, ...fields }) {
  return shorten(LINES[type]?.(fields) ?? JSON.stringify(fields), LINE_CHARS);
}

/** An action in words: `click {"index": 5}` is "Click button “Save”", by what the service met there. */
function describe({ action_type: type, params = {} }, met) {
  return ACTIONS[type]?.(params, met) ?? `${type} ${JSON.stringify(params)}`;
}
