/** A customer's IdP and a resource server, both on loopback, for the tests of this package. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { signIdJag } from "@credence/protocol/id-jag";
import {
  generateSigningKey,
  importSigner,
  type JwsAlgorithm,
  type PrivateJwk,
  type PublicJwk,
  type Signer,
} from "@credence/protocol/jws";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import { expect } from "vitest";
import type { ResourceServerOptions } from "./options.ts";
import type { ReceiverEvent } from "./record.ts";
import type { TrustedIssuer } from "./redeem/customers.ts";
import type { Account } from "./redeem/subject.ts";
import { createResourceServer, type ResourceServer } from "./server.ts";

/** Noon of some day, in seconds since the epoch. */
export const NOON = 1_800_000_000;
export const CLIENT = { clientId: "ledger-assistant", method: "client_secret_basic", clientSecret: "s3cret" } as const;

/** A server on a free loopback port, closed with its test. */
export async function listen(
  handle: (request: Request) => Promise<Response>,
): Promise<{ readonly url: string; readonly server: Server } & AsyncDisposable> {
  const server = createServer((request, response) => void answer(request, response, handle));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // A TCP server that listens has one.
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handle: (request: Request) => Promise<Response>,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { method = "GET" } = incoming;
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const body = method === "GET" || method === "HEAD" ? null : new Uint8Array(Buffer.concat(chunks));
  const url = `http://${incoming.headers.host}${incoming.url}`;
  const response = await handle(new Request(url, { method, headers, body }));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body) for await (const chunk of response.body) if (!outgoing.write(chunk)) await drained(outgoing);
  outgoing.end();
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    outgoing.once("drain", resolve);
    outgoing.once("close", resolve);
  });
}

/** A signing key with its signer. */
export interface Key {
  readonly privateJwk: PrivateJwk;
  readonly publicJwk: PublicJwk;
  readonly signer: Signer;
}

export async function newKey(alg: JwsAlgorithm = "ES256"): Promise<Key> {
  const pair = await generateSigningKey(alg);
  return { ...pair, signer: await importSigner(pair.privateJwk) };
}

/** An IdP that publishes metadata and keys over HTTP, and counts who asks. */
export interface Idp extends AsyncDisposable {
  readonly issuer: string;
  readonly key: Key;
  /** What is served; tests change it. */
  readonly published: { keys: PublicJwk[]; metadata: Record<string, unknown>; jwks?: () => Promise<Response> };
  readonly asked: { metadata: number; jwks: number };
}

async function startIdp(key?: Key): Promise<Idp> {
  const own = key ?? (await newKey());
  const asked = { metadata: 0, jwks: 0 };
  const published: Idp["published"] = { keys: [own.publicJwk], metadata: {} };
  const http = await listen(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/jwks") {
      asked.jwks++;
      return published.jwks ? published.jwks() : Response.json({ keys: published.keys });
    }
    if (pathname !== "/.well-known/openid-configuration") return new Response(null, { status: 404 });
    asked.metadata++;
    return Response.json(published.metadata);
  });
  const issuer = http.url;
  published.metadata = { issuer, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` };
  return { issuer, key: own, published, asked, [Symbol.asyncDispose]: () => http[Symbol.asyncDispose]() };
}

/** What a redemption answered, with what was recorded of it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
  readonly event: ReceiverEvent | undefined;
}

export interface House extends AsyncDisposable {
  readonly idp: Idp;
  readonly url: string;
  readonly resource: string;
  readonly server: ResourceServer;
  readonly key: Key;
  readonly clock: { now: number };
  readonly events: ReceiverEvent[];
  /** An ID-JAG of the IdP for this server; `undefined` removes a claim. */
  idJag(claims?: Record<string, unknown>, signer?: Signer): Promise<string>;
  /** A token request; by default a good redemption of a fresh ID-JAG. */
  redeem(form?: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  /** A token request with a body of one's own. */
  post(body: string | Uint8Array<ArrayBuffer>, headers?: Record<string, string>): Promise<Answer>;
}

export const basic = (id: string, secret: string): string => `Basic ${btoa(`${id}:${secret}`)}`;

/**
 * Starts both. Customer `acme` trusts the IdP; Alice has an account; the resource is `/mcp` with two scopes.
 *
 * @param change - Other options for the server; it may use the IdP and the server's URL.
 */
export async function house(
  change: (base: ResourceServerOptions<Account>, idp: Idp) => Partial<ResourceServerOptions<Account>> = () => ({}),
  trusted: Partial<TrustedIssuer> = {},
): Promise<House> {
  const idp = await startIdp();
  const key = await newKey();
  const clock = { now: NOON };
  const events: ReceiverEvent[] = [];
  let server: ResourceServer | undefined;
  const http = await listen(async (request) => server?.fetch(request) ?? new Response(null, { status: 503 }));
  const resource = `${http.url}/mcp`;
  const base: ResourceServerOptions<Account> = {
    issuer: http.url,
    resources: { [resource]: { scopes: { "ledger.read": "Read entries", "ledger.write": "Add entries" } } },
    customers: [
      { id: "acme", audTenant: "acme", domains: ["acme.example"], issuers: [{ issuer: idp.issuer, ...trusted }] },
    ],
    clients: [CLIENT, { ...CLIENT, clientId: "other-agent" }, { clientId: "desktop", method: "none" }],
    resolveSubject: ({ customer, sub }) => (sub === "alice" ? { id: `${customer}/alice`, customer } : undefined),
    signingKey: key.privateJwk,
    record: (event) => void events.push(event),
    now: () => clock.now,
    timeout: 0.5,
    development: true,
  };
  server = createResourceServer({ ...base, ...change(base, idp) });

  const idJag: House["idJag"] = (claims = {}, signer = idp.key.signer) => {
    const good = {
      iss: idp.issuer,
      sub: "alice",
      aud: http.url,
      client_id: CLIENT.clientId,
      jti: crypto.randomUUID(),
      iat: clock.now,
      exp: clock.now + 300,
      resource,
      scope: "ledger.read",
    };
    return signIdJag({ ...good, ...claims }, signer);
  };
  const post: House["post"] = async (body, headers = {}) => {
    const known = events.length;
    const type = "application/x-www-form-urlencoded";
    const all = { "content-type": type, authorization: basic(CLIENT.clientId, CLIENT.clientSecret), ...headers };
    const sent = Object.entries(all).filter(([, value]) => value !== "");
    const answer = await fetch(`${http.url}/token`, { method: "POST", headers: Object.fromEntries(sent), body });
    return {
      status: answer.status,
      headers: answer.headers,
      body: (await answer.json()) as Record<string, unknown>, // The endpoint answers objects only.
      event: events[known],
    };
  };
  return {
    idp,
    url: http.url,
    resource,
    server,
    key,
    clock,
    events,
    idJag,
    post,
    async redeem(form = {}, headers = {}) {
      const assertion = form.assertion ?? (await idJag());
      return post(new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion, ...form }).toString(), headers);
    },
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
      await idp[Symbol.asyncDispose]();
    },
  };
}

/** Expects a refusal: the error on the wire, the exact reason on record, and nothing that tells more. */
export function expectRefused(answer: Answer, status: number, error: string, reason: string): void {
  expect({ status: answer.status, error: answer.body.error, reason: answer.event?.reason }).toEqual({
    status,
    error,
    reason,
  });
  expect(answer.body).not.toHaveProperty("access_token");
  expect(answer.body.decision_id).toBe(answer.event?.decisionId);
  expect(JSON.stringify(answer.body)).not.toContain(reason);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.event?.outcome).toBe("refused");
}
