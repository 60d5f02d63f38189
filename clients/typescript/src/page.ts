// A session's page: what is seen of it, and what is done to it.

import { ActionFailed, ScriptError } from "./errors.js";
import type {
  ActionResult,
  ActionStatus,
  Condition,
  ContextQuery,
  Expects,
  PageContext,
  SavedScreenshot,
  ScreenshotOrder,
  SessionRecord,
  Target,
  UploadFile,
  WaitUntil,
} from "./models.js";
import type { Transport } from "./transport.js";
import { ACTION_MS, LISTED_MAX, WAIT_MS, base64, element, given, within } from "./wire.js";

/** A bound on the wait for a selector, milliseconds, at most 120,000; 10,000 without it. */
export type Bound = {
  timeout_ms?: number;
};

/** What goes with an action beside its parameters. */
export interface ActOptions {
  /** Whether an action that fails throws `ActionFailed`; else look at `success`. */
  check?: boolean;
  /** The `action_id` of a failure that this one puts right. */
  correction_of?: string;
  /** What must still be so. */
  expects?: Expects;
}

/** Which picture; the whole viewport as PNG without any. */
export type PictureOptions = Omit<ScreenshotOrder, "filename">;

/** The current page of a session, as `Session` has it. */
export class Page {
  protected readonly transport: Transport;
  protected known: SessionRecord;

  constructor(transport: Transport, record: SessionRecord) {
    this.transport = transport;
    this.known = record;
  }

  /** The service's own id of the session, a UUID. */
  get sessionId(): string {
    return this.known.session_id;
  }

  /** The session as it was last heard of; `refresh` asks anew. */
  get record(): SessionRecord {
    return this.known;
  }

  /** Where each of its paths begins. */
  protected get at(): { path: { room_name: string } } {
    return { path: { room_name: this.sessionId } };
  }

  // What is seen.

  /** The page: URL, title, tabs, dialog, and what is asked for beside, such as `elements` and `text`. */
  context(query: ContextQuery = {}): Promise<PageContext> {
    const { api } = this.transport;
    return this.transport.answer(
      api.GET("/sessions/{room_name}/context", { params: { ...this.at, query: given(query) } }),
    );
  }

  /**
   * Goes to a URL, and returns when the page is as far as `wait_until` says: `settled`, the page at rest, or less.
   * `timeout_ms` bounds the whole; 15,000 without it. Throws `ActionFailed` when the page could not be loaded.
   */
  async navigate(url: string, options: Bound & { wait_until?: WaitUntil } = {}): Promise<ActionResult> {
    const answer = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/navigate", {
        params: this.at,
        body: { url, wait_until: "settled", ...given(options) },
        fetch: this.bounded(options.timeout_ms ?? ACTION_MS),
      }),
    );
    return this.done(answer);
  }

  /** Takes a picture. */
  async screenshot(options: PictureOptions = {}): Promise<Uint8Array> {
    const picture = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/screenshot", {
        params: this.at,
        body: given(options),
        parseAs: "arrayBuffer",
      }),
    );
    return new Uint8Array(picture as ArrayBuffer);
  }

  /** Takes a picture that the service writes into its own directory of screenshots, under a bare name. */
  async screenshotOnServer(filename: string, options: PictureOptions = {}): Promise<SavedScreenshot> {
    const saved = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/screenshot", {
        params: this.at,
        body: { filename, ...given(options) },
      }),
    );
    return saved as SavedScreenshot;
  }

  /**
   * Runs JavaScript in the page's own world and returns its value. Throws `ScriptError` when it throws.
   *
   * @param script An expression, or a function's body with `return`. A promise is waited for.
   * @param options What the script finds as `args`; the name, the URL or a part of the URL of a `frame`; and a
   *   bound on it, milliseconds, 10,000 without it.
   */
  async executeJs<T = unknown>(script: string, options: Bound & { args?: unknown; frame?: string } = {}): Promise<T> {
    const answer = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/execute", {
        params: this.at,
        body: { script, ...given(options) },
        fetch: this.bounded(options.timeout_ms ?? WAIT_MS),
      }),
    );
    if (answer.success) return answer.result as T;
    const { name = "Error", message = "", stack = "" } = answer.error ?? {};
    throw new ScriptError(name, message, stack);
  }

  /**
   * Waits until one thing is so, and returns how many milliseconds that took. Throws `Timeout` when it does not come
   * about.
   */
  async waitFor(condition: Condition): Promise<number> {
    const boundMs = condition.seconds ? condition.seconds * 1_000 : (condition.timeout_ms ?? WAIT_MS);
    const { waited_ms } = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/wait", {
        params: this.at,
        body: given(condition),
        fetch: this.bounded(boundMs),
      }),
    );
    return waited_ms;
  }

  // What is done to elements.

  /** Clicks a target. */
  click(
    target: Target,
    options: Bound & { button?: "left" | "middle" | "right"; count?: number } = {},
  ): Promise<ActionResult> {
    return this.interact("click", target, options);
  }

  /** Replaces what a field holds by `text`; `{{label}}` in it stands for a secret. `submit` presses Enter then. */
  fill(target: Target, text: string, options: Bound & { submit?: boolean } = {}): Promise<ActionResult> {
    return this.interact("fill", target, { text, ...options });
  }

  /** Types `text` after what a field holds, or into what has the focus. */
  type(text: string, options: Bound & { target?: Target; submit?: boolean } = {}): Promise<ActionResult> {
    const { target, ...params } = options;
    return this.interact("type", target, { text, ...params });
  }

  /** Presses a chord of keys, such as `Control+A`, or several one after the other. */
  press(
    keys: string | readonly string[],
    options: Bound & { target?: Target; count?: number } = {},
  ): Promise<ActionResult> {
    const { target, ...params } = options;
    return this.interact("press", target, { keys, ...params });
  }

  /** Moves the pointer over a target. */
  hover(target: Target, options: Bound = {}): Promise<ActionResult> {
    return this.interact("hover", target, options);
  }

  /** Gives a target the keyboard's focus. */
  focus(target: string | number, options: Bound = {}): Promise<ActionResult> {
    return this.interact("focus", target, options);
  }

  /** Chooses in a list, by `value` or by `label`; `values` and `labels` are all that is chosen then. */
  select(
    target: Target,
    chosen: { value: string } | { label: string } | { values: readonly string[] } | { labels: readonly string[] },
    options: Bound = {},
  ): Promise<ActionResult> {
    return this.interact("select", target, { ...chosen, ...options });
  }

  /** Ticks a checkbox, switch or radio, and returns whether that had to be done. */
  async check(target: string | number, options: Bound = {}): Promise<boolean> {
    return !("already" in dataOf(await this.interact("check", target, options)));
  }

  /** Unticks a checkbox or switch, and returns whether that had to be done. */
  async uncheck(target: string | number, options: Bound = {}): Promise<boolean> {
    return !("already" in dataOf(await this.interact("uncheck", target, options)));
  }

  /** Gives files to a field, or to the button that opens its chooser, 32 MiB together at most. */
  async upload(
    target: string | number,
    files: UploadFile | readonly UploadFile[],
    options: Bound = {},
  ): Promise<ActionResult> {
    const listed: readonly UploadFile[] = Array.isArray(files) ? files : [files as UploadFile];
    const sent = await Promise.all(
      listed.map(async ({ name, content, mime_type }) => {
        const bytes = new Uint8Array(await new Blob([content as BlobPart]).arrayBuffer());
        return given({ name, mime_type, data_base64: base64(bytes) });
      }),
    );
    // Only actions may be as long as files are.
    const index = await this.indexOf(target, options);
    return this.act("upload", { index, files: sent });
  }

  /** Drags one target onto another. */
  async drag(source: Target, target: Target, options: Bound = {}): Promise<ActionResult> {
    // Both are numbered of the same page before it is touched.
    const ends: Record<string, unknown>[] = [];
    for (const end of [source, target]) {
      ends.push(element(typeof end === "string" ? await this.indexOf(end, options) : end));
    }
    return this.interact("drag", undefined, { from: ends[0], to: ends[1] });
  }

  /** Scrolls the page, or what holds a target; `amount` is CSS px, 500 without it. */
  scroll(
    direction: "up" | "down" | "left" | "right" = "down",
    options: Bound & { amount?: number; target?: string | number } = {},
  ): Promise<ActionResult> {
    const { target, ...params } = options;
    return this.interact("scroll", target, { direction, ...params });
  }

  // Actions of every kind.

  /** Performs an action on a target, by its name: `click`, `fill`, `select` and so on. */
  async interact(
    action: string,
    target?: Target,
    params: Bound & Record<string, unknown> = {},
  ): Promise<ActionResult> {
    const boundMs = ACTION_MS + (params.timeout_ms ?? WAIT_MS);
    const answer = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/interact", {
        params: this.at,
        body: { action, ...element(target), ...given(params) },
        fetch: this.bounded(boundMs),
      }),
    );
    return this.done(answer);
  }

  /** Performs any action of the service, by its `action_type`. */
  async act(action: string, params: Record<string, unknown> = {}, options: ActOptions = {}): Promise<ActionResult> {
    const { check = true, ...beside } = options;
    const { seconds, timeout_ms } = params as { seconds?: number; timeout_ms?: number };
    const boundMs = seconds === undefined ? (timeout_ms ?? ACTION_MS) : seconds * 1_000;
    const answer = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/actions", {
        params: this.at,
        body: { action_type: action, params, ...given(beside) },
        fetch: this.bounded(boundMs),
      }),
    );
    return this.done(answer as ActionResult, check);
  }

  /** Begins an action as `act` does, and returns at once with its `action_id`. */
  async submit(
    action: string,
    params: Record<string, unknown> = {},
    options: Omit<ActOptions, "check"> = {},
  ): Promise<ActionStatus> {
    const answer = await this.transport.answer(
      this.transport.api.POST("/sessions/{room_name}/actions", {
        params: { ...this.at, query: { wait: false } },
        body: { action_type: action, params, ...given(options) },
      }),
    );
    return answer as ActionStatus;
  }

  /** How far an action is; `NotFound` when it is none of the last 256. */
  actionStatus(actionId: string): Promise<ActionStatus> {
    const params = { path: { ...this.at.path, action_id: actionId } };
    return this.transport.answer(
      this.transport.api.GET("/sessions/{room_name}/actions/{action_id}", { params }),
    );
  }

  /** Cancels an action that waits or runs; `Conflict` when it has ended. */
  cancelAction(actionId: string): Promise<ActionStatus> {
    const params = { path: { ...this.at.path, action_id: actionId } };
    return this.transport.answer(
      this.transport.api.DELETE("/sessions/{room_name}/actions/{action_id}", { params }),
    );
  }

  // Inner parts.

  /** What sends a request that the service bounds by so many milliseconds. */
  protected bounded(boundMs: number): (request: Request) => Promise<Response> {
    return this.transport.within(within(boundMs, this.transport.timeoutMs));
  }

  private done(result: ActionResult, check = true): ActionResult {
    this.known = { ...this.known, current_url: result.url || this.known.current_url };
    if (result.title != null) this.known = { ...this.known, title: result.title };
    if (check && !result.success) {
      throw new ActionFailed(result.error_kind ?? "internal", result.error ?? "", result);
    }
    return result;
  }

  /** The index of a target; a selector is waited for. */
  private async indexOf(target: string | number, options: Bound): Promise<number> {
    if (typeof target === "number") return target;
    const wait = { for: { selector: target }, ...given(options) };
    let found = foundBy(await this.act("wait", wait));
    if (found === undefined) {
      // An element has a number once the page is listed.
      await this.context({ elements: true, limit: LISTED_MAX, boxes: false });
      found = foundBy(await this.act("wait", wait));
    }
    if (found === undefined) {
      throw new ActionFailed("element_not_found", `${target} is nothing that can be acted on`);
    }
    return found;
  }
}

/** What an action has to tell beside its outcome. */
function dataOf(result: ActionResult): Record<string, unknown> {
  return (result.data ?? {}) as Record<string, unknown>;
}

/** The index of what a wait has found, where it has one. */
function foundBy(result: ActionResult): number | undefined {
  return (dataOf(result).found as { index?: number } | undefined)?.index;
}
