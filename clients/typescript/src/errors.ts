// What can go wrong, as one tree of classes below `GhostcastError`.

import type { ActionErrorKind, ActionResult, ErrorKind } from "./models.js";

/** Anything that this package throws by itself. */
export class GhostcastError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The service could not be reached, or was lost before it had answered. */
export class ConnectionFailed extends GhostcastError {
  /**
   * Whether the request may have reached the service and been carried out. It is false where no connection came
   * about, and then the request may be sent again.
   */
  readonly mayHaveBeenDone: boolean;

  constructor(message: string, mayHaveBeenDone = false, options?: ErrorOptions) {
    super(message, options);
    this.mayHaveBeenDone = mayHaveBeenDone;
  }
}

/** No event came in the time that it was waited for. */
export class NoEvent extends GhostcastError {}

/** A script in the page threw. */
export class ScriptError extends GhostcastError {
  /** The class of what was thrown, such as `TypeError`. */
  readonly thrown: string;
  /** What it says. */
  readonly sentence: string;
  /** Where it was thrown. */
  readonly thrownAt: string;

  constructor(thrown: string, sentence: string, thrownAt: string) {
    super(`${thrown}: ${sentence}`);
    this.thrown = thrown;
    this.sentence = sentence;
    this.thrownAt = thrownAt;
  }
}

/** An action was understood and did not succeed; the session lives on. */
export class ActionFailed extends GhostcastError {
  /** Why, for a program to branch on, such as `element_covered`. */
  readonly kind: ActionErrorKind;
  /** What went wrong and what to do next. */
  readonly sentence: string;
  /**
   * The whole result, whose `retry` tells whether the action may be sent again; null where the action was refused
   * before it was sent.
   */
  readonly result: ActionResult | null;

  constructor(kind: ActionErrorKind, sentence: string, result: ActionResult | null = null) {
    super(`${kind}: ${sentence}`);
    this.kind = kind;
    this.sentence = sentence;
    this.result = result;
  }
}

/** What a refusal says. */
export interface Refusal {
  kind: string;
  message: string;
  hint?: string | null | undefined;
  request_id?: string | null | undefined;
}

/** The service refused a request. Its subclasses are named as the kinds are. */
export class ServiceError extends GhostcastError {
  /** The class of the error, such as `not_found`. */
  readonly kind: ErrorKind | (string & {});
  /** What went wrong. */
  readonly sentence: string;
  /** What to do next, where the service says. */
  readonly hint: string | null;
  /** Names the request in the service's log. */
  readonly requestId: string | null;
  /** The HTTP status. */
  readonly status: number;

  constructor(refusal: Refusal, status: number) {
    super(refusal.hint ? `${refusal.message} (${refusal.hint})` : refusal.message);
    this.kind = refusal.kind;
    this.sentence = refusal.message;
    this.hint = refusal.hint ?? null;
    this.requestId = refusal.request_id ?? null;
    this.status = status;
  }
}

/** The session, or the service, ended before it had answered. */
export class Cancelled extends ServiceError {}

/** The session has closed under the request. */
export class Closed extends ServiceError {}

/** The thing exists already, or is in a state that does not allow this. */
export class Conflict extends ServiceError {}

/** A person drives the session; where they do so privately, nothing is told of the page. */
export class HumanInControl extends Conflict {}

/** A budget or queue of the service is full; the hint names it. */
export class Exhausted extends ServiceError {}

/** The caller, the host or the URL is refused. */
export class Forbidden extends ServiceError {}

/** A defect of the service. */
export class Internal extends ServiceError {}

/** The request makes no sense as it was sent. */
export class InvalidInput extends ServiceError {}

/** The service was not given what this needs. */
export class NotConfigured extends ServiceError {}

/** No such session, file or path. */
export class NotFound extends ServiceError {}

/** It took longer than its bound; the sentence says what was there instead. */
export class Timeout extends ServiceError {}

/** No valid token came with the request. */
export class Unauthenticated extends ServiceError {}

/** Something that the service depends on, such as the browser, is not there. */
export class Unavailable extends ServiceError {}

/** The request lacks what only its caller can add. */
export class Unprocessable extends ServiceError {}

/** The request is for more than this page, format or build can do. */
export class Unsupported extends ServiceError {}

/** The class of each kind. The compiler holds it to the kinds of the OpenAPI document. */
export const KINDS: Readonly<Record<ErrorKind, typeof ServiceError>> = {
  cancelled: Cancelled,
  closed: Closed,
  conflict: Conflict,
  exhausted: Exhausted,
  forbidden: Forbidden,
  human_in_control: HumanInControl,
  internal: Internal,
  invalid_input: InvalidInput,
  not_configured: NotConfigured,
  not_found: NotFound,
  timeout: Timeout,
  unauthenticated: Unauthenticated,
  unavailable: Unavailable,
  unprocessable: Unprocessable,
  unsupported: Unsupported,
};

/** What a status means that came from something between us and the service, such as a proxy. */
const OF_STATUS: Readonly<Record<number, ErrorKind>> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  410: "closed",
  422: "unprocessable",
  429: "exhausted",
  501: "not_configured",
  502: "unavailable",
  503: "unavailable",
  504: "timeout",
};

/** The error for an answer that is one, whoever gave it. */
export function serviceError(status: number, body: string, requestId: string | null): ServiceError {
  const refusal = refusalOf(body) ?? {
    kind: OF_STATUS[status] ?? (status < 500 ? "invalid_input" : "internal"),
    message: `HTTP ${status}: ${body.slice(0, 200).trim()}`,
  };
  const kinds: Readonly<Record<string, typeof ServiceError | undefined>> = KINDS;
  const made = kinds[refusal.kind] ?? ServiceError;
  return new made({ ...refusal, request_id: refusal.request_id ?? requestId }, status);
}

function refusalOf(body: string): Refusal | null {
  try {
    const { error } = JSON.parse(body) as { error: Refusal };
    return typeof error.kind === "string" && typeof error.message === "string" ? error : null;
  } catch {
    return null;
  }
}
