// Requests to the service: sent, repeated where that is safe, and their errors thrown as our own.

import createClient, { type Client } from "openapi-fetch";
import { ConnectionFailed, serviceError } from "./errors.js";
import type { paths } from "./generated/api.js";
import { TIMEOUT_MS, backoffs, baseOf } from "./wire.js";

type Fetch = (request: Request) => Promise<Response>;

/** How often a GET is sent again: enough for a connection that was let go of, and over within a second. */
const RETRIES = 2;

/** What Node.js calls the failures before anything was sent. Browsers do not tell. */
const BEFORE = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

/** What a client may be told. */
export interface ClientOptions {
  /** The service's `server.token`, or another that it knows, where it has one. */
  token?: string;
  /** Bound on each request, milliseconds; calls that take a bound of their own may last longer. */
  timeout_ms?: number;
  /** How often a GET is sent again. */
  retries?: number;
  /** What sends requests, in place of the platform's own. */
  fetch?: Fetch;
  /** What opens sockets, in place of the platform's own. */
  WebSocket?: typeof WebSocket;
  /** Hears that client and service are of different versions; `console.warn` without it. */
  warn?: (message: string) => void;
}

/** Every path of the service, by its types. A refusal is thrown as a `ServiceError`. */
export type Api = Client<paths>;

/** The connections of one client. */
export class Transport {
  readonly baseUrl: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly api: Api;
  readonly #retries: number;
  readonly #fetch: Fetch;

  constructor(baseUrl: string, options: ClientOptions) {
    this.baseUrl = baseOf(baseUrl);
    this.token = options.token;
    this.timeoutMs = options.timeout_ms ?? TIMEOUT_MS;
    this.#retries = options.retries ?? RETRIES;
    this.#fetch = options.fetch ?? ((request) => globalThis.fetch(request));
    this.api = createClient<paths>({
      baseUrl: this.baseUrl,
      fetch: this.within(this.timeoutMs),
      ...(this.token ? { headers: { Authorization: `Bearer ${this.token}` } } : {}),
    });
  }

  /** What sends a request and waits so long for each try. */
  within(timeoutMs: number): Fetch {
    return (request) => this.#send(request, timeoutMs);
  }

  /** The content of an answer of `api`. */
  async answer<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
    let data: T | undefined;
    try {
      ({ data } = await call);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    // A success that is no JSON comes from something other than the service.
    if (data === undefined) throw new ConnectionFailed(`what listens at ${this.baseUrl} is not the service`, true);
    return data;
  }

  /**
   * An answer that is no error. A GET is sent again when no connection came about, when it broke, and after 503.
   * Nothing else is: it might be done twice.
   */
  async #send(request: Request, timeoutMs: number): Promise<Response> {
    let left = request.method === "GET" ? this.#retries : 0;
    for (const pauseMs of backoffs()) {
      const response = await this.#try(request, timeoutMs, left);
      if (response?.ok) return response;
      if (response && (left === 0 || response.status !== 503)) {
        throw serviceError(response.status, await response.text(), response.headers.get("x-request-id"));
      }
      left -= 1;
      await new Promise((over) => setTimeout(over, pauseMs));
    }
    throw new Error("the last try returns or throws");
  }

  /** One try; null when it broke and another may follow. */
  async #try(request: Request, timeoutMs: number, left: number): Promise<Response | null> {
    const late = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([request.signal, late]);
    try {
      return await this.#fetch(new Request(left > 0 ? request.clone() : request, { signal }));
    } catch (error) {
      if (request.signal.aborted) throw error;
      // An answer that does not come in time has had its time already.
      if (left > 0 && !late.aborted) return null;
      throw this.#lost(error, late.aborted);
    }
  }

  #lost(error: unknown, isLate: boolean): ConnectionFailed {
    if (isLate) return new ConnectionFailed(`${this.baseUrl} has not answered in time`, true, { cause: error });
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    const isBefore = BEFORE.has(cause?.code ?? "");
    const what = isBefore
      ? `no connection to ${this.baseUrl}`
      : `the connection to ${this.baseUrl} failed, or broke before the answer`;
    const hint = "document" in globalThis ? "; a web page needs its origin in server.allowed_origins" : "";
    const why = cause?.message || (error as Error).message;
    return new ConnectionFailed(`${what}: ${why}${hint}`, !isBefore, { cause: error });
  }
}
