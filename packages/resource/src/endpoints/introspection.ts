import { ok, type Refusal, type Result, randomId, readForm, refuse } from "@credence/protocol";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { faultOf } from "../fault.ts";
import type { Facts, Recorder } from "../record.ts";
import { type Client, type ClientPorts, identifyClient } from "../redeem/client.ts";
import { responseOf } from "./answer.ts";
import { refusalAnswer } from "./token.ts";

/** What the endpoints about a token need. */
export interface TokenPorts extends ClientPorts {
  /** Reads an access token of ours that still counts; `undefined` for anything else. */
  read(token: string): Promise<AccessTokenClaims | undefined>;
  /** Ends this one access token. */
  end(token: string, claims: AccessTokenClaims): Promise<void>;
  readonly record: Recorder;
  /** Seconds since the epoch. */
  now(): number;
}

/** Serves one request about a token, and notes for the record what it learns. */
type TokenService = (request: Request, ports: TokenPorts, facts: Facts) => Promise<Result<Served>>;

/** What is answered, and whether it is to be on record. */
interface Served {
  readonly body?: object;
  readonly recorded?: boolean;
}

/**
 * The introspection endpoint: tells a protected resource what a token is worth, and a client what its own tokens are. Whoever asks
 * has proven who they are, so that nobody tries tokens out here (RFC 7662 §4); nothing is told of a token that does not
 * count, or that is not theirs to know of. Refusals are recorded.
 *
 * @see RFC 7662 §2
 */
export function introspectionEndpoint(ports: TokenPorts): (request: Request) => Promise<Response> {
  return tokenServiceEndpoint("introspection", introspect, ports);
}

/**
 * The revocation endpoint: ends an access token of the client that asks, and that one alone. Of a token that does not count
 * (any more) nothing is told. Refusals, and tokens that ended, are recorded.
 *
 * @see RFC 7009 §2
 */
export function revocationEndpoint(ports: TokenPorts): (request: Request) => Promise<Response> {
  return tokenServiceEndpoint("revocation", endToken, ports);
}

const introspect: TokenService = async (request, ports, facts) => {
  const read = await readRequest(request, ports, facts);
  if (!read.ok) return read;
  const { client, token } = read.value;
  const claims = await ports.read(token);
  if (claims === undefined || !mayKnow(client, claims)) return ok({ body: { active: false } });
  // The root is between the IdP and this server.
  const { root: _root, ...told } = claims;
  const body = { active: true, token_type: claims.cnf?.jkt === undefined ? "Bearer" : "DPoP", ...told };
  return ok({ body });
};

/** RFC 7662 §4: a token that is for certain resources is no other resource's to know of. */
function mayKnow({ introspects, clientId }: Client, { aud, client_id: holder }: AccessTokenClaims): boolean {
  return holder === clientId || introspects === true || (Array.isArray(introspects) && introspects.includes(aud));
}

const endToken: TokenService = async (request, ports, facts) => {
  const read = await readRequest(request, ports, facts);
  if (!read.ok) return read;
  const { client, token } = read.value;
  const claims = await ports.read(token);
  // RFC 7009 §2.2: what is no token (any more) is as the client wants it.
  if (claims === undefined) return ok({});
  noteToken(facts, claims);
  // RFC 7009 §2.1: the client is told that the token is not its own.
  if (claims.client_id !== client.clientId) return refuse("access-token-client");
  await ports.end(token, claims);
  return ok({ recorded: true });
};

/** @see RFC 7662 §2.1, RFC 7009 §2.1: a `token_type_hint` helps nothing where all tokens are found alike, and is not looked at. */
async function readRequest(
  request: Request,
  ports: TokenPorts,
  facts: Facts,
): Promise<Result<{ readonly client: Client; readonly token: string }>> {
  const form = await readForm(request);
  if (!form.ok) return form;
  const client = await identifyClient(request.headers.get("authorization"), form.value, ports, ports.now());
  if (!client.ok) return client;
  facts.client = client.value.clientId;
  const token = form.value.get("token");
  return token === undefined ? refuse("parameter-missing", "token") : ok({ client: client.value, token });
}

function noteToken(facts: Facts, { jti, aud, sub, customer, root }: AccessTokenClaims): void {
  Object.assign(facts, { verified: true, accessToken: jti, resource: aud, account: sub, customer });
  Object.assign(facts, { iss: root.iss, sub: root.sub, jti: root.jti });
  if (root.tenant !== undefined) facts.tenant = root.tenant;
}

function tokenServiceEndpoint(
  kind: "introspection" | "revocation",
  serve: TokenService,
  ports: TokenPorts,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const decisionId = randomId();
    const time = ports.now();
    const facts: Facts = {};
    const keep = (refusal?: Refusal): Promise<void> =>
      ports.record({
        verified: false,
        ...facts,
        kind,
        outcome: refusal ? "refused" : "granted",
        decisionId,
        time,
        ...(refusal ? { reason: refusal.reason } : {}),
        ...(refusal?.detail === undefined ? {} : { detail: refusal.detail }),
      });
    const refused = async (refusal: Refusal): Promise<Response> => {
      // A refusal stays one when it can not be recorded.
      await keep(refusal).catch(() => undefined);
      return responseOf(refusalAnswer(request.headers.get("authorization"), refusal, decisionId, ports.issuer));
    };
    try {
      const served = await serve(request, ports, facts);
      if (!served.ok) return await refused(served.refusal);
      const { body, recorded = false } = served.value;
      if (recorded) await keep();
      const headers = { "cache-control": "no-store" };
      return body === undefined ? new Response(null, { headers }) : Response.json(body, { headers });
    } catch (thrown) {
      const { refusal, cause } = faultOf(thrown);
      facts.cause = cause;
      return refused(refusal);
    }
  };
}
