// The event stream of a room, and each event in one readable line.

import * as api from './api.js';
import { count, plural, shorten } from './format.js';

const RETRY_MS = [500, 1_000, 2_000, 5_000];
const LINE_CHARS = 240;

/** The filter chips: every event type belongs to one. */
export const GROUPS = {
  pages: { label: 'Pages', types: ['page_navigation', 'page_load_complete', 'settled'] },
  changes: { label: 'Changes', types: ['dom_change'] },
  actions: { label: 'Actions', types: ['action_started', 'action_completed'] },
  errors: { label: 'Errors', types: ['action_error', 'browser_error', 'lagged'] },
  stream: { label: 'Stream', types: ['stream_state'] },
  dialogs: { label: 'Dialogs', types: ['dialog'] },
  console: { label: 'Console', types: ['console'] },
  other: { label: 'Other', types: [] },
};

const GROUP_OF = new Map(
  Object.entries(GROUPS).flatMap(([group, { types }]) => types.map((type) => [type, group])),
);

export const groupOf = (event) => GROUP_OF.get(event.type) ?? 'other';

/** Follows a room's events; after a break it goes on from the last one seen. */
export class EventStream {
  connected = false;
  since = 0;

  #room;
  #heard;
  #changed;
  #socket = null;
  #tries = 0;
  #timer = 0;

  constructor(room, heard, changed) {
    this.#room = room;
    this.#heard = heard;
    this.#changed = changed;
    this.#open();
  }

  close() {
    clearTimeout(this.#timer);
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close();
  }

  #open() {
    const socket = new WebSocket(api.eventsUrl(this.#room, this.since));
    this.#socket = socket;
    socket.onopen = () => {
      this.#tries = 0;
      this.#set(true);
    };
    socket.onmessage = ({ data }) => {
      const event = parse(data);
      if (!event) return;
      if (Number.isInteger(event.seq)) this.since = event.seq;
      this.#heard(event);
    };
    socket.onclose = () => {
      this.#set(false);
      const pause = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
      this.#timer = setTimeout(() => this.#open(), pause);
    };
  }

  #set(connected) {
    this.connected = connected;
    this.#changed();
  }
}

function parse(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

const CHANGES = {
  element_added: 'Elements were added',
  element_removed: 'Elements were removed',
  attributes: 'Attributes changed',
  text: 'Text changed',
};

const LINES = {
  page_navigation: ({ url }) => `Went to ${url}`,
  page_load_complete: ({ url }) => `Loaded ${url}`,
  dom_change: ({ change_type: change }) => CHANGES[change] ?? `Changed: ${change}`,
  action_started: ({ action }) => `${describe(action)} …`,
  action_completed: ({ action }) => describe(action),
  action_error: ({ action, error }) => `${describe(action)}: ${error}`,
  browser_error: ({ error }) => error,
  stream_state: ({ state, reason }) => (reason ? `${state}: ${reason}` : state),
  settled: ({ url, settled }) => (settled ? `Settled at ${url}` : `Still busy at ${url}`),
  dialog: ({ kind, message }) => `${kind ?? 'dialog'}: ${message ?? ''}`,
  console: ({ level, text }) => `${level}: ${text}`,
  lagged: ({ missed }) => `${plural(missed, 'event')} missed`,
};

export function summarise(event) {
  const line = LINES[event.type];
  if (line) return shorten(line(event), LINE_CHARS);
  const { type, timestamp, seq, ...rest } = event;
  return shorten(JSON.stringify(rest), LINE_CHARS);
}

/** An action in words: `click {"index": 5}` is "Click element 5". */
export function describe(action) {
  const { action_type: type, params = {} } = action ?? {};
  const x = params.x ?? params.coordinate_x;
  const y = params.y ?? params.coordinate_y;
  const element = params.index === undefined ? '' : `element ${params.index}`;
  const words = {
    navigate: () => `Navigate to ${params.url}`,
    click: () => `${['', 'Click', 'Double-click', 'Triple-click'][params.count ?? 1] ?? 'Click'} ${
      element || `at ${count(x)}, ${count(y)}`}`,
    type: () => `Type “${shorten(params.text ?? '', 80)}”${element && ` into ${element}`}${
      params.submit ? ' and press Enter' : ''}`,
    scroll: () => `Scroll ${params.direction} ${params.amount ?? 500} px${element && ` in ${element}`}`,
    wait: () => `Wait ${params.seconds} s`,
    go_back: () => 'Go back',
    go_forward: () => 'Go forward',
    refresh: () => 'Reload the page',
  }[type];
  return words ? words() : `${type} ${shorten(JSON.stringify(params), 120)}`;
}
