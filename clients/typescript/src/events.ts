// A room's events, as a stream that reconnects.

import { ConnectionFailed, InvalidInput, NoEvent, ServiceError, Unavailable } from "./errors.js";
import type { KnownEvent } from "./generated/events.js";
import type { Transport } from "./transport.js";
import { backoffs, subprotocols } from "./wire.js";

/** How long a service may be away: longer than it takes to start again. */
const RECONNECT_MS = 60_000;

/** Events that wait to be taken. What comes beyond them stays with the service, which keeps it for a while. */
const WAITING_MAX = 4_096;

/** Each type of event; the compiler holds it to the schema. */
const TYPES: Readonly<Record<KnownEvent["type"], true>> = {
  action_completed: true,
  action_error: true,
  action_started: true,
  browser_error: true,
  console: true,
  control: true,
  dialog: true,
  dom_change: true,
  download: true,
  lagged: true,
  page_load_complete: true,
  page_navigation: true,
  permission: true,
  recording: true,
  session_ending: true,
  settled: true,
  stream_state: true,
};

/** A type of event. */
export type EventType = KnownEvent["type"];

/**
 * Something that happened: `type` says what, and which fields there are. A newer service may send types that this
 * version does not know; they fall to the `default` of a `switch`.
 */
export type Event = KnownEvent;

/** What is heard, and from where on. */
export interface EventOptions {
  /** Replays what is kept after this number first; 0 for all. Only new events without it. */
  since?: number;
  /** The counting that `since` is of. */
  epoch?: string;
  /** Which; `["all"]` for all, the six that are sent to everybody without it. */
  types?: readonly (EventType | "all")[];
  /** How long the service may be away, milliseconds. */
  reconnect_ms?: number;
}

let platformless: typeof WebSocket | undefined;

/** Names what opens sockets where the platform has nothing. */
export function useWebSocket(made: typeof WebSocket): void {
  platformless = made;
}

/**
 * The events of one room, in order, for as long as they are wanted.
 *
 * It connects by `connect`, or else before its first event. A connection that is lost is made again, from the event
 * after the last one that was taken; where some are no longer kept, or the service has begun another counting, a
 * `lagged` says so. A stream that had no `since` and no event yet goes on with what happens after it is connected
 * again.
 */
export class EventStream implements AsyncIterable<Event> {
  readonly #transport: Transport;
  readonly #room: string;
  readonly #options: EventOptions;
  readonly #made: typeof WebSocket;
  #seq: number | undefined;
  #epoch: string | undefined;
  #socket: WebSocket | undefined;
  #waiting: Event[] = [];
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(transport: Transport, room: string, options: EventOptions, made: typeof WebSocket | undefined) {
    const usable = made ?? globalThis.WebSocket ?? platformless;
    if (usable === undefined) throw new TypeError("there is no WebSocket here: give one as the client's option");
    this.#transport = transport;
    this.#room = room;
    this.#options = options;
    this.#made = usable;
    this.#seq = options.since;
    this.#epoch = options.epoch;
  }

  /** The number of the last event that was taken; for `since`. */
  get seq(): number | undefined {
    return this.#seq;
  }

  /** The counting that `seq` is of; for `epoch`. */
  get epoch(): string | undefined {
    return this.#epoch;
  }

  /** Connects now, once, so that nothing is missed from here on. */
  async connect(): Promise<this> {
    this.#isClosed = false;
    if (this.#socket === undefined) await this.#connect();
    return this;
  }

  /**
   * The next event. Throws `NoEvent` when none comes within `timeout_ms` milliseconds, `ConnectionFailed` when the
   * service stays away or the stream is closed, and a `ServiceError` where the service refuses.
   */
  async take(options: { timeout_ms?: number } = {}): Promise<Event> {
    const deadline = options.timeout_ms === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.timeout_ms;
    for (;;) {
      if (this.#isClosed) throw new ConnectionFailed("the stream is closed");
      const event = this.#waiting.shift();
      if (event !== undefined) return this.#taken(event);
      if (this.#socket === undefined) {
        await this.#reconnect(deadline);
      } else {
        if (Date.now() >= deadline) throw new NoEvent(`no event within ${options.timeout_ms} ms`);
        await this.#wait(deadline - Date.now());
      }
    }
  }

  /** Each event as it comes. Whoever leaves the loop closes the stream. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    try {
      for (;;) yield await this.take();
    } catch (error) {
      if (!this.#isClosed) throw error;
    } finally {
      this.close();
    }
  }

  /** Ends the stream; whoever iterates over it comes to the end. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#leave();
  }

  #taken(event: Event): Event {
    this.#seq = event.seq;
    this.#epoch = event.epoch ?? this.#epoch;
    return event;
  }

  #leave(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#wake();
  }

  /** Waits for anything to happen, at most so long. */
  #wait(ms: number): Promise<void> {
    return new Promise((over) => {
      const timer = ms < 2 ** 31 ? setTimeout(over, ms) : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        over();
      };
    });
  }

  async #reconnect(deadline: number): Promise<void> {
    const givesUpAt = Date.now() + (this.#options.reconnect_ms ?? RECONNECT_MS);
    for (const pauseMs of backoffs()) {
      if (this.#isClosed) return;
      try {
        return await this.#connect();
      } catch (error) {
        const isAway = error instanceof ConnectionFailed || error instanceof Unavailable;
        if (!isAway || Date.now() + pauseMs >= givesUpAt) throw error;
      }
      if (Date.now() + pauseMs >= deadline) throw new NoEvent("no event came, and the service is away");
      await this.#wait(pauseMs);
    }
  }

  async #connect(): Promise<void> {
    const socket = new this.#made(this.#url("ws"), subprotocols(this.#transport.token));
    this.#socket = socket;
    const isOpen = await new Promise<boolean>((settled) => {
      const late = setTimeout(() => socket.close(), this.#transport.timeoutMs);
      const end = (how: boolean) => {
        clearTimeout(late);
        settled(how);
      };
      socket.onopen = () => end(true);
      socket.onerror = () => end(false);
      socket.onclose = () => {
        end(false);
        if (this.#socket === socket) this.#leave();
      };
      socket.onmessage = (message) => {
        // One that was left may still have something to say.
        if (this.#socket === socket) this.#heard(String(message.data));
      };
    });
    if (isOpen || this.#isClosed) return;
    if (this.#socket === socket) this.#leave();
    throw await this.#refusal();
  }

  #heard(text: string): void {
    // Whoever takes so slowly hears the rest by another connection, from the last event that was taken on.
    if (this.#waiting.length >= WAITING_MAX) return this.#leave();
    this.#waiting.push(JSON.parse(text) as Event);
    this.#wake();
  }

  /** A socket's refusal is not told to programs: the same path says it to a plain request. */
  async #refusal(): Promise<Error> {
    const { baseUrl, token, timeoutMs } = this.#transport;
    const headers: HeadersInit = token ? { Authorization: `Bearer ${token}` } : {};
    try {
      await this.#transport.within(timeoutMs)(new Request(this.#url("http"), { headers }));
    } catch (error) {
      if (!(error instanceof ServiceError)) return error as Error;
      // A plain request that is let in is told that this path is for sockets.
      if (error.status !== 400) return error;
    }
    const unknown = this.#options.types?.filter((type) => type !== "all" && !(type in TYPES)) ?? [];
    const what = `no events from ${baseUrl}`;
    if (unknown.length > 0) {
      const message = `${what}: the service knows no ${unknown.join(", ")}`;
      return new InvalidInput({ kind: "invalid_input", message }, 400);
    }
    return new ConnectionFailed(`${what}: it takes no more sockets, or something on the way lets none through`);
  }

  #url(scheme: "http" | "ws"): string {
    const { baseUrl } = this.#transport;
    const query = new URLSearchParams({ details: "true" });
    if (this.#options.types?.length) query.set("types", this.#options.types.join(","));
    if (this.#seq !== undefined) {
      query.set("since", String(this.#seq));
      // An epoch without a number says nothing.
      if (this.#epoch !== undefined) query.set("epoch", this.#epoch);
    }
    const base = scheme === "ws" ? baseUrl.replace(/^http/, "ws") : baseUrl;
    return `${base}/mcp/events/${encodeURIComponent(this.#room)}?${query}`;
  }
}
