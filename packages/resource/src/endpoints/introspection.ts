import type { Form } from "@credence/protocol";
import { isFormContentType, parseForm, type Refusal, type Result, readBody, refuse } from "@credence/protocol";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { type Client, type ClientPorts, identifyClient } from "../redeem/client.ts";

/** What the endpoints about a token need. */
export interface TokenPorts extends ClientPorts {
  /** Reads an access token of ours that still counts; `undefined` for anything else. */
  read(token: string): Promise<AccessTokenClaims | undefined>;
  /** Ends a token, and everything else that comes from its ID-JAG. */
  end(token: string, claims: AccessTokenClaims): Promise<void>;
  /** Seconds since the epoch. */
  now(): number;
}

/** An authenticated request about one token. */
interface TokenRequest {
  readonly client: Client;
  readonly token: string;
}

/**
 * Tells a protected resource what a token is worth. A client is told of its own tokens alone; nothing is told of a token
 * that does not count.
 *
 * @returns the answer as JSON, or the refusal. Rejects when a port does.
 * @see RFC 7662 §2
 */
export async function introspect(request: Request, ports: TokenPorts): Promise<Result<object>> {
  const read = await readRequest(request, ports);
  if (!read.ok) return read;
  const { client, token } = read.value;
  const claims = await ports.read(token);
  if (claims === undefined || !(client.introspects || claims.client_id === client.clientId)) {
    return { ok: true, value: { active: false } };
  }
  // The root is between the IdP and this server.
  const { root: _root, ...told } = claims;
  return { ok: true, value: { active: true, token_type: claims.cnf?.jkt === undefined ? "Bearer" : "DPoP", ...told } };
}

/**
 * Ends a token of the client that asks. A token that is unknown or another's is left alone, and nothing is told of it.
 *
 * @returns nothing to tell, or the refusal. Rejects when a port does: then the client asks again.
 * @see RFC 7009 §2
 */
export async function revokeToken(request: Request, ports: TokenPorts): Promise<Result<true>> {
  const read = await readRequest(request, ports);
  if (!read.ok) return read;
  const { client, token } = read.value;
  const claims = await ports.read(token);
  if (claims !== undefined && claims.client_id === client.clientId) await ports.end(token, claims);
  return { ok: true, value: true };
}

async function readRequest(request: Request, ports: TokenPorts): Promise<Result<TokenRequest>> {
  const form = await readForm(request);
  if (!form.ok) return form;
  const client = await identifyClient(request.headers.get("authorization"), form.value, ports, ports.now());
  if (!client.ok) return client;
  const token = form.value.get("token");
  return token === undefined
    ? refuse("parameter-missing", "token")
    : { ok: true, value: { client: client.value, token } };
}

async function readForm(request: Request): Promise<Result<Form>> {
  if (request.method !== "POST") return refuse("method-wrong");
  if (!isFormContentType(request.headers.get("content-type"))) return refuse("form-content-type");
  const body = await readBody(request);
  return body.ok ? parseForm(body.value) : body;
}

/** Makes an endpoint of one of these. */
export function tokenServiceEndpoint(
  serve: (request: Request) => Promise<Result<object | true>>,
  refused: (request: Request, refusal: Refusal) => Response,
): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      const served = await serve(request);
      if (!served.ok) return refused(request, served.refusal);
      const headers = { "cache-control": "no-store" };
      return served.value === true ? new Response(null, { headers }) : Response.json(served.value, { headers });
    } catch {
      return refused(request, { reason: "internal-fault" });
    }
  };
}
