import type { OAuthErrorCode, ReasonId } from "./reasons.ts";

/** Codes beyond OAuth's: what can go wrong on our own side of the wire. */
export type LocalErrorCode =
  /** Wrong configuration or a wrong call of our interface: a bug of the caller. */
  | "configuration"
  /** The other side could not be reached, or not in time. */
  | "network"
  /** The guard refused to fetch this URL, or its answer. */
  | "fetch_refused"
  /** The other side answered with something that is not what the specification says. */
  | "response_invalid"
  /** The other side does not offer what is needed (ID-JAG, a grant, a method). */
  | "not_supported"
  /** Nobody is signed in, or the sign-in can not be renewed. */
  | "sign_in_required";

/** Members of a {@link CredenceError} beside its message. */
export interface CredenceErrorOptions {
  readonly code: OAuthErrorCode | LocalErrorCode;
  /** Exact reason: an id of the catalogue, or the failing step's own stable id. */
  readonly reason?: ReasonId | (string & {});
  /** HTTP status, where an answer came. */
  readonly status?: number;
  /** The decision on record that this error speaks of. */
  readonly decisionId?: string;
  readonly cause?: unknown;
}

/** The one error that leaves our packages. `code` is stable and meant for `switch`; the message is for people. */
export class CredenceError extends Error {
  override readonly name: string = "CredenceError";
  readonly code: OAuthErrorCode | LocalErrorCode;
  readonly reason: string | undefined;
  readonly status: number | undefined;
  readonly decisionId: string | undefined;

  constructor(message: string, options: CredenceErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.reason = options.reason;
    this.status = options.status;
    this.decisionId = options.decisionId;
  }
}
