import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ok, type Result, refuse } from "@credence/protocol";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";
import { sourceOf } from "../sign-in/source.ts";
import { type Handler, sendResponse } from "./answer.ts";
import type { ClientCertificates } from "./certificate.ts";
import { createFormEndpoint, type FormEndpointPorts, handToProvider } from "./form-endpoint.ts";

/** What an exchange knows beside its request. */
export interface ExchangeContext {
  /** The client's address. */
  readonly source: string;
  /** The client's certificate, in DER. */
  readonly certificate?: Uint8Array;
}

/** The token exchange, as a fetch handler. */
export type Exchange = (request: Request, context: ExchangeContext) => Promise<Response>;

/** Who answers which grant: oidc-provider `authorization_code` and `refresh_token`. */
export interface TokenEndpointPorts extends FormEndpointPorts {
  /** URL of this endpoint, as clients know it. */
  readonly url: string;
  readonly exchange: Exchange;
  readonly certificateOf: ClientCertificates["of"];
}

const SIGN_IN_GRANTS: ReadonlySet<string> = new Set(["authorization_code", "refresh_token"]);

/**
 * The token endpoint: reads the body once and dispatches by `grant_type`, before anybody is authenticated. Each grant's
 * own handler authenticates; nothing is decided here.
 *
 * @see RFC 6749 §3.2
 */
export function createTokenEndpoint(ports: TokenEndpointPorts): Handler {
  return createFormEndpoint(ports, async (req, res, body) => {
    const grantType = readGrantType(body);
    if (!grantType.ok) return grantType;
    if (grantType.value === TOKEN_EXCHANGE_GRANT) return exchangeGrant(req, res, body, ports);
    if (SIGN_IN_GRANTS.has(grantType.value)) return ok(await handToProvider(req, res, body, ports));
    return refuse("grant-type-unsupported");
  });
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
