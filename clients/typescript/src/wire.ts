// How requests look on the wire; nothing here waits or sends.

import type { Target } from "./models.js";

/** Where the service listens unless it is told otherwise. */
export const DEFAULT_URL = "http://localhost:8765";

/** Bound on a request that has none of its own: longer than a browser takes to start on a busy machine. */
export const TIMEOUT_MS = 60_000;

/** What a request may take beyond the bound that the service keeps: its turn there, and the way. */
const SLACK_MS = 30_000;

/** The service's own bound on a navigation that names none. */
export const ACTION_MS = 15_000;

/** The service's own bound on a wait or a script that names none. */
export const WAIT_MS = 10_000;

/** The most elements that the service lists in one answer. */
export const LISTED_MAX = 5_000;

/** First and longest pause between two tries. */
const BACKOFF_MS = [100, 4_000] as const;

/** How long an answer may take that the service bounds by `boundMs`. */
export function within(boundMs: number, timeoutMs: number): number {
  return Math.max(boundMs + SLACK_MS, timeoutMs);
}

/** Pauses between tries, milliseconds: they double up to a limit, and are spread by chance. */
export function* backoffs(): Generator<number, never> {
  let [pauseMs, longestMs]: [number, number] = [...BACKOFF_MS];
  for (;;) {
    // Chance keeps clients apart that were lost together.
    yield pauseMs * (0.5 + Math.random() / 2);
    pauseMs = Math.min(pauseMs * 2, longestMs);
  }
}

/** Which element or point an interaction means. */
export function element(target: Target | undefined): Record<string, unknown> {
  if (target === undefined) return {};
  if (typeof target === "string") return { selector: target };
  if (typeof target === "number") return { index: target };
  const [x, y] = target;
  return { x, y };
}

/** The fields that are given: the service refuses those that it does not know. */
export function given<T extends object>(fields: T): T {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(kept) as T;
}

/** A base URL without a slash at its end; one without a scheme is refused. */
export function baseOf(url: string): string {
  if (!/^https?:\/\//.test(url)) throw new TypeError(`"${url}" is no http:// or https:// URL`);
  return url.replace(/\/+$/, "");
}

/** Bytes as base64. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  // Spread in parts: a call has no room for as many arguments as a file has bytes.
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** The subprotocols of an event socket. A browser's can set no headers, so the token is one of them. */
export function subprotocols(token: string | undefined): string[] {
  if (!token) return ["ghostcast.events.v1"];
  const said = base64(new TextEncoder().encode(token)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return ["ghostcast.events.v1", `ghostcast.bearer.${said}`];
}
