import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isFormContentType, ok, type Refusal, type Result, randomId, refuse } from "@credence/protocol";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";
import { newReference, type Report } from "../sign-in/fault.ts";
import { sourceOf } from "../sign-in/source.ts";
import { type Handler, sendRefusal, sendResponse } from "./answer.ts";
import { type BasicPorts, normalizeBasic } from "./basic.ts";
import { readBody, replay } from "./body.ts";
import type { ClientCertificates } from "./certificate.ts";

/** What an exchange knows beside its request. */
export interface ExchangeContext {
  /** The client's address. */
  readonly source: string;
  /** The client's certificate, in DER. */
  readonly certificate?: Uint8Array;
}

/** The token exchange, as a fetch handler. */
export type Exchange = (request: Request, context: ExchangeContext) => Promise<Response>;

/** Who answers which grant. */
export interface TokenEndpointPorts extends BasicPorts {
  /** URL of this endpoint, as clients know it. */
  readonly url: string;
  readonly exchange: Exchange;
  readonly certificateOf: ClientCertificates["of"];
  /** oidc-provider, for `authorization_code` and `refresh_token`. */
  readonly provider: Handler;
  /** Told of a form before oidc-provider reads it. Does not reject. */
  readonly beforeSignIn?: (form: URLSearchParams) => Promise<void>;
  readonly report: Report;
  /** Takes what is refused before any grant sees it, for the record. */
  readonly refused: (refusal: Refusal, context: ExchangeContext & { readonly decisionId: string }) => void;
}

const SIGN_IN_GRANTS: ReadonlySet<string> = new Set(["authorization_code", "refresh_token"]);

/**
 * The token endpoint: reads the body once and dispatches by `grant_type`, before anybody is authenticated. Each grant's
 * own handler authenticates; nothing is decided here.
 *
 * @see RFC 6749 §3.2
 */
export function createTokenEndpoint(ports: TokenEndpointPorts): Handler {
  return async (req, res) => {
    try {
      const outcome = await answer(req, res, ports);
      if (!outcome.ok) refuseRequest(req, res, outcome.refusal, ports);
    } catch (error) {
      if (req.socket.destroyed) return;
      const reference = newReference();
      ports.report({ reference, code: "internal-fault", error });
      if (!res.headersSent) sendRefusal(res, { reason: "internal-fault" }, reference);
      else res.destroy();
    }
  };
}

/** Hands the request on to who answers it; or says why nobody does. */
async function answer(req: IncomingMessage, res: ServerResponse, ports: TokenEndpointPorts): Promise<Result<void>> {
  // Cross-origin preflight: oidc-provider knows which public clients run in browsers.
  if (req.method === "OPTIONS") {
    return ok(void ports.provider(req, res));
  }
  if (req.method !== "POST") return refuse("method-wrong");
  if (!isFormContentType(req.headers["content-type"])) return refuse("form-content-type");
  const body = await readBody(req);
  if (!body.ok) return body;
  const grantType = readGrantType(body.value);
  if (!grantType.ok) return grantType;
  if (grantType.value === TOKEN_EXCHANGE_GRANT) return exchangeGrant(req, res, body.value, ports);
  if (SIGN_IN_GRANTS.has(grantType.value)) return ok(await signInGrant(req, res, body.value, ports));
  return refuse("grant-type-unsupported");
}

function refuseRequest(req: IncomingMessage, res: ServerResponse, refusal: Refusal, ports: TokenEndpointPorts): void {
  const decisionId = randomId();
  ports.refused(refusal, { decisionId, source: sourceOf(req) });
  const headers: Record<string, string> = {
    ...(refusal.reason === "method-wrong" ? { allow: "POST" } : {}),
    // The rest of a body that is too large is not read.
    ...(refusal.reason === "form-too-large" ? { connection: "close" } : {}),
  };
  sendRefusal(res, refusal, decisionId, headers);
}

/** Exactly one `grant_type`. Everything else in the form is the business of the grant's own handler. */
function readGrantType(body: Buffer): Result<string> {
  const values = new URLSearchParams(body.toString("utf8")).getAll("grant_type");
  if (values.length > 1) return refuse("parameter-doubled", "grant_type");
  const [value] = values;
  return value ? ok(value) : refuse("parameter-missing", "grant_type");
}

async function exchangeGrant(
  req: IncomingMessage,
  res: ServerResponse,
  body: Buffer,
  { url, exchange, certificateOf }: TokenEndpointPorts,
): Promise<Result<void>> {
  const certificate = certificateOf(req);
  if (!certificate.ok) return certificate;
  const headers = new Headers();
  for (const [name, values] of Object.entries(req.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const request = new Request(url, { method: "POST", headers, body: Uint8Array.from(body) });
  const shown = certificate.value === undefined ? {} : { certificate: certificate.value };
  return ok(await sendResponse(res, await exchange(request, { source: sourceOf(req), ...shown })));
}

async function signInGrant(
  req: IncomingMessage,
  res: ServerResponse,
  body: Buffer,
  ports: TokenEndpointPorts,
): Promise<void> {
  const { authorization } = req.headers;
  await ports.beforeSignIn?.(new URLSearchParams(body.toString("utf8")));
  const normal = authorization === undefined ? {} : { authorization: await normalizeBasic(authorization, ports) };
  ports.provider(replay(req, body, normal), res);
}
