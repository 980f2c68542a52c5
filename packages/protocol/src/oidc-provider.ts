/**
 * What the grants for oidc-provider share, at an IdP and at an app: refusals in this library's words, told through it, and
 * certificates as it takes them. Nothing of oidc-provider is loaded here.
 */
import type { RefusalReason } from "./reasons.ts";
import { type ErrorAnswer, errorAnswer, ok, type Refusal, type Result, refuse } from "./result.ts";

/** An error of oidc-provider's, as far as it is read and made here. */
export interface ProviderError extends Error {
  readonly error: string;
  readonly error_description?: string | undefined;
  readonly error_detail?: string | undefined;
}

/** As much of the context of a request as is needed. */
export interface ProviderContext {
  status: number;
  body: unknown;
  set(name: string, value: string): void;
}

/** What oidc-provider's own answer is replaced by: its members are fewer than ours. */
const answers = new WeakMap<object, ErrorAnswer>();

/**
 * A refusal as an error of oidc-provider's, to be thrown from a grant; {@link writeRefusal} then completes the answer. It has the
 * members of its class, and not the class: there may be two copies of oidc-provider, and only the running one's would do.
 *
 * @param id - Under which the exact reason is on record.
 */
export function refusalError(ctx: object, refusal: Refusal, id: string): ProviderError {
  const answer = errorAnswer(refusal, id);
  const { status, body } = answer;
  answers.set(ctx, answer);
  return Object.assign(new Error(body.error), {
    name: "OIDCProviderError",
    error: body.error,
    error_description: body.error_description,
    error_detail: refusal.reason,
    status,
    statusCode: status,
    expose: status < 500,
    allow_redirect: false,
  });
}

/** Writes the refusal of a request over what oidc-provider has answered; `false` where none of ours was thrown. */
export function writeRefusal(ctx: ProviderContext): boolean {
  const answer = answers.get(ctx);
  if (answer === undefined) return false;
  const { status, body, headers } = answer;
  ctx.body = body;
  ctx.status = status;
  for (const [name, value] of Object.entries(headers)) ctx.set(name, value);
  return true;
}

/** What oidc-provider says of a client that it does not authenticate, in the catalogue's words. */
const CLIENT_FAULTS: ReadonlyMap<string | undefined, RefusalReason> = new Map([
  ["client not found", "client-unknown"],
  ["invalid secret provided", "client-secret-wrong"],
  [
    "the provided authentication mechanism does not match the registered client authentication method",
    "client-auth-method-wrong",
  ],
]);

/**
 * Why oidc-provider refused a request before its grant was asked.
 *
 * @param grant - The request's grant type.
 * @returns the reason; the error on the wire stays oidc-provider's, but for a client that may not use the grant: that is
 * `unauthorized_client` (RFC 6749 §5.2).
 */
export function refusedBefore(
  { oidc }: { readonly oidc: { readonly client?: { grantTypeAllowed(grant: string): boolean } | undefined } },
  { error, error_description: description, error_detail: detail }: ProviderError,
  grant: string,
): Refusal {
  if (error === "invalid_client") return { reason: CLIENT_FAULTS.get(detail) ?? "client-auth-malformed" };
  if (oidc.client !== undefined && !oidc.client.grantTypeAllowed(grant)) return { reason: "client-grant" };
  // Its own words for the record: metadata of a client that it can not read is the operator's to mend.
  const words = [error, description].filter((word) => word !== undefined).join(": ");
  return { reason: "client-auth-malformed", error: "invalid_request", detail: words };
}

/** A certificate as oidc-provider takes it: in PEM, or one of node:crypto's. */
export type ProviderCertificate = string | { readonly raw: Uint8Array };

/**
 * Reads a certificate.
 *
 * @returns it in DER; `undefined` where there is none; refused: `certificate-malformed`.
 */
export function readCertificate(certificate: ProviderCertificate | undefined): Result<Uint8Array | undefined> {
  if (certificate === undefined) return ok(undefined);
  if (typeof certificate !== "string") return ok(Uint8Array.from(certificate.raw));
  const base64 = certificate.replaceAll(/-----(?:BEGIN|END) CERTIFICATE-----|\s/g, "");
  try {
    return ok(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
  } catch {
    return refuse("certificate-malformed", "PEM");
  }
}
