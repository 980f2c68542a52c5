import { ERRORS, errorOf, type OAuthErrorCode, type RefusalReason } from "./reasons.ts";

/** Why something was refused. `detail` is for the operator's log and audit, never for the wire, and holds no secret. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** What exactly: a parameter's or claim's name, a bound that was passed. Never a value that came from outside. */
  readonly detail?: string;
  /** Another error than the table's, for peers that know no other (`invalid_grant` in place of `access_denied`). */
  readonly error?: OAuthErrorCode;
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

/**
 * What the wire says of a refusal: the table's error, its generic sentence and the decision id; never the reason.
 *
 * @param refusal - Why.
 * @param decisionId - Under which id the exact reason is on record.
 * @returns HTTP status and JSON body.
 * @see RFC 6749 §5.2
 */
export function errorAnswer(refusal: Refusal, decisionId?: string): { status: number; body: OAuthErrorBody } {
  const error = refusal.error ?? errorOf(refusal.reason);
  const { status, description } = ERRORS[error];
  const body = decisionId
    ? { error, error_description: `${description} (decision ${decisionId})`, decision_id: decisionId }
    : { error, error_description: description };
  return { status, body: { ...body, ...refusal.wire } };
}
