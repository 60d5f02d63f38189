// The scenarios that every client passes: clients/scenarios.json says what is in one.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { ActionFailed, type BrowserClient, type EventStream, GhostcastError, NoEvent, ScriptError, ServiceError, Session } from "../src/node.js";
import { test } from "./fixtures.js";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Fields = { [name: string]: Json };

interface Step {
  do: string;
  with?: Fields;
  gives?: Json;
  fails?: Fields;
  keep?: { [word: string]: string };
}

const file = new URL("../../scenarios.json", import.meta.url);
const { scenarios } = JSON.parse(readFileSync(file, "utf8")) as { scenarios: { title: string; steps: Step[] }[] };

const HEAR_MS = 10_000;

/** The arguments that a method takes by their place; the others are fields of its last one. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  act: ["action", "params"],
  action_status: ["action_id"],
  cancel_action: ["action_id"],
  check: ["target"],
  cleanup_sessions: ["max_age_hours"],
  click: ["target"],
  close_tab: ["tab"],
  create_session: ["session_name"],
  delete_session: ["session_id_or_name"],
  download: ["download_id"],
  drag: ["source", "target"],
  ended_session: ["key"],
  ensure_session: ["session_name"],
  execute_js: ["script"],
  fill: ["target", "text"],
  focus: ["target"],
  get_session: ["key"],
  get_session_by_name: ["session_name"],
  hover: ["target"],
  interact: ["action", "target"],
  navigate: ["url"],
  new_tab: ["url"],
  press: ["keys"],
  request_human: ["reason"],
  screenshot_on_server: ["filename"],
  scroll: ["direction"],
  select: ["target"],
  submit: ["action", "params"],
  switch_tab: ["tab"],
  type: ["text"],
  uncheck: ["target"],
  upload: ["target", "files"],
};

/** Plays one scenario. */
class Player {
  #session: Session | undefined;
  #stream: EventStream | undefined;

  constructor(
    readonly client: BrowserClient,
    readonly words: Map<string, Json>,
  ) {}

  /** Does one step and compares what comes of it. */
  async play(step: Step): Promise<void> {
    const given = this.#filled(step.with ?? {}) as Fields;
    let gives: Json;
    try {
      gives = told(await this.#do(step.do, given, step.gives));
    } catch (error) {
      if (!(error instanceof GhostcastError) || step.fails === undefined) throw error;
      return assertLike(failure(error), this.#filled(step.fails), "the error");
    }
    if (step.fails !== undefined) throw new Error(`it does not fail; it gives ${JSON.stringify(gives)}`);
    if (step.gives !== undefined) assertLike(gives, this.#filled(step.gives), "it");
    for (const [word, path] of Object.entries(step.keep ?? {})) {
      const keys = path.split(".").filter(Boolean);
      this.words.set(`$${word}`, keys.reduce<Json>((part, key) => (part as Fields)[key] as Json, gives));
    }
  }

  close(): void {
    this.#stream?.close();
  }

  async #do(call: string, given: Fields, gives: Json | undefined): Promise<unknown> {
    if (call === "listen") {
      this.close();
      this.#stream = this.#session?.events(given as object);
      await this.#stream?.connect();
      return null;
    }
    if (call === "hear") return this.#hear((gives as Fields).type);
    if (call === "hear_nothing") {
      await expect(this.#stream?.take({ timeout_ms: Number(given.within_ms) })).rejects.toThrow(NoEvent);
      return null;
    }
    if (call === "select") for (const name of ["value", "label"]) plural(given, name);
    const method = call.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const owner = (this.#session && method in this.#session ? this.#session : this.client) as unknown as {
      [method: string]: (...given: unknown[]) => Promise<unknown>;
    };
    const places = PLACES[call] ?? [];
    const options = Object.fromEntries(Object.entries(given).filter(([name]) => !places.includes(name)));
    const made = await owner[method]?.(...places.map((name) => given[name]), options);
    if (made instanceof Session && /^(create|ensure)/.test(call)) this.#session = made;
    return made;
  }

  async #hear(type: Json | undefined): Promise<unknown> {
    for (;;) {
      const event = await this.#stream?.take({ timeout_ms: HEAR_MS });
      if (event?.type === type) return event;
    }
  }

  /** The words put in: as they are where they stand alone, and as text in a text. */
  #filled(value: Json): Json {
    if (Array.isArray(value)) return value.map((part) => this.#filled(part));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, this.#filled(part)]));
    }
    if (typeof value !== "string") return value;
    if (this.words.has(value)) return this.words.get(value) as Json;
    return value.replace(/\$[a-z]+/g, (word) => String(this.words.get(word) ?? word));
  }
}

/** Several of a thing are called by its plural. */
function plural(given: Fields, name: string): void {
  if (!Array.isArray(given[name])) return;
  given[`${name}s`] = given[name];
  delete given[name];
}

/** What an error says. */
function failure(error: GhostcastError): Json {
  const fields: Fields = { error: error.name };
  if (error instanceof ActionFailed) return { ...fields, kind: error.kind, result: told(error.result) };
  if (error instanceof ScriptError) return { ...fields, kind: error.thrown };
  if (!(error instanceof ServiceError)) return fields;
  const { kind, status, hint, requestId } = error;
  return { ...fields, kind, status, hint, request_id: requestId };
}

/** What came of a call as JSON has it. */
function told(value: unknown): Json {
  if (Array.isArray(value)) return value.map(told);
  if (value instanceof Session) return { ...(told(value.record) as Fields), reused: value.reused };
  if (!(value instanceof Uint8Array)) return JSON.parse(JSON.stringify(value ?? null)) as Json;
  const head = String.fromCharCode(...value.subarray(0, 12));
  const view = new DataView(value.buffer, value.byteOffset);
  const png = head.startsWith("\x89PNG") ? [view.getUint32(16), view.getUint32(20)] : null;
  return { size: value.length, head, png };
}

/** Compares; objects may have more fields than are wanted. */
function assertLike(found: Json | undefined, wanted: Json, at: string): void {
  const isLike = (what: Json): boolean => {
    const [how] = wanted !== null && typeof wanted === "object" ? Object.keys(wanted) : [];
    switch (how) {
      case "$like":
        return typeof found === "string" && new RegExp(String(what)).test(found);
      case "$least":
        return typeof found === "number" && found >= Number(what);
      case "$is":
        return (found != null) === (what === "there");
      case "$has":
        return Array.isArray(found) && found.some((part) => passes(() => assertLike(part, what, "")));
      default:
        return found === wanted || (found === undefined && wanted === null);
    }
  };
  const said = `${at} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`;
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found) || found.length !== wanted.length) throw new Error(said);
    for (const [number, part] of wanted.entries()) assertLike(found[number], part, `${at}.${number}`);
  } else if (wanted !== null && typeof wanted === "object" && !Object.keys(wanted)[0]?.startsWith("$")) {
    if (found === null || typeof found !== "object") throw new Error(said);
    for (const [name, part] of Object.entries(wanted)) assertLike((found as Fields)[name], part, `${at}.${name}`);
  } else if (!isLike(Object.values(wanted ?? {})[0] as Json)) {
    throw new Error(said);
  }
}

function passes(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

for (const { title, steps } of scenarios) {
  test(title, async ({ client, called, site }) => {
    const player = new Player(client, new Map([["$name", called], ["$site", site]]));
    try {
      for (const [number, step] of steps.entries()) {
        await player.play(step).catch((error: unknown) => {
          throw new Error(`step ${number + 1}, ${step.do}: ${error}`, { cause: error });
        });
      }
    } finally {
      player.close();
    }
  });
}
