import { asObject, CredenceError, type CredenceErrorOptions } from "@credence/protocol";
import type { GuardedResponse } from "@credence/protocol/fetch";
import { ERRORS, type OAuthErrorCode, type Retry } from "@credence/protocol/reasons";

/** On which part of the way something went wrong. */
export type Leg =
  /** Between the person, the agent and the IdP: sign-in, its renewal, its end. */
  | "sign-in"
  /** Finding out what a resource needs and who serves it. */
  | "discovery"
  /** At the IdP: ID token for ID-JAG. */
  | "exchange"
  /** At the app's authorization server: ID-JAG for access token. */
  | "redemption"
  /** At the app's authorization server without an ID-JAG: its own code flow, where the agent has one. */
  | "code-flow"
  /** At the resource itself. */
  | "call";

/** Members of an {@link AgentError} beside its message. */
export interface AgentErrorOptions extends CredenceErrorOptions {
  readonly leg: Leg;
  /** Issuer or origin of the other side; the agent itself when it has not spoken with anybody. */
  readonly party: string;
  /** What would help; by default what the error table says for `code`. */
  readonly retry?: Retry;
  /** Seconds to wait, where the other side said so. */
  readonly retryAfter?: number;
  /** The sign-in may be at most this many seconds old. @see RFC 9470 §3 */
  readonly maxAge?: number;
  /** How the person must authenticate, values divided by spaces. @see RFC 9470 §3 */
  readonly acrValues?: string;
  /** The scope that the resource asks for. */
  readonly scope?: string;
}

/** The error of this package. `code` is for `switch`, `leg` and `party` tell where it happened. */
export class AgentError extends CredenceError {
  override readonly name: string = "AgentError";
  readonly leg: Leg;
  readonly party: string;
  readonly retry: Retry;
  readonly retryAfter: number | undefined;
  readonly maxAge: number | undefined;
  readonly acrValues: string | undefined;
  readonly scope: string | undefined;

  constructor(message: string, options: AgentErrorOptions) {
    super(message, options);
    this.leg = options.leg;
    this.party = options.party;
    this.retry = options.retry ?? retryOf(options.code);
    this.retryAfter = options.retryAfter;
    this.maxAge = options.maxAge;
    this.acrValues = options.acrValues;
    this.scope = options.scope;
  }
}

function retryOf(code: string): Retry {
  if (isOAuthError(code)) return ERRORS[code].retry;
  if (code === "sign_in_required") return "renew-sign-in";
  return code === "network" ? "wait" : "never";
}

function isOAuthError(code: unknown): code is OAuthErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}

const LEG_NAMES: Readonly<Record<Leg, string>> = {
  "sign-in": "the sign-in",
  discovery: "discovery",
  exchange: "the token exchange",
  redemption: "the redemption of the ID-JAG",
  "code-flow": "the app's own code flow",
  call: "the call",
};

/** What the agent's people can do, by error code. */
const ADVICE: Readonly<Partial<Record<string, string>>> = {
  access_denied: "The organization's policy decides this: ask its IT admin.",
  insufficient_user_authentication: "Let the person sign in again, with this error's maxAge and acrValues.",
  invalid_client: "Check the client id and credential that the agent has for this party.",
  unauthorized_client: "Register the client for this grant.",
  invalid_grant: "If a new sign-in does not help, ask the organization's IT admin.",
  invalid_target: "Check that the app and its resource are registered, exactly as the resource names them.",
  invalid_scope: "Ask for a scope that the app has.",
  temporarily_unavailable: "Try again later.",
  slow_down: "Wait, then try again.",
};

/**
 * Makes an error of an OAuth error answer.
 *
 * @param answer - A token endpoint's answer whose status is not 200.
 * @returns an error with the answer's `error` as code where the table knows it, else `response_invalid`.
 * @see RFC 6749 §5.2, RFC 9470 §3
 */
export function errorOfAnswer(answer: Pick<GuardedResponse, "status" | "headers" | "text">, where: Where): AgentError {
  const body = readBody(answer.text);
  return errorOfBody(body, answer.status, where, readRetryAfter(answer.headers));
}

/** A leg and the party on its other side. */
export interface Where {
  readonly leg: Leg;
  readonly party: string;
}

/** As {@link errorOfAnswer}, of a body that was parsed before. */
export function errorOfBody(
  body: Readonly<Record<string, unknown>>,
  status: number,
  where: Where,
  retryAfter?: number,
): AgentError {
  const error = typeof body.error === "string" && /^[a-z_]{1,64}$/.test(body.error) ? body.error : undefined;
  const code = isOAuthError(error) ? error : byStatus(status);
  const decisionId = cleanText(body.decision_id);
  const description = isOAuthError(error) ? beyond(ERRORS[error].description, body) : cleanText(body.error_description);
  const said = error ?? `HTTP status ${status}`;
  const message = [
    `${capital(LEG_NAMES[where.leg])} was refused by ${where.party}: ${said}${description ? ` (${description})` : ""}.`,
    where.leg === "sign-in" ? signInAdvice(error, code) : where.leg === "code-flow" ? undefined : ADVICE[code],
    decisionId ? whereOnRecord(code, decisionId) : undefined,
  ];
  return new AgentError(message.filter(Boolean).join(" "), {
    ...where,
    code,
    status,
    ...(error === undefined || isOAuthError(error) ? {} : { reason: `error-${error.replaceAll("_", "-")}` }),
    ...(decisionId ? { decisionId } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(isSeconds(body.max_age) ? { maxAge: body.max_age } : {}),
    ...(typeof body.acr_values === "string" ? { acrValues: body.acr_values.slice(0, 1_000) } : {}),
    // The table speaks of a subject token; at the app, what is unusable is the ID-JAG.
    ...(code === "invalid_grant" && where.leg === "redemption" ? { retry: "new-id-jag" } : {}),
  });
}

/** Callers that nobody knows are counted there, most of all, and not written down one by one. */
function whereOnRecord(code: string, decisionId: string): string {
  if (code === "invalid_client") return `Its decision id there is ${decisionId}.`;
  return `It is on record there as decision ${decisionId}.`;
}

const NOT_MENDED_BY_SIGN_IN = ["invalid_client", "unauthorized_client", "temporarily_unavailable", "slow_down"];

/** At the sign-in most is worth another one, and some is not. */
function signInAdvice(error: string | undefined, code: string): string | undefined {
  if (NOT_MENDED_BY_SIGN_IN.includes(code)) return ADVICE[code];
  // OpenID Connect Core Unmet Authentication Requirements §2: the same question would get the same answer.
  if (error === "unmet_authentication_requirements") {
    return "The person has no way to sign in that is as strong as asked: let them set one up at their IdP, then begin again.";
  }
  return "Begin the sign-in again.";
}

/** What a description says beyond the error table's own sentence, which the code and the advice say already. */
function beyond(known: string, { error_description: said }: Readonly<Record<string, unknown>>): string {
  return typeof said === "string" && said.startsWith(known) ? "" : cleanText(said);
}

/** An answer without an error that we know: its status tells the most. */
function byStatus(status: number): OAuthErrorCode | "response_invalid" {
  if (status === 429) return "slow_down";
  return status === 503 ? "temporarily_unavailable" : "response_invalid";
}

function readBody(text: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(text)) ?? {};
  } catch {
    return {};
  }
}

function readRetryAfter(headers: Headers): number | undefined {
  const seconds = /^\d{1,9}$/.exec(headers.get("retry-after") ?? "")?.[0];
  return seconds === undefined ? undefined : Number(seconds);
}

function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** Words of another party, made fit for a message: short, printable, and nothing in it as long as a token. */
export function cleanText(value: unknown): string {
  if (typeof value !== "string") return "";
  return value
    .slice(0, 300)
    .replaceAll(/[^\x20-\x7e]/g, " ")
    .replaceAll(/[\w.~+/=-]{44,}/g, "…")
    .replace(/[\s.]+$/, "");
}

/**
 * Gives a failure its leg and party. Errors that have them pass unchanged.
 *
 * @param cause - Whatever was thrown.
 * @returns an error to throw: nothing but an AgentError leaves this package.
 */
export function placeError(cause: unknown, where: Where): AgentError {
  if (cause instanceof AgentError) return cause;
  const known = cause instanceof CredenceError ? cause : undefined;
  const what = known?.message ?? "something unexpected happened";
  return new AgentError(`${capital(LEG_NAMES[where.leg])} with ${where.party} failed: ${what}`, {
    ...where,
    code: known?.code ?? "response_invalid",
    ...(known && known.reason === undefined ? {} : { reason: known?.reason ?? "unexpected" }),
    ...(known?.status === undefined ? {} : { status: known.status }),
    ...(known?.decisionId === undefined ? {} : { decisionId: known.decisionId }),
    cause,
  });
}

/** Runs something and gives its failure a leg and a party. */
export async function placed<T>(where: Where, run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw placeError(cause, where);
  }
}

/** An answer that does not fit the question: a bug or an attack on the other side, never worth a retry. */
export function mismatch(where: Where, reason: string, what: string): AgentError {
  return new AgentError(
    `${capital(LEG_NAMES[where.leg])} with ${where.party} failed: ${what}. The answer is not used; tell the operator of ${where.party}.`,
    { ...where, code: "response_invalid", reason },
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
