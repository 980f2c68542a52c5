import { ERRORS, errorOf, type OAuthErrorCode, type RefusalReason } from "./reasons.ts";

/** Why something was refused. `detail` is for the operator's log and audit, never for the wire, and holds no secret. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** What exactly: a parameter's or claim's name, a bound that was passed. Never a value that came from outside. */
  readonly detail?: string;
  /** Another error than the table's, for peers that know no other (`invalid_grant` in place of `access_denied`). */
  readonly error?: OAuthErrorCode;
  /** Whole seconds until it is worth trying again, where that is known (RFC 6585 §4). */
  readonly retryAfter?: number;
  /** Members that the error's answer carries (RFC 9470: `max_age`, `acr_values`). */
  readonly wire?: Readonly<Record<string, string | number>>;
}

/** The outcome of every validator: a value, or the reason why not. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

/** A good outcome. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** A refusal, by reason and what exactly. */
export function refuse(
  reason: RefusalReason,
  detail?: string,
  wire?: Refusal["wire"],
): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal: { reason, ...(detail === undefined ? {} : { detail }), ...(wire ? { wire } : {}) } };
}

/** The body of an OAuth error answer. */
export interface OAuthErrorBody {
  readonly error: OAuthErrorCode;
  readonly error_description: string;
  readonly decision_id?: string;
  readonly [member: string]: string | number | undefined;
}

/** An OAuth error, as it is answered. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: OAuthErrorBody;
  readonly headers: Readonly<Record<string, string>>;
}

/** Seconds after which a service that is unavailable is worth another try. */
const RETRY_AFTER = 5;

/**
 * What the wire says of a refusal: the table's error, its generic sentence and the decision id; never the reason.
 *
 * @param refusal - Why.
 * @param decisionId - Under which id the exact reason is on record.
 * @returns HTTP status, JSON body, and the headers that the status asks for: `retry-after`, `allow`.
 * @see RFC 6749 §5.2; RFC 6585 §4; RFC 9110 §10.2.1, §10.2.3
 */
export function errorAnswer(refusal: Refusal, decisionId?: string): ErrorAnswer {
  const error = refusal.error ?? errorOf(refusal.reason);
  const { description, retry } = ERRORS[error];
  const wrongMethod = refusal.reason === "method-wrong";
  const status = wrongMethod ? 405 : ERRORS[error].status;
  const headers = {
    ...(retry === "wait" ? { "retry-after": String(refusal.retryAfter ?? RETRY_AFTER) } : {}),
    // Our endpoints for clients take nothing else.
    ...(wrongMethod ? { allow: "POST" } : {}),
  };
  const body = decisionId
    ? { error, error_description: `${description} (decision ${decisionId})`, decision_id: decisionId }
    : { error, error_description: description };
  return { status, body: { ...body, ...refusal.wire }, headers };
}
