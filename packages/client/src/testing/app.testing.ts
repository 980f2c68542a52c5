/** A small app: a resource, and on another origin its authorization server that redeems ID-JAGs. */
import { parseForm } from "@credence/protocol";
import { authenticateClient, type ClientCredential, readClientAuth } from "@credence/protocol/client-auth";
import { decodeIdJag, verifyIdJag } from "@credence/protocol/id-jag";
import { jwksKeys } from "@credence/protocol/jws";
import { parseJwtBearerRequest } from "@credence/protocol/jwt-bearer";
import { buildChallenge } from "@credence/protocol/metadata";
import { json, startServer, type TestServer } from "./http.testing.ts";
import type { TestClock, TestIdp } from "./idp.testing.ts";

export const APP_CLIENT = {
  method: "client_secret_basic",
  clientId: "ledger-assistant",
  clientSecret: "app secret",
} as const;

/** A token that the app issued and counts as good. */
export interface Issued {
  readonly scope: string;
  readonly resource: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

export interface TestApp {
  readonly issuer: string;
  /** The resource's identifier. */
  readonly resource: string;
  readonly as: TestServer;
  readonly api: TestServer;
  readonly issued: Map<string, Issued>;
  readonly counts: { redeem: number };
  /** How the client is registered here. */
  credential: ClientCredential;
  /** Seconds. */
  tokenLifetime: number;
  /** Members that replace those of the authorization server's metadata. */
  asMetadata: Record<string, unknown>;
  /** Members that replace those of the resource's metadata. */
  resourceMetadata: Record<string, unknown>;
  /** Parameters that replace those of the 401's challenge. */
  challenge: Record<string, string | undefined>;
  /** Members that replace those of the redemption's answer. */
  answer: Record<string, unknown>;
  /** Instead of an access token; by turns of the redemption, counted from 1. */
  refuse: ((turn: number) => Response | undefined) | undefined;
  /** The scope that a call needs. */
  needs: (request: Request) => string;
  /** What a call with a good token gets. */
  serve: (request: Request) => Response | Promise<Response>;
}

export async function startApp(clock: TestClock, idp: TestIdp): Promise<TestApp> {
  const as = await startServer(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/.well-known/oauth-authorization-server") return json({ ...asMetadata(), ...app.asMetadata });
    return pathname === "/token" && request.method === "POST" ? redeem(request) : new Response(null, { status: 404 });
  });
  const api = await startServer((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/.well-known/oauth-protected-resource/api") {
      return json({ resource: app.resource, authorization_servers: [as.origin], ...app.resourceMetadata });
    }
    return check(request);
  });
  let serial = 0;

  function asMetadata(): Record<string, unknown> {
    return {
      issuer: as.origin,
      token_endpoint: `${as.origin}/token`,
      authorization_endpoint: `${as.origin}/authorize`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      grant_types_supported: ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
      authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
      token_endpoint_auth_methods_supported: ["client_secret_basic"],
    };
  }

  async function redeem(request: Request): Promise<Response> {
    const turn = ++app.counts.redeem;
    const refusal = app.refuse?.(turn);
    if (refusal) return refusal;
    const form = parseForm(new Uint8Array(await request.arrayBuffer()));
    if (!form.ok) return json({ error: "invalid_request" }, 400);
    const presented = readClientAuth(request.headers.get("authorization"), form.value);
    if (!presented.ok) return json({ error: "invalid_client" }, 401);
    const client = await authenticateClient(presented.value, {
      find: async (clientId) =>
        clientId === APP_CLIENT.clientId ? { client: { clientId }, credential: app.credential } : undefined,
      issuer: as.origin,
      now: clock.seconds,
      markUsed: async () => "first",
    });
    if (!client.ok) return json({ error: "invalid_client" }, 401);
    const parsed = parseJwtBearerRequest(form.value);
    const decoded = parsed.ok ? decodeIdJag(parsed.value.assertion) : parsed;
    if (!decoded.ok) return json({ error: "invalid_grant" }, 400);
    const verified = await verifyIdJag(
      decoded.value,
      {
        issuer: idp.issuer,
        audience: as.origin,
        clientId: client.value.clientId,
        algorithms: ["ES256"],
        skew: 5,
        maxLifetime: 600,
      },
      jwksKeys(idp.jwks),
      clock.seconds,
    );
    if (!verified.ok) return json({ error: "invalid_grant", error_description: verified.refusal.reason }, 400);
    const { scope = "", resource } = verified.value;
    const token = `access-${++serial}`;
    app.issued.set(token, { scope, resource: String(resource), expiresAt: clock.seconds + app.tokenLifetime });
    return json({ access_token: token, token_type: "Bearer", expires_in: app.tokenLifetime, scope, ...app.answer });
  }

  function check(request: Request): Response | Promise<Response> {
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "");
    const known = token === undefined ? undefined : app.issued.get(token);
    const metadata = `${api.origin}/.well-known/oauth-protected-resource/api`;
    if (!known || known.expiresAt <= clock.seconds || known.resource !== app.resource) {
      const error = token === undefined ? undefined : "invalid_token";
      const parameters = { error, resource_metadata: metadata, scope: "ledger.read", ...app.challenge };
      return new Response(null, { status: 401, headers: { "www-authenticate": buildChallenge("Bearer", parameters) } });
    }
    const needed = app.needs(request);
    if (!known.scope.split(" ").includes(needed)) {
      const challenge = buildChallenge("Bearer", { error: "insufficient_scope", scope: needed });
      return new Response(null, { status: 403, headers: { "www-authenticate": challenge } });
    }
    return app.serve(request);
  }

  const app: TestApp = {
    issuer: as.origin,
    resource: `${api.origin}/api`,
    as,
    api,
    issued: new Map(),
    counts: { redeem: 0 },
    credential: { method: APP_CLIENT.method, secret: APP_CLIENT.clientSecret },
    tokenLifetime: 300,
    asMetadata: {},
    resourceMetadata: {},
    challenge: {},
    answer: {},
    refuse: undefined,
    needs: () => "ledger.read",
    serve: async (request) => json({ entries: [], echo: await request.text() }),
  };
  return app;
}
