// What goes to the service and what it answers, by the names that its OpenAPI document has for them.

import type { components, operations } from "./generated/api.js";

type Schemas = components["schemas"];

export type ActionErrorKind = Schemas["ActionErrorKind"];
export type ActionResult = Schemas["ActionResult"];
export type ActionStatus = Schemas["ActionStatus"];
export type CleanedUp = Schemas["CleanedUp"];
export type Condition = Schemas["Condition"];
export type Download = Schemas["DownloadInfo"];
export type EndedSession = Schemas["EndedSession"];
export type ErrorKind = Schemas["ErrorKind"];
export type Expects = Schemas["Expects"];
export type Health = Schemas["Health"];
export type PageContext = Schemas["PageContext"];
export type SavedScreenshot = Schemas["SavedScreenshot"];
export type ScreenshotOrder = Schemas["ScreenshotOrder"];
export type SessionRecord = Schemas["SessionRecord"];
export type SessionSpec = Schemas["SessionSpec"];
export type Share = Schemas["Share"];
export type Size = Schemas["Size"];
export type Stats = Schemas["Stats"];
export type StorageState = Schemas["StorageState"];
export type Tab = Schemas["TabInfo"];
export type TakeoverOrder = Schemas["TakeoverOrder"];

/** How a session has ended, without its last events. */
export type Ended = Schemas["Ended"];

/** What a context shall hold beside the page itself. */
export type ContextQuery = NonNullable<operations["context"]["parameters"]["query"]>;

/** How far a page is when a navigation is answered. */
export type WaitUntil = NonNullable<Schemas["Navigation"]["wait_until"]>;

/** A CSS selector, which is waited for; an index of the list of elements; or a point, x and y, in CSS px. */
export type Target = string | number | readonly [x: number, y: number];

/** A file to hand to a page. */
export interface UploadFile {
  name: string;
  content: string | Uint8Array | Blob;
  mime_type?: string;
}
