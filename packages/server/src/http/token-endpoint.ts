import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TokenExchangeEndpoint } from "@credence/issuer";
import { type Form, ok, parseForm, type Result, refuse } from "@credence/protocol";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";
import { sourceOf } from "../sign-in/source.ts";
import { type Handler, sendJson } from "./answer.ts";
import type { ClientCertificates } from "./certificate.ts";
import { createFormEndpoint, type FormEndpointPorts, handToProvider } from "./form-endpoint.ts";

/** Who answers which grant: oidc-provider `authorization_code` and `refresh_token`. */
export interface TokenEndpointPorts extends FormEndpointPorts {
  readonly exchange: TokenExchangeEndpoint;
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
    const form = parseForm(body);
    const grantType = form.ok ? grantTypeOf(form.value.all("grant_type")) : readGrantType(body);
    if (!grantType.ok) return grantType;
    if (grantType.value === TOKEN_EXCHANGE_GRANT) return exchangeGrant(req, res, form, ports);
    if (SIGN_IN_GRANTS.has(grantType.value)) return ok(await handToProvider(req, res, body, ports));
    return refuse("grant-type-unsupported");
  });
}

/** What is no form as we read one is still somebody's: whoever answers the grant says what is wrong with it. */
function readGrantType(body: Buffer): Result<string> {
  return grantTypeOf(new URLSearchParams(body.toString("utf8")).getAll("grant_type"));
}

/** Exactly one `grant_type`. Everything else in the form is the business of the grant's own handler. */
function grantTypeOf(values: readonly string[]): Result<string> {
  if (values.length > 1) return refuse("parameter-doubled", "grant_type");
  const [value] = values;
  return value ? ok(value) : refuse("parameter-missing", "grant_type");
}

async function exchangeGrant(
  req: IncomingMessage,
  res: ServerResponse,
  form: Result<Form>,
  { exchange, certificateOf }: TokenEndpointPorts,
): Promise<Result<void>> {
  const certificate = certificateOf(req);
  if (!certificate.ok) return certificate;
  const { status, headers, body } = await exchange({
    form,
    authorization: headerOf(req, "authorization"),
    dpop: headerOf(req, "dpop"),
    source: sourceOf(req),
    ...(certificate.value === undefined ? {} : { certificate: certificate.value }),
  });
  return ok(sendJson(res, status, body, headers));
}

/** All that came under a name, joined by commas: of an `Authorization` that came twice Node keeps the first, as if it were all. */
function headerOf({ rawHeaders }: IncomingMessage, name: string): string | null {
  const isNamed = (one: string | undefined) => one?.length === name.length && one.toLowerCase() === name;
  const values = rawHeaders.filter((_, at) => at % 2 === 1 && isNamed(rawHeaders[at - 1]));
  return values.length === 0 ? null : values.join(", ");
}
