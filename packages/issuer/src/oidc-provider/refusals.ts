/** Refusals in this library's words, told through oidc-provider: its events hear of them, and the wire has our whole answer. */
import { errorAnswer, type OAuthErrorBody, type Refusal } from "@credence/protocol";
import type { RefusalReason } from "@credence/protocol/reasons";
import type { errors, KoaContextWithOIDC } from "oidc-provider";

/** Seconds to wait after a 503. */
const RETRY_AFTER = 5;

type Context = Pick<KoaContextWithOIDC, "status" | "body" | "set">;

interface Answer {
  readonly status: number;
  readonly body: OAuthErrorBody;
}

/** What oidc-provider's own answer is replaced by: its members are fewer than ours. */
const answers = new WeakMap<object, Answer>();

/**
 * A refusal as an error of oidc-provider's, to be thrown from a grant; {@link writeRefusal} then completes the answer. It has the
 * members of its class, and not the class: there may be two copies of oidc-provider, and only the running one's would do.
 *
 * @param id - Under which the exact reason is on record.
 */
export function refusalError(ctx: object, refusal: Refusal, id: string): errors.OIDCProviderError {
  const { status, body } = errorAnswer(refusal, id);
  answers.set(ctx, { status, body });
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
export function writeRefusal(ctx: Context): boolean {
  const answer = answers.get(ctx);
  if (answer === undefined) return false;
  const { status, body } = answer;
  ctx.body = body;
  ctx.status = status;
  if (status === 503) ctx.set("retry-after", String(RETRY_AFTER));
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
  { oidc }: Pick<KoaContextWithOIDC, "oidc">,
  { error, error_description: description, error_detail: detail }: errors.OIDCProviderError,
  grant: string,
): Refusal {
  if (error === "invalid_client") return { reason: CLIENT_FAULTS.get(detail) ?? "client-auth-malformed" };
  if (oidc.client !== undefined && !oidc.client.grantTypeAllowed(grant)) return { reason: "client-grant" };
  // Its own words for the record: metadata of a client that it can not read is the operator's to mend.
  const words = [error, description].filter((word) => word !== undefined).join(": ");
  return { reason: "client-auth-malformed", error: "invalid_request", detail: words };
}
