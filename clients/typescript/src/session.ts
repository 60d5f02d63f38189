// One browser session.

import { NotFound } from "./errors.js";
import { type EventOptions, EventStream } from "./events.js";
import type {
  ActionResult,
  Download,
  SessionRecord,
  Share,
  StorageState,
  Tab,
  TakeoverOrder,
} from "./models.js";
import { Page } from "./page.js";
import type { Transport } from "./transport.js";
import { given } from "./wire.js";

/**
 * A browser session of the service; the handle may be dropped and the session goes on.
 *
 * Every call throws `ConnectionFailed` when the service cannot be reached, `NotFound` when the session is gone, and
 * another `ServiceError` when it refuses. Calls that act on the page throw `ActionFailed` when the action did not
 * succeed; the session lives on then.
 */
export class Session extends Page {
  /** Whether the call that made this handle found the session, alive or stored. */
  readonly reused: boolean;
  readonly #socket: typeof WebSocket | undefined;

  constructor(
    transport: Transport,
    record: SessionRecord,
    options: { reused: boolean; WebSocket?: typeof WebSocket | undefined },
  ) {
    super(transport, record);
    this.reused = options.reused;
    this.#socket = options.WebSocket;
  }

  // What is known of it.

  /** The name under which it is kept; null for a session of a room alone. */
  get sessionName(): string | null {
    return this.known.session_name ?? null;
  }

  /** The LiveKit room; null for a session without one. */
  get roomName(): string | null {
    return this.known.room_name ?? null;
  }

  /**
   * Whether it had a browser that works when it was last heard of. Fresh right after the handle was made and after
   * `refresh`; this property itself asks nobody.
   */
  get isActive(): boolean {
    return this.known.active;
  }

  /**
   * Asks for the session's record, and with it for `isActive`. Throws `NotFound` when the session is gone; `isActive`
   * is false then.
   */
  async refresh(): Promise<SessionRecord> {
    try {
      return await this.heard(this.transport.api.GET("/sessions/{room_name}", { params: this.at }));
    } catch (error) {
      if (error instanceof NotFound) this.known = { ...this.known, active: false, state: "closed" };
      throw error;
    }
  }

  /**
   * What sites know the browser by, for `createSession({ storage_state })`: cookies and storage. What the form cannot
   * hold is named in `leftOut` of its origin.
   */
  storageState(options: { indexed_db?: boolean } = {}): Promise<StorageState> {
    const params = { ...this.at, query: given(options) };
    return this.transport.answer(this.transport.api.GET("/sessions/{room_name}/storage_state", { params }));
  }

  // People who watch and drive.

  /**
   * Makes a link by which people watch the session without a token, and can do nothing else. `ttl_s` is how long it is
   * good, seconds, at most a day; an hour without it.
   */
  share(options: { ttl_s?: number } = {}): Promise<Share> {
    const order = { params: this.at, body: given(options) };
    return this.transport.answer(this.transport.api.POST("/sessions/{room_name}/share", order));
  }

  /** Ends all such links, and sends away whoever watches by one; returns how many there were. */
  async revokeShares(): Promise<number> {
    const call = this.transport.api.DELETE("/sessions/{room_name}/share", { params: this.at });
    return (await this.transport.answer(call)).revoked;
  }

  /** Makes a link by which a person takes the wheel, on a page for desktops and phones. */
  takeover(order: TakeoverOrder = {}): Promise<Share> {
    const sent = { params: this.at, body: given(order) };
    return this.transport.answer(this.transport.api.POST("/sessions/{room_name}/takeover", sent));
  }

  /** Ends all such links, and sends away whoever drives by one; returns how many there were. */
  async revokeTakeovers(): Promise<number> {
    const call = this.transport.api.DELETE("/sessions/{room_name}/takeover", { params: this.at });
    return (await this.transport.answer(call)).revoked;
  }

  /**
   * Asks for a person, and returns the link by which one takes the wheel. An event `control` says when somebody has
   * come, and when they are through.
   *
   * @param reason What the person is to do, as they are to read it.
   * @param options How long to wait for somebody, seconds, an hour without it; and whether nobody else sees the page
   *   while they drive.
   */
  async requestHuman(reason: string, options: { wait_s?: number; private?: boolean } = {}): Promise<string> {
    const asked = await this.act("request_human", { reason, ...given(options) });
    return String((asked.data as { takeover_url?: string } | undefined)?.takeover_url);
  }

  // Tabs.

  /** The tabs, in the order in which they were opened. */
  async tabs(): Promise<Tab[]> {
    return (await this.context()).tabs;
  }

  /** Opens a tab, which becomes the current one, and returns its number. */
  async newTab(url?: string): Promise<number> {
    const opened = await this.act("new_tab", given({ url }));
    return Number((opened.data as { tab?: number } | undefined)?.tab);
  }

  /** Makes a tab the current one. */
  switchTab(tab: number): Promise<ActionResult> {
    return this.act("switch_tab", { tab });
  }

  /** Closes a tab, or the current one; the only tab cannot be closed. */
  closeTab(tab?: number): Promise<ActionResult> {
    return this.act("close_tab", given({ tab }));
  }

  // Downloads.

  /** The files that pages gave, oldest first. */
  async downloads(): Promise<Download[]> {
    const call = this.transport.api.GET("/sessions/{room_name}/downloads", { params: this.at });
    return (await this.transport.answer(call)).downloads;
  }

  /** The content of a download; `Conflict` while it is not whole. */
  async download(id: string): Promise<Uint8Array> {
    const params = { path: { ...this.at.path, id } };
    const content = await this.transport.answer(
      this.transport.api.GET("/sessions/{room_name}/downloads/{id}", { params, parseAs: "arrayBuffer" }),
    );
    return new Uint8Array(content as ArrayBuffer);
  }

  // Its life.

  /** Stops the video; the browser, its actions and its events go on. */
  pause(): Promise<SessionRecord> {
    return this.heard(this.transport.api.POST("/sessions/{room_name}/pause", { params: this.at }));
  }

  /** Shows the video again. */
  resume(): Promise<SessionRecord> {
    return this.heard(this.transport.api.POST("/sessions/{room_name}/resume", { params: this.at }));
  }

  /** Ends the session and returns its last record; with `profile` its logins go too, where it has a name. */
  close(options: { profile?: boolean } = {}): Promise<SessionRecord> {
    const params = { ...this.at, query: options.profile ? { profile: "delete" as const } : {} };
    return this.heard(this.transport.api.DELETE("/sessions/{room_name}", { params }));
  }

  /** The session's events, to iterate over. */
  events(options: EventOptions = {}): EventStream {
    const room = this.roomName ?? this.sessionName ?? this.sessionId;
    return new EventStream(this.transport, room, options, this.#socket);
  }

  private async heard(call: Promise<{ data?: SessionRecord; response: Response }>): Promise<SessionRecord> {
    this.known = await this.transport.answer(call);
    return this.known;
  }
}
