import { errorAnswer, type Form, type Refusal, type Result, randomId, readForm, refuse } from "@credence/protocol";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";
import { checkIssuer } from "./configuration.ts";
import { exchange, type Issuer, reasonOf } from "./exchange/exchange.ts";

/** How the handler is set up. */
export interface TokenExchangeOptions<Client, Subject> extends Issuer<Client, Subject> {
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
  /** Makes decision ids: unique, at least 128 bits of randomness; 22 characters of base64url by default. */
  readonly newId?: () => string;
}

/** What the listener knows of a request beside the request itself. */
export interface RequestContext {
  /** The address that the request came from. */
  readonly source?: string;
  /** The client's certificate in DER: shown to a TLS listener that has validated it, or handed on by a trusted proxy. */
  readonly certificate?: Uint8Array;
}

/** Answers requests to the token endpoint that are token exchanges. */
export type TokenExchangeHandler = (request: Request, context?: RequestContext) => Promise<Response>;

/**
 * Makes the token endpoint's handler for token exchanges.
 *
 * @returns a fetch handler: POST with a form of at most 65,536 bytes in; JSON out, never cached. It does not throw.
 * @throws CredenceError `configuration` when an option is wrong.
 * @see ID-JAG draft §4.3, RFC 6749 §5.2
 */
export function tokenExchangeHandler<Client, Subject>(
  options: TokenExchangeOptions<Client, Subject>,
): TokenExchangeHandler {
  checkIssuer(options);
  const now = options.now ?? (() => Date.now() / 1_000);
  const newId = options.newId ?? randomId;
  return async (request, context = {}) => {
    const id = newId();
    const time = Math.floor(now());
    const authorization = request.headers.get("authorization");
    const { source, certificate } = context;
    const form = await readExchangeForm(request);
    if (!form.ok) {
      const { refusal } = form;
      const basis = { reasons: [reasonOf(refusal)], connections: [] };
      try {
        await options.ports.record({ ...basis, decisionId: id, time, outcome: "refused", source, refusal });
      } catch (error) {
        options.onFault?.(error, id);
      }
      return refusalResponse(refusal, id, authorization);
    }
    const proofs = { dpop: request.headers.get("dpop"), ...(certificate === undefined ? {} : { certificate }) };
    const answer = await exchange({ id, now: time, authorization, form: form.value, source, ...proofs }, options);
    const response = answer.ok ? json(200, answer.value) : refusalResponse(answer.refusal, id, authorization);
    // RFC 9449 §8.2: whoever uses DPoP has the next nonce with each answer.
    const nonces = proofs.dpop === null ? undefined : options.dpop?.nonces;
    if (nonces !== undefined) response.headers.set("dpop-nonce", await nonces.current(time));
    return response;
  };
}

async function readExchangeForm(request: Request): Promise<Result<Form>> {
  const form = await readForm(request);
  if (form.ok && form.value.get("grant_type") !== TOKEN_EXCHANGE_GRANT) {
    return form.value.get("grant_type") ? refuse("grant-type-unsupported") : refuse("parameter-missing", "grant_type");
  }
  return form;
}

/** RFC 6749 §5.2: who tried Basic is told that Basic is the scheme. */
function refusalResponse(refusal: Refusal, id: string, authorization: string | null): Response {
  const { status, body, headers: told } = errorAnswer(refusal, id);
  const headers: Record<string, string> = { ...told };
  if (status === 401 && authorization !== null) headers["www-authenticate"] = 'Basic realm="token endpoint"';
  return json(status, body, headers);
}

function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store", pragma: "no-cache", ...headers } });
}
