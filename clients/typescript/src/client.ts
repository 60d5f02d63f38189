// The service's sessions.

import { Conflict, NotFound } from "./errors.js";
import type {
  CleanedUp,
  Ended,
  EndedSession,
  Health,
  SessionRecord,
  SessionSpec,
  Size,
  Stats,
} from "./models.js";
import { Session } from "./session.js";
import { type Api, type ClientOptions, Transport } from "./transport.js";
import { mismatch } from "./version.js";
import { DEFAULT_URL, given } from "./wire.js";

/** How a session shall be: what the service takes, and what is shorter to write. */
export interface SessionOptions extends Omit<SessionSpec, "session_name" | "initial_url" | "viewport"> {
  /** The first page; an empty one without it. */
  url?: string;
  /** Width and height, CSS px. */
  viewport?: Size | readonly [width: number, height: number];
}

/**
 * A client of the service.
 *
 * Every call throws `ConnectionFailed` when the service cannot be reached, and a `ServiceError` when it refuses. Only
 * GET requests are sent again by themselves, after errors of the connection and after 503, with growing pauses.
 */
export class BrowserClient {
  readonly #transport: Transport;
  readonly #options: ClientOptions;
  #isCompared = false;

  constructor(baseUrl: string = DEFAULT_URL, options: ClientOptions = {}) {
    this.#transport = new Transport(baseUrl, options);
    this.#options = options;
  }

  /** Where the service is. */
  get baseUrl(): string {
    return this.#transport.baseUrl;
  }

  /** Every path of the service by its types, for what has no method here; a refusal is thrown as everywhere. */
  get api(): Api {
    return this.#transport.api;
  }

  /**
   * Starts a session; one with a name is kept, and comes back with its logins and its page.
   *
   * Throws `Conflict` when one of that name has a browser, unless `reuse` is true; `InvalidInput`, `Unprocessable` or
   * `Unsupported` for a wrong field; `Exhausted` when there are too many sessions; and `Unavailable` when no browser
   * starts.
   *
   * @param sessionName 1 to 128 of `A-Z a-z 0-9 . _ -`; or null for a session of a `room_name` alone.
   */
  async createSession(sessionName: string | null, options: SessionOptions = {}): Promise<Session> {
    const spec = specOf(sessionName, options);
    try {
      return await this.#start(spec);
    } catch (error) {
      if (!(error instanceof Conflict) || options.reuse || sessionName === null) throw error;
      // The service counts a name as taken as long as it is kept; here a browser takes it.
      const kept = await this.getSessionByName(sessionName);
      if (kept === null || !["stored", "failed"].includes(kept.record.state)) throw error;
      return this.#start({ ...spec, reuse: true });
    }
  }

  /**
   * The session of that name: as it lives, or else started, on its profile where it has one. The handle's `reused`
   * tells which.
   */
  ensureSession(sessionName: string, options: SessionOptions = {}): Promise<Session> {
    return this.createSession(sessionName, { ...options, reuse: true });
  }

  /** The session of that name, or null when there is none. */
  async getSessionByName(sessionName: string): Promise<Session | null> {
    try {
      const session = await this.getSession(sessionName);
      // Ids and rooms are found in the same place, and are no names.
      return session.sessionName === sessionName ? session : null;
    } catch (error) {
      if (error instanceof NotFound) return null;
      throw error;
    }
  }

  /** The session of that id, name or room; `NotFound` when there is none. */
  async getSession(key: string): Promise<Session> {
    const params = { path: { room_name: key } };
    return this.#session(await this.#transport.answer(this.api.GET("/sessions/{room_name}", { params })), true);
  }

  /** All sessions, alive or stored, oldest first. */
  async listSessions(): Promise<Session[]> {
    const answer = await this.#transport.answer(this.api.GET("/sessions"));
    const { sessions } = answer as { sessions: SessionRecord[] };
    return Promise.all(sessions.map((record) => this.#session(record, true)));
  }

  /** Ends a session by its id, name or room, also one whose browser does not answer, and returns its last record. */
  deleteSession(key: string, options: { profile?: boolean } = {}): Promise<SessionRecord> {
    const query = options.profile ? { profile: "delete" as const } : {};
    const params = { path: { room_name: key }, query };
    return this.#transport.answer(this.api.DELETE("/sessions/{room_name}", { params }));
  }

  /** Ends the sessions, alive or stored, in which nothing happened for so many hours. */
  cleanupSessions(
    maxAgeHours = 24,
    options: { dry_run?: boolean; profiles?: boolean } = {},
  ): Promise<CleanedUp> {
    const body = { max_age_hours: maxAgeHours, ...given(options) };
    return this.#transport.answer(this.api.POST("/sessions/cleanup", { body }));
  }

  /** The sessions that have ended within the last day, the newest first, without their events. */
  async ended(): Promise<Ended[]> {
    const answer = await this.#transport.answer(this.api.GET("/sessions", { params: { query: { ended: true } } }));
    return (answer as { ended: Ended[] }).ended;
  }

  /** How a session has ended, by its id, or the last one of a name or room, with its last events. */
  endedSession(key: string): Promise<EndedSession> {
    const params = { path: { room_name: key } };
    return this.#transport.answer(this.api.GET("/sessions/{room_name}/ended", { params }));
  }

  /** How the service is: `status` is `healthy`, or `degraded` for `reasons`. */
  serverHealth(): Promise<Health> {
    return this.#transport.answer(this.api.GET("/health"));
  }

  /** What the service, its browsers and its sessions do and cost. */
  stats(): Promise<Stats> {
    return this.#transport.answer(this.api.GET("/stats"));
  }

  async #start(spec: SessionSpec): Promise<Session> {
    const { reused, ...record } = await this.#transport.answer(this.api.POST("/sessions", { body: spec }));
    return this.#session(record as SessionRecord, reused);
  }

  async #session(record: SessionRecord, reused: boolean): Promise<Session> {
    await this.#compare();
    return new Session(this.#transport, record, { reused, WebSocket: this.#options.WebSocket });
  }

  /** Says once when the service is of another version. */
  async #compare(): Promise<void> {
    if (this.#isCompared) return;
    this.#isCompared = true;
    const health = await this.serverHealth().catch(() => null);
    const told = mismatch(health?.version ?? "", this.baseUrl);
    if (told !== null) (this.#options.warn ?? console.warn)(told);
  }
}

function specOf(sessionName: string | null, { url, viewport, ...fields }: SessionOptions): SessionSpec {
  const size = isPair(viewport) ? { width: viewport[0], height: viewport[1] } : viewport;
  // The service reuses unless it is told not to.
  const reuse = fields.reuse ?? false;
  return given({ session_name: sessionName, initial_url: url, viewport: size, ...fields, reuse }) as SessionSpec;
}

function isPair(viewport: SessionOptions["viewport"]): viewport is readonly [number, number] {
  return Array.isArray(viewport);
}
