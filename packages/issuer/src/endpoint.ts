import { errorAnswer, type Form, type Refusal, type Result, randomId, refuse } from "@credence/protocol";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";
import { checkIssuer } from "./configuration.ts";
import { exchange, type Issuer, reasonOf } from "./exchange/exchange.ts";

/** How the endpoint is set up. */
export interface TokenExchangeOptions<Client, Subject> extends Issuer<Client, Subject> {
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
  /** Makes decision ids: unique, at least 128 bits of randomness; 22 characters of base64url by default. */
  readonly newId?: () => string;
}

/** A request to the token endpoint, as its listener has read it. */
export interface TokenRequest {
  /** The form, or why it is none: that goes on record as every refusal does. `parseForm` reads one. */
  readonly form: Result<Form>;
  /** The `Authorization` header; `null` without one. All of them joined by commas, where several came. */
  readonly authorization: string | null;
  /** The `DPoP` header; `null` without one. All of them joined by commas, where several came. */
  readonly dpop: string | null;
  /** The address that the request came from. */
  readonly source?: string;
  /** The client's certificate in DER: shown to a TLS listener that has validated it, or handed on by a trusted proxy. */
  readonly certificate?: Uint8Array;
}

/** What the listener is to send. */
export interface TokenAnswer {
  readonly status: number;
  /** Beside `Content-Type`, which is JSON's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Goes out as JSON. */
  readonly body: object;
}

/** Answers requests that a listener has read. */
export type TokenExchangeEndpoint = (request: TokenRequest) => Promise<TokenAnswer>;

/**
 * Makes the token endpoint for token exchanges, for a listener that reads requests and sends answers itself;
 * `tokenExchangeHandler` is the same behind a fetch handler.
 *
 * @returns the endpoint; its answers are never cached, and it does not reject.
 * @throws CredenceError `configuration` when an option is wrong.
 * @see ID-JAG draft §4.3, RFC 6749 §5.2
 */
export function tokenExchangeEndpoint<Client, Subject>(
  options: TokenExchangeOptions<Client, Subject>,
): TokenExchangeEndpoint {
  checkIssuer(options);
  const { now = () => Date.now() / 1_000, newId = randomId } = options;
  return async (request) => {
    const { authorization, dpop, source, certificate } = request;
    const id = newId();
    const time = Math.floor(now());
    const form = exchangeForm(request.form);
    if (!form.ok) {
      await recordUnread(form.refusal, id, time, source, options);
      return refused(form.refusal, id, authorization);
    }
    const proofs = certificate === undefined ? { dpop } : { dpop, certificate };
    const outcome = await exchange({ id, now: time, authorization, form: form.value, source, ...proofs }, options);
    const answer = outcome.ok ? granted(outcome.value) : refused(outcome.refusal, id, authorization);
    // RFC 9449 §8.2: whoever uses DPoP has the next nonce with each answer.
    const nonces = dpop === null ? undefined : options.dpop?.nonces;
    if (nonces === undefined) return answer;
    return { ...answer, headers: { ...answer.headers, "dpop-nonce": await nonces.current(time) } };
  };
}

function exchangeForm(form: Result<Form>): Result<Form> {
  const grantType = form.ok ? form.value.get("grant_type") : TOKEN_EXCHANGE_GRANT;
  if (grantType === TOKEN_EXCHANGE_GRANT) return form;
  return grantType === undefined ? refuse("parameter-missing", "grant_type") : refuse("grant-type-unsupported");
}

async function recordUnread<Client, Subject>(
  refusal: Refusal,
  decisionId: string,
  time: number,
  source: string | undefined,
  { ports, onFault }: Issuer<Client, Subject>,
): Promise<void> {
  const basis = { reasons: [reasonOf(refusal)], connections: [] };
  try {
    await ports.record({ ...basis, decisionId, time, outcome: "refused", source, refusal });
  } catch (error) {
    onFault?.(error, decisionId);
  }
}

const UNCACHED = { "cache-control": "no-store", pragma: "no-cache" } as const;

function granted(body: object): TokenAnswer {
  return { status: 200, headers: UNCACHED, body };
}

/** RFC 6749 §5.2: who tried Basic is told that Basic is the scheme. */
function refused(refusal: Refusal, id: string, authorization: string | null): TokenAnswer {
  const { status, body, headers } = errorAnswer(refusal, id);
  const challenge =
    status === 401 && authorization !== null ? { "www-authenticate": 'Basic realm="token endpoint"' } : {};
  return { status, headers: { ...UNCACHED, ...headers, ...challenge }, body };
}
