/**
 * Client of Ghostcast, a service that gives programs browser sessions.
 *
 * `BrowserClient` starts, finds and ends sessions; `Session` is one of them, and `EventStream` what happens in it.
 *
 * @module
 */

export { BrowserClient, type SessionOptions } from "./client.js";
export * from "./errors.js";
export { EventStream, type Event, type EventOptions, type EventType } from "./events.js";
export type { components, operations, paths } from "./generated/api.js";
export type * from "./models.js";
export type { ActOptions, Bound, PictureOptions } from "./page.js";
export { Session } from "./session.js";
export type { Api, ClientOptions } from "./transport.js";
export { VERSION } from "./version.js";
