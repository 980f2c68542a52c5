/** An app whose authorization server is oidc-provider and has gained the redemption of ID-JAGs, over real HTTP. */
import { createDpopProof, type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { signIdJag } from "@credence/protocol/id-jag";
import { decodeJws, generateSigningKey, importSigner, jwksKeys, parseJwks, type Signer } from "@credence/protocol/jws";
import { JWT_BEARER_GRANT, JWT_DPOP_GRANT } from "@credence/protocol/jwt-bearer";
import type { AccessToken, ClientMetadata, Configuration } from "oidc-provider";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newCertificate } from "../../../test/certificates.testing.ts";
import { newJwk, type RunningProvider, signsPeopleIn, startProvider } from "../../../test/oidc-provider.testing.ts";
import { checkAccessToken } from "./access-token/access-token.ts";
import { type Answer, basic, expectRefused, newKey } from "./house.testing.ts";
import {
  idJagTokenClaims,
  type JwtBearerGrantOptions,
  type ProviderResourceServer,
  registerJwtBearer,
} from "./oidc-provider.ts";
import type { ReceiverEvent } from "./record.ts";
import type { Account } from "./redeem/subject.ts";
import { memoryStore, type ResourceStore } from "./store.ts";

const IDP = "https://idp.acme.example";
const GLOBEX = "https://idp.globex.example";
const idpKey = await newKey();
const otherKey = await newKey();
const ownKey = await newJwk("of-the-app");

const client = (id: string, change: Partial<ClientMetadata> = {}): ClientMetadata => ({
  client_id: id,
  client_secret: `secret-of-${id}`,
  grant_types: [JWT_BEARER_GRANT, JWT_DPOP_GRANT],
  response_types: [],
  redirect_uris: [],
  ...change,
});
const CLIENTS: ClientMetadata[] = [
  client("agent"),
  client("other"),
  client("of-globex"),
  client("reader"),
  client("bearer-only", { grant_types: [JWT_BEARER_GRANT] }),
  client("no-grant", { grant_types: ["client_credentials"] }),
  client("public", { token_endpoint_auth_method: "none" }),
  client("public-bound", { token_endpoint_auth_method: "none", dpop_bound_access_tokens: true }),
  client("bound", { dpop_bound_access_tokens: true }),
  client("certified", { tls_client_certificate_bound_access_tokens: true }),
  client("pairwise", { subject_type: "pairwise" }),
  client("api", { grant_types: ["client_credentials"] }),
];

/** An app: its authorization server, an API at `/mcp`, and what it has put on record. */
interface App extends AsyncDisposable {
  readonly at: RunningProvider;
  readonly idJags: ProviderResourceServer;
  readonly events: ReceiverEvent[];
  readonly saved: AccessToken[];
  readonly store: ResourceStore;
  readonly resource: string;
}

// What the app fails in, and by how many seconds its clock is wrong.
let failing: "record" | "store" | undefined;
let shift = 0;
beforeEach(() => {
  failing = undefined;
  shift = 0;
});

const certificateOf = (ctx: { get(name: string): string }) => ctx.get("x-certificate") || undefined;

async function startApp(
  change: (resource: string) => Partial<JwtBearerGrantOptions<Account>> = () => ({}),
  configuration: Partial<Configuration> = {},
): Promise<App> {
  const events: ReceiverEvent[] = [];
  const saved: AccessToken[] = [];
  const memory = memoryStore();
  const store: ResourceStore = {
    ...memory,
    consume: (key, expiresAt) =>
      failing === "store" ? Promise.reject(new Error("the store is down")) : memory.consume(key, expiresAt),
  };
  let idJags: ProviderResourceServer | undefined;
  const started = (): ProviderResourceServer => {
    if (idJags === undefined) throw new Error("the app has not started");
    return idJags;
  };
  const at = await startProvider(
    () => ({
      ...signsPeopleIn(ownKey),
      clients: CLIENTS.map((one) => ({ ...one })),
      subjectTypes: ["public", "pairwise"],
      pairwiseIdentifier: (_ctx, id, { clientId }) => `${id}-at-${clientId}`,
      extraTokenClaims: idJagTokenClaims,
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        dPoP: { enabled: true },
        mTLS: { enabled: true, certificateBoundAccessTokens: true, getCertificate: certificateOf },
        revocation: { enabled: true },
        introspection: {
          enabled: true,
          allowedPolicy: async (_ctx, asking, token) =>
            (asking.clientId === "api" || asking.clientId === token.clientId) &&
            (token.kind !== "AccessToken" || (await started().isAlive(token))),
        },
        richAuthorizationRequests: {
          enabled: true,
          types: {},
          authorizationDetailsForIntrospection: (_ctx, { rar }) => rar,
        },
      },
      ...configuration,
    }),
    (provider, issuer) => {
      const resource = `${issuer}/mcp`;
      idJags = registerJwtBearer<Account>(provider, {
        resources: {
          [resource]: {
            scopes: { "ledger.read": "Read entries", "ledger.write": "Add entries" },
            authorizationDetailsTypes: { invoice: {} },
          },
        },
        customers: [
          { id: "acme", issuers: [{ issuer: IDP, jwks: { keys: [idpKey.publicJwk] } }] },
          { id: "globex", issuers: [{ issuer: GLOBEX, jwks: { keys: [otherKey.publicJwk] } }] },
        ],
        limitsOf: ({ clientId }) => ({
          ...(clientId === "reader" ? { scopes: ["ledger.read"] } : {}),
          ...(clientId === "of-globex" ? { customers: ["globex"] } : {}),
        }),
        resolveSubject: ({ customer, sub }) => (sub === "alice" ? { id: `${customer}-alice`, customer } : undefined),
        getCertificate: certificateOf,
        store,
        now: () => Date.now() / 1_000 + shift,
        development: true,
        record(event) {
          if (failing === "record") throw new Error("the record is down");
          events.push(event);
        },
        ...change(resource),
      });
      provider.on("access_token.saved", (token) => saved.push(token));
    },
    (issuer) => async (req, res) => {
      const url = `${issuer}${req.url}`;
      const headers = new Headers(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
      const request = new Request(url, { headers });
      const der = headers.get("x-certificate-der");
      const context = der === null ? {} : { certificate: Uint8Array.from(Buffer.from(der, "base64")) };
      const own = await started().tryFetch(request);
      const access =
        own ?? (new URL(url).pathname === "/mcp" ? await started().authorize(request, {}, context) : undefined);
      if (access === undefined) return false;
      const answer = access instanceof Response ? access : Response.json({ account: access.sub, scope: access.scope });
      res.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
      return true;
    },
  );
  const { issuer } = at;
  return {
    at,
    idJags: started(),
    events,
    saved,
    store: memory,
    resource: `${issuer}/mcp`,
    [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
  };
}

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app[Symbol.asyncDispose]());

/** An ID-JAG of Acme's IdP for the app; `undefined` removes a claim. */
function idJag(claims: Record<string, unknown> = {}, signer: Signer = idpKey.signer, to = app): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const good = {
    iss: IDP,
    sub: "alice",
    aud: to.at.issuer,
    client_id: "agent",
    jti: crypto.randomUUID(),
    iat: now,
    exp: now + 300,
    resource: to.resource,
    scope: "ledger.read",
    acr: "urn:example:strong",
    auth_time: now - 60,
  };
  return signIdJag({ ...good, ...claims }, signer);
}

interface Sent {
  readonly clientId?: string;
  readonly to?: App;
  readonly key?: DpopKey;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly change?: (form: URLSearchParams) => void;
}

async function redeem(assertion: string, sent: Sent = {}): Promise<Answer> {
  const { clientId = "agent", to = app, key, headers = {}, form: more = {}, change } = sent;
  const open = clientId.startsWith("public");
  const form = new URLSearchParams({
    grant_type: JWT_BEARER_GRANT,
    assertion,
    ...(open ? { client_id: clientId } : {}),
    ...more,
  });
  change?.(form);
  const url = `${to.at.issuer}/token`;
  const dpop = key && (await createDpopProof(key, { method: "POST", url, now: Date.now() / 1_000 }));
  const known = to.events.length;
  const authorization = open ? {} : { authorization: basic(clientId, `secret-of-${clientId}`) };
  const answer = await fetch(url, {
    method: "POST",
    headers: { ...authorization, ...(dpop ? { dpop } : {}), ...headers },
    body: form,
  });
  const body = (await answer.json()) as Answer["body"];
  return { status: answer.status, headers: answer.headers, body, event: to.events[known] };
}

/** A call of the API, with what proves the token. */
async function call(token: unknown, { key, to = app, headers = {} }: Pick<Sent, "key" | "to" | "headers"> = {}) {
  const proof = { method: "GET", url: to.resource, now: Date.now() / 1_000, accessToken: String(token) };
  const shown = key ? { dpop: await createDpopProof(key, proof) } : {};
  const authorization = `${key ? "DPoP" : "Bearer"} ${token}`;
  const answer = await fetch(to.resource, { headers: { authorization, ...shown, ...headers } });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> };
}

/** What the provider's own endpoint says, to the API. */
async function introspect(token: unknown, to = app, clientId = "api"): Promise<Record<string, unknown>> {
  const answer = await fetch(`${to.at.issuer}/token/introspection`, {
    method: "POST",
    headers: { authorization: basic(clientId, `secret-of-${clientId}`) },
    body: new URLSearchParams({ token: String(token) }),
  });
  return (await answer.json()) as Record<string, unknown>;
}

describe("an ID-JAG", () => {
  test("becomes the provider's own access token, for one resource, with no refresh token", async () => {
    const { status, headers, body, event } = await redeem(await idJag({ scope: "ledger.read unknown.scope" }));
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: "Bearer",
      expires_in: 300,
      scope: "ledger.read",
      resource: app.resource,
    });
    expect((await call(body.access_token)).body).toEqual({ account: "acme-alice", scope: "ledger.read" });
    expect(event).toMatchObject({
      outcome: "granted",
      client: "agent",
      customer: "acme",
      account: "acme-alice",
      verified: true,
      granted: ["ledger.read"],
    });
    const checked = await app.idJags.check(String(body.access_token));
    expect(checked).toMatchObject({ ok: true, value: { jti: event?.accessToken, acr: "urn:example:strong" } });
    // An opaque token's jti is the token itself: it stands in no record.
    expect(JSON.stringify(event)).not.toContain(String(body.access_token));
  });

  test("is known to the provider's introspection, with its root", async () => {
    const { body, event } = await redeem(await idJag());
    expect(await introspect(body.access_token)).toMatchObject({
      active: true,
      sub: "acme-alice",
      client_id: "agent",
      aud: app.resource,
      scope: "ledger.read",
      customer: "acme",
      root: { iss: IDP, jti: event?.jti, sub: "alice" },
    });
    expect(await introspect(body.access_token, app, "no-grant")).toEqual({ active: false });
  });

  test("may be narrowed by the request, by the client's limits, and no further widened", async () => {
    const both = await idJag({ scope: "ledger.read ledger.write" });
    expect((await redeem(both, { form: { scope: "ledger.write" } })).body.scope).toBe("ledger.write");
    const forReader = await idJag({ scope: "ledger.read ledger.write", client_id: "reader" });
    expect((await redeem(forReader, { clientId: "reader" })).body.scope).toBe("ledger.read");
    const beyond = await redeem(await idJag(), { form: { scope: "ledger.write" } });
    expectRefused(beyond, 400, "invalid_scope", "scope-beyond-grant");
  });

  test("of several scopes gives them all: in the answer, the token, the provider's grant, and on record", async () => {
    const scope = "ledger.read ledger.write";
    const { body, event } = await redeem(await idJag({ scope }), { form: { scope } });
    expect(body.scope).toBe(scope);
    expect((await call(body.access_token)).body.scope).toBe(scope);
    expect(await introspect(body.access_token)).toMatchObject({ scope });
    const grant = await app.at.provider.Grant.find(app.saved.at(-1)?.grantId ?? "");
    expect(grant?.getResourceScope(app.resource)).toBe(scope);
    expect(event).toMatchObject({ asked: scope.split(" "), granted: scope.split(" ") });
  });

  test("may carry authorization details of a type that the resource has", async () => {
    const detail = { type: "invoice", actions: ["read"] };
    const { body, event } = await redeem(await idJag({ authorization_details: [detail], scope: undefined }));
    expect(body).toMatchObject({ authorization_details: [detail] });
    expect(body).not.toHaveProperty("scope");
    expect(event).not.toHaveProperty("asked");
    const checked = await app.idJags.check(String(body.access_token));
    expect(checked).toMatchObject({ ok: true, value: { authorization_details: [detail] } });
    expect(checked.ok && checked.value).not.toHaveProperty("scope");
    expect(await introspect(body.access_token)).toMatchObject({ authorization_details: [detail] });
    const unknown = await redeem(await idJag({ authorization_details: [{ type: "payment" }] }));
    expectRefused(unknown, 400, "invalid_authorization_details", "authorization-details-unknown");
  });

  test("redeemed 20 times at once becomes one access token", async () => {
    const assertion = await idJag();
    const before = app.saved.length;
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(assertion)));
    const [won, lost] = [200, 400].map((status) => answers.filter((one) => one.status === status));
    expect([won?.length, lost?.length, app.saved.length - before]).toEqual([1, 19, 1]);
    for (const { body } of lost ?? []) expect(body.error).toBe("invalid_grant");
  });

  test("whose redemption can not be recorded gives nothing: 503, and no token is left", async () => {
    const before = app.saved.length;
    failing = "record";
    const { status, headers, body } = await redeem(await idJag());
    expect([status, body.error, headers.get("retry-after")]).toEqual([503, "temporarily_unavailable", "5"]);
    expect(body).not.toHaveProperty("access_token");
    const [token, ...more] = app.saved.slice(before);
    expect(more).toEqual([]);
    expect(await app.at.provider.AccessToken.find(token?.jti ?? "")).toBeUndefined();
    expect(await app.at.provider.Grant.find(token?.grantId ?? "")).toBeUndefined();
  });

  test("that is refused, and whose refusal can not be recorded, is told so: 503", async () => {
    failing = "record";
    const { status, body } = await redeem(await idJag({ aud: "https://other.example" }));
    expect([status, body.error]).toEqual([503, "temporarily_unavailable"]);
  });

  test("is refused where the store is down: 503, and nothing is issued", async () => {
    const before = app.saved.length;
    failing = "store";
    expectRefused(await redeem(await idJag()), 503, "temporarily_unavailable", "store-unavailable");
    expect(app.saved).toHaveLength(before);
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ["of an issuer that nobody trusts", { iss: "https://evil.example" }, "invalid_grant", "id-jag-issuer"],
    ["of a tenant of it", { tenant: "other" }, "invalid_grant", "id-jag-issuer"],
    ["of one customer's issuer, with another's key", { iss: GLOBEX }, "invalid_grant", "id-jag-key"],
    ["for another server", { aud: "https://other.example" }, "invalid_grant", "id-jag-audience"],
    ["of another client", { client_id: "other" }, "invalid_grant", "id-jag-client"],
    ["that has expired", { iat: 1_700_000_000, exp: 1_700_000_300 }, "invalid_grant", "id-jag-expired"],
    ["from the future", { iat: 4_000_000_000, exp: 4_000_000_300 }, "invalid_grant", "id-jag-not-yet-valid"],
    ["for another app's resource", { resource: "https://other.example/mcp" }, "invalid_target", "resource-foreign"],
    ["without a resource", { resource: undefined }, "invalid_target", "resource-missing"],
    ["of scopes that are not here", { scope: "wiki.read" }, "invalid_scope", "nothing-granted"],
    ["of somebody who has no account", { sub: "mallory" }, "invalid_grant", "subject-unresolved"],
    ["of another customer of the app", { aud_tenant: "globex" }, "invalid_grant", "id-jag-tenant"],
  ])("%s is refused", async (_, claims, error, reason) => {
    const before = app.saved.length;
    expectRefused(await redeem(await idJag(claims)), 400, error, reason);
    expect(app.saved).toHaveLength(before);
  });

  test("that nobody has read yet is no verified one on record", async () => {
    for (const change of [
      (form: URLSearchParams) => form.append("assertion", "x"),
      (form: URLSearchParams) => form.set("client_secret", "x"),
    ]) {
      const { event } = await redeem(await idJag(), { change });
      expect(event).toMatchObject({ outcome: "refused", verified: false });
    }
  });

  test("for several servers is refused, though this one is among them", async () => {
    const several = await idJag({ aud: [app.at.issuer, "https://other.example"] });
    expectRefused(await redeem(several), 400, "invalid_grant", "id-jag-audience");
  });

  test("that another key has signed is refused", async () => {
    const signer = await importSigner({ ...otherKey.privateJwk, kid: idpKey.privateJwk.kid });
    expectRefused(await redeem(await idJag({}, signer)), 400, "invalid_grant", "id-jag-signature");
  });

  test("is no access token, and an access token is no ID-JAG", async () => {
    const { body } = await redeem(await idJag());
    expectRefused(await redeem(String(body.access_token)), 400, "invalid_grant", "id-jag-malformed");
    expect((await call(await idJag())).status).toBe(401);
  });
});

describe("a client", () => {
  test.each<[string, Sent, number, string, string]>([
    ["that nobody knows", { clientId: "nobody" }, 401, "invalid_client", "client-unknown"],
    [
      "with a wrong secret",
      { headers: { authorization: basic("agent", "wrong") } },
      401,
      "invalid_client",
      "client-secret-wrong",
    ],
    ["without the grant in its grant_types", { clientId: "no-grant" }, 400, "unauthorized_client", "client-grant"],
    [
      "without the name of the grant that it uses",
      { clientId: "bearer-only", form: { grant_type: JWT_DPOP_GRANT } },
      400,
      "unauthorized_client",
      "client-grant",
    ],
    ["that is public", { clientId: "public" }, 400, "unauthorized_client", "client-public"],
    ["that is public and proves no key", { clientId: "public-bound" }, 400, "unauthorized_client", "client-public"],
    ["that is DPoP-bound and proves no key", { clientId: "bound" }, 400, "invalid_grant", "id-jag-unbound"],
    ["that is certificate-bound and shows none", { clientId: "certified" }, 400, "invalid_grant", "id-jag-unbound"],
    ["of another customer alone", { clientId: "of-globex" }, 400, "invalid_grant", "id-jag-client"],
  ])("%s is refused, and on record", async (_, sent, status, error, reason) => {
    const before = app.saved.length;
    expectRefused(await redeem(await idJag({ client_id: sent.clientId ?? "agent" }), sent), status, error, reason);
    expect(app.saved).toHaveLength(before);
  });

  test("that is not authenticated stands in no record by its name", async () => {
    const { event } = await redeem(await idJag(), { headers: { authorization: basic("agent", "wrong") } });
    expect(event).toMatchObject({ outcome: "refused", verified: false });
    expect(event).not.toHaveProperty("client");
  });

  test("that is authenticated, and may not use the grant, stands in the record by its name", async () => {
    const { event } = await redeem(await idJag({ client_id: "no-grant" }), { clientId: "no-grant" });
    expect(event).toMatchObject({ outcome: "refused", client: "no-grant", reason: "client-grant", verified: false });
  });

  test("that the provider refuses, where that can not be recorded, is told so: 503", async () => {
    failing = "record";
    const { status, body } = await redeem(await idJag(), { headers: { authorization: basic("agent", "wrong") } });
    expect([status, body.error]).toEqual([503, "temporarily_unavailable"]);
  });

  test.each<[string, Sent, string]>([
    ["certificate-bound, and shows none", { clientId: "certified" }, "the client is certificate-bound"],
    ["there by the DPoP grant, and proves no key", { form: { grant_type: JWT_DPOP_GRANT } }, "no proof"],
  ])("that is %s: the record tells it apart", async (_, sent, detail) => {
    const { event } = await redeem(await idJag({ client_id: sent.clientId ?? "agent" }), sent);
    expect(event).toMatchObject({ reason: "id-jag-unbound", detail });
  });

  test("that is public and DPoP-bound needs an ID-JAG that is bound to its key", async () => {
    const key = await generateDpopKey();
    const sent = { clientId: "public-bound", key };
    const bound = await idJag({ client_id: "public-bound", cnf: { jkt: key.jkt } });
    expect((await redeem(bound, sent)).body).toMatchObject({ token_type: "DPoP" });
    const unbound = await redeem(await idJag({ client_id: "public-bound" }), sent);
    expectRefused(unbound, 400, "invalid_grant", "id-jag-unbound");
  });
});

describe("a request", () => {
  test.each<[string, (form: URLSearchParams) => void, string, string]>([
    ["with two assertions", (form) => form.append("assertion", "x"), "invalid_request", "parameter-doubled"],
    [
      "with two scopes",
      (form) => ["a", "b"].forEach((one) => void form.append("scope", one)),
      "invalid_request",
      "parameter-doubled",
    ],
    ["without an assertion", (form) => form.delete("assertion"), "invalid_request", "parameter-missing"],
    ["with a malformed scope", (form) => form.set("scope", 'a"b'), "invalid_scope", "scope-malformed"],
    ["with a relative resource", (form) => form.set("resource", "/mcp"), "invalid_target", "resource-malformed"],
    [
      "with another app's resource",
      (form) => form.set("resource", "https://other.example"),
      "invalid_target",
      "resource-foreign",
    ],
    [
      "with details that are no list",
      (form) => form.set("authorization_details", "{}"),
      "invalid_authorization_details",
      "authorization-details-malformed",
    ],
  ])("%s is refused", async (_, change, error, reason) => {
    expectRefused(await redeem(await idJag(), { change }), 400, error, reason);
  });
});

describe("possession", () => {
  let key: DpopKey;
  beforeAll(async () => {
    key = await generateDpopKey();
  });

  test("a proof binds the access token to its key, at the API and in introspection", async () => {
    const { body, event } = await redeem(await idJag({ cnf: { jkt: key.jkt } }), { key });
    expect(body.token_type).toBe("DPoP");
    expect(event?.binding).toBe("dpop");
    expect((await call(body.access_token, { key })).status).toBe(200);
    expect((await call(body.access_token)).status).toBe(401);
    expect((await call(body.access_token, { key: await generateDpopKey() })).status).toBe(401);
    expect(await introspect(body.access_token)).toMatchObject({ cnf: { jkt: key.jkt }, token_type: "DPoP" });
  });

  test("a bound ID-JAG without a proof, or with another key's, is refused, and not burnt", async () => {
    const bound = await idJag({ cnf: { jkt: key.jkt } });
    expectRefused(await redeem(bound), 400, "invalid_grant", "id-jag-bound");
    expectRefused(await redeem(bound, { key: await generateDpopKey() }), 400, "invalid_grant", "id-jag-bound");
    expect((await redeem(bound, { key })).status).toBe(200);
  });

  test("by the grant's other name a proof is a must", async () => {
    const form = { grant_type: JWT_DPOP_GRANT };
    expectRefused(await redeem(await idJag(), { form }), 400, "invalid_grant", "id-jag-unbound");
    expect((await redeem(await idJag(), { form, key })).body.token_type).toBe("DPoP");
  });

  test("a proof is good once", async () => {
    const dpop = await createDpopProof(key, { method: "POST", url: `${app.at.issuer}/token`, now: Date.now() / 1_000 });
    expect((await redeem(await idJag(), { headers: { dpop } })).status).toBe(200);
    expectRefused(await redeem(await idJag(), { headers: { dpop } }), 400, "invalid_dpop_proof", "dpop-replayed");
  });

  test("a certificate binds, too, as the provider's own configuration reads it", async () => {
    const { cert, der } = newCertificate("agent");
    const headers = { "x-certificate": cert.replaceAll("\n", "") };
    const { body, event } = await redeem(await idJag({ client_id: "certified" }), { headers, clientId: "certified" });
    expect(body.token_type).toBe("Bearer");
    expect(event?.binding).toBe("certificate");
    const shown = { "x-certificate-der": der.toString("base64") };
    expect((await call(body.access_token, { headers: shown })).status).toBe(200);
    expect((await call(body.access_token)).status).toBe(401);
    expect(await introspect(body.access_token)).toHaveProperty("cnf.x5t#S256");
    const broken = await redeem(await idJag(), { headers: { "x-certificate": "%" } });
    expectRefused(broken, 400, "invalid_request", "certificate-malformed");
  });

  test("a resource may want bound tokens only, and the server nonces", async () => {
    await using strict = await startApp((resource) => ({
      resources: { [resource]: { scopes: { "ledger.read": "Read" }, requireBound: true } },
      dpop: { nonceSecret: crypto.getRandomValues(new Uint8Array(32)) },
    }));
    const sent = { to: strict };
    const unbound = await redeem(await idJag({}, undefined, strict), sent);
    expectRefused(unbound, 400, "invalid_grant", "id-jag-unbound");
    expect(unbound.headers.has("dpop-nonce")).toBe(false);
    const first = await redeem(await idJag({}, undefined, strict), { ...sent, key });
    expectRefused(first, 400, "use_dpop_nonce", "dpop-nonce-wanted");
    const nonce = first.headers.get("dpop-nonce") ?? "";
    const proof = { method: "POST", url: `${strict.at.issuer}/token`, now: Date.now() / 1_000, nonce };
    const headers = { dpop: await createDpopProof(key, proof) };
    expect((await redeem(await idJag({}, undefined, strict), { ...sent, headers })).body.token_type).toBe("DPoP");
  });
});

describe("a revocation", () => {
  test.each<[string, (event: ReceiverEvent | undefined) => Parameters<ProviderResourceServer["revoke"]>[0]]>([
    ["of the person", () => ({ iss: IDP, sub: "alice" })],
    ["of the client", () => ({ iss: IDP, clientId: "agent" })],
    ["of the ID-JAG", (event) => ({ iss: IDP, jti: event?.jti ?? "" })],
  ])("%s ends what is out at once, here and in introspection", async (_, what) => {
    await using own = await startApp();
    const again = { replay: "resubmit" } as const;
    await using lenient = await startApp(() => ({
      customers: [{ id: "acme", issuers: [{ issuer: IDP, jwks: { keys: [idpKey.publicJwk] }, ...again }] }],
    }));
    for (const to of [own, lenient]) {
      const assertion = await idJag({}, undefined, to);
      const { body, event } = await redeem(assertion, { to });
      expect((await call(body.access_token, { to })).status).toBe(200);
      await to.idJags.revoke(what(event));
      expect((await call(body.access_token, { to })).status).toBe(401);
      expect(to.events.at(-1)?.reason).toBe("access-token-revoked");
      expect(await introspect(body.access_token, to)).toEqual({ active: false });
      expectRefused(await redeem(assertion, { to }), 400, "invalid_grant", "id-jag-revoked");
    }
  });

  test("by the client, at the provider's own endpoint, ends that token", async () => {
    const { body } = await redeem(await idJag());
    await fetch(`${app.at.issuer}/token/revocation`, {
      method: "POST",
      headers: { authorization: basic("agent", "secret-of-agent") },
      body: new URLSearchParams({ token: String(body.access_token) }),
    });
    expect((await call(body.access_token)).status).toBe(401);
  });

  test("of the provider's grant ends its token", async () => {
    const { body } = await redeem(await idJag());
    const grant = await app.at.provider.Grant.find(app.saved.at(-1)?.grantId ?? "");
    expect(Number(grant?.exp) - Number(grant?.iat)).toBe(300);
    await grant?.destroy();
    expect((await call(body.access_token)).status).toBe(401);
  });

  test("by the app's own rule is asked at every check", async () => {
    let alive = true;
    await using own = await startApp(() => ({ isAlive: () => alive }));
    const { body } = await redeem(await idJag({}, undefined, own), { to: own });
    alive = false;
    expect((await call(body.access_token, { to: own })).status).toBe(401);
    expect(await introspect(body.access_token, own)).toEqual({ active: false });
  });

  test("a token ends by itself after its lifetime", async () => {
    const { body } = await redeem(await idJag());
    shift = 301;
    expect((await call(body.access_token)).status).toBe(401);
    expect(app.events.at(-1)?.reason).toBe("access-token-expired");
  });
});

describe("access tokens as JWT", () => {
  const asJwt = () => ({ accessToken: { format: "jwt", jwks: { keys: [ownKey] }, lifetime: 60 } }) as const;

  test("are signed by the provider, and checked with its keys", async () => {
    await using own = await startApp(asJwt);
    const key = await generateDpopKey();
    const { body, event } = await redeem(await idJag({}, undefined, own), { to: own, key });
    const token = String(body.access_token);
    expect(decodeJws(token)?.header.typ).toBe("at+jwt");
    const published = parseJwks(await (await fetch(`${own.at.issuer}/jwks`)).json()) ?? { keys: [] };
    const expected = {
      issuer: own.at.issuer,
      resource: own.resource,
      keys: jwksKeys(published),
      algorithms: ["ES256"],
    } as const;
    const checked = await checkAccessToken(token, expected, Math.floor(Date.now() / 1_000));
    const payload = checked.ok ? checked.value : undefined;
    expect(payload).toMatchObject({
      sub: "acme-alice",
      client_id: "agent",
      scope: "ledger.read",
      customer: "acme",
      cnf: { jkt: key.jkt },
      acr: "urn:example:strong",
      jti: event?.accessToken,
      root: { iss: IDP, jti: event?.jti },
    });
    expect(Number(payload?.exp) - Number(payload?.iat)).toBe(60);
    expect((await call(token, { to: own, key })).status).toBe(200);
    await own.idJags.revoke({ iss: IDP, sub: "alice" });
    expect((await call(token, { to: own, key })).status).toBe(401);
  });

  test("are signed as the app says, where the provider has several keys", async () => {
    const { privateJwk } = await generateSigningKey("ES384");
    const jwks = { keys: [ownKey, { ...privateJwk, use: "sig" as const }] };
    await using own = await startApp(() => ({ accessToken: { format: "jwt", jwks, algorithm: "ES384" } }), { jwks });
    const { body } = await redeem(await idJag({}, undefined, own), { to: own });
    expect(decodeJws(String(body.access_token))?.header.alg).toBe("ES384");
    expect((await call(body.access_token, { to: own })).status).toBe(200);
  });

  test("say when the person signed in, and who acts for them, where the ID-JAG does; otherwise nothing of it", async () => {
    await using own = await startApp(asJwt);
    const told = { acr: "urn:example:strong", auth_time: 1_700_000_000, act: { sub: "planner" } };
    const untold = { acr: undefined, auth_time: undefined, act: undefined };
    const tokens = [told, untold].map(async (claims) => {
      const { body } = await redeem(await idJag(claims, undefined, own), { to: own });
      return decodeJws(String(body.access_token))?.payload;
    });
    const [full, bare] = await Promise.all(tokens);
    expect(full).toMatchObject(told);
    for (const name of Object.keys(untold)) expect(bare).not.toHaveProperty(name);
  });

  test("of a redemption that can not be recorded lose their grant", async () => {
    await using own = await startApp(asJwt);
    failing = "record";
    expect((await redeem(await idJag({}, undefined, own), { to: own })).status).toBe(503);
    expect(await own.at.provider.Grant.find(own.saved[0]?.grantId ?? "")).toBeUndefined();
  });

  test("of a client with pairwise subjects are refused: the API would not know whose they are", async () => {
    await using own = await startApp(asJwt);
    const answer = await redeem(await idJag({ client_id: "pairwise" }, undefined, own), {
      to: own,
      clientId: "pairwise",
    });
    expectRefused(answer, 503, "temporarily_unavailable", "internal-fault");
    expect(String(answer.event?.cause)).toContain("use opaque ones");
    const opaque = await redeem(await idJag({ client_id: "pairwise" }), { clientId: "pairwise" });
    expect((await call(opaque.body.access_token)).body.account).toBe("acme-alice");
  });
});

test.each<[string, () => Partial<JwtBearerGrantOptions<Account>>, string]>([
  ["resources is empty", () => ({ resources: {} }), "resources is empty"],
  ["an issuer is no URL", () => ({ customers: [{ id: "a", issuers: [{ issuer: "x" }] }] }), "not a URL"],
  ["a lifetime is no number of seconds", () => ({ accessToken: { lifetime: 0.5 } }), "whole seconds"],
  ["JWTs have no keys", () => ({ accessToken: { format: "jwt", jwks: { keys: [] } } }), "no keys"],
  ["JWTs have what are no keys", () => ({ accessToken: { format: "jwt", jwks: JSON.parse("{}") } }), "no keys"],
])("the options are checked at the start: %s", async (_, change, message) => {
  await expect(startApp(change)).rejects.toMatchObject({
    code: "configuration",
    message: expect.stringContaining(message),
  });
});

test("limits of a client are limits alone: what else the app gives does not make a public client another one", async () => {
  const row = { scopes: ["ledger.read"], clientId: "agent", method: "client_secret_basic", dpopBound: false };
  await using own = await startApp(() => ({ limitsOf: () => row }));
  const key = await generateDpopKey();
  const sent = { clientId: "public-bound", key, to: own };
  const unbound = await redeem(await idJag({ client_id: "public-bound" }, undefined, own), sent);
  expectRefused(unbound, 400, "invalid_grant", "id-jag-unbound");
  const anothers = await redeem(await idJag({ cnf: { jkt: key.jkt } }, undefined, own), sent);
  expectRefused(anothers, 400, "invalid_grant", "id-jag-client");
});

test("one of the app's own functions that fails gives nothing: 503, and the record says which", async () => {
  const limitsOf = () => Promise.reject(new Error("the clients' table is down"));
  await using own = await startApp(() => ({ limitsOf }));
  const answer = await redeem(await idJag({}, undefined, own), { to: own });
  expectRefused(answer, 503, "temporarily_unavailable", "internal-fault");
  expect(answer.event?.detail).toBe("limitsOf failed");
  expect(String(answer.event?.cause)).toContain("the clients' table is down");
});

test("a configuration without the claims that a revocation needs issues nothing, and says why", async () => {
  await using own = await startApp(undefined, { extraTokenClaims: () => undefined });
  const answer = await redeem(await idJag({}, undefined, own), { to: own });
  expectRefused(answer, 503, "temporarily_unavailable", "internal-fault");
  expect(String(answer.event?.cause)).toContain("idJagTokenClaims");
  expect(await own.at.provider.AccessToken.find(own.saved[0]?.jti ?? "")).toBeUndefined();
});

test("the app's own claims stand beside ours, and are made of the resource with all of its scopes", async () => {
  const extraTokenClaims: Configuration["extraTokenClaims"] = (ctx, token) => ({
    ...idJagTokenClaims(ctx, token),
    offered: token.resourceServer?.scope,
  });
  await using own = await startApp(undefined, { extraTokenClaims });
  const { body } = await redeem(await idJag({}, undefined, own), { to: own });
  expect(await introspect(body.access_token, own)).toMatchObject({
    customer: "acme",
    scope: "ledger.read",
    offered: "ledger.read ledger.write",
  });
});

test("what may be left out may be left out: the store, limits, certificates, the clock", async () => {
  // As JavaScript has it; the types of this project do not take undefined for left out.
  const least = { store: undefined, limitsOf: undefined, getCertificate: undefined, now: undefined } as object;
  await using own = await startApp(() => least);
  const assertion = await idJag({}, undefined, own);
  const { body } = await redeem(assertion, { to: own });
  expect((await call(body.access_token, { to: own })).status).toBe(200);
  expectRefused(await redeem(assertion, { to: own }), 400, "invalid_grant", "id-jag-replayed");
});

test("the store that there is by default goes by the app's clock: what was redeemed stays so", async () => {
  const now = () => Math.floor(Date.now() / 1_000) - 3_600;
  await using own = await startApp(() => ({ store: undefined, now }) as object);
  const assertion = await idJag({ iat: now(), exp: now() + 300 }, undefined, own);
  expect((await redeem(assertion, { to: own })).status).toBe(200);
  expectRefused(await redeem(assertion, { to: own }), 400, "invalid_grant", "id-jag-replayed");
});

describe("a token of the provider's", () => {
  /** As the provider makes it, for the API and for Alice's account. */
  async function made(gty: string): Promise<{ readonly value: string; readonly token: AccessToken }> {
    const { provider } = app.at;
    const agent = await provider.Client.find("agent");
    if (agent === undefined) throw new Error("no client");
    const grantId = await new provider.Grant({ accountId: "acme-alice", clientId: "agent" }).save();
    const token = new provider.AccessToken({
      accountId: "acme-alice",
      client: agent,
      grantId,
      gty,
      scope: "ledger.read",
      resourceServer: new provider.ResourceServer(app.resource, {
        scope: "ledger.read",
        accessTokenFormat: "opaque",
      }),
    });
    return { value: await token.save(), token };
  }

  test("that a person signed in for is not the API's: no ID-JAG is behind it; and it is alive by its own rule", async () => {
    const { value, token } = await made("authorization_code");
    expect((await call(value)).status).toBe(401);
    expect(app.events.at(-1)?.reason).toBe("access-token-malformed");
    expect(await app.idJags.isAlive(token)).toBe(true);
    expect(await introspect(value)).toMatchObject({ active: true });
  });

  test("that is of the grant, and does not say what it goes back to, does not count", async () => {
    const { value, token } = await made(JWT_BEARER_GRANT);
    expect((await call(value)).status).toBe(401);
    expect(await app.idJags.isAlive(token)).toBe(false);
    expect(await introspect(value)).toEqual({ active: false });
  });

  test.each([
    ["account", { accountId: "acme-bob" }],
    ["client", { clientId: "other" }],
  ])("whose grant is another %s's does not count", async (_, change) => {
    const { body } = await redeem(await idJag());
    const grant = await app.at.provider.Grant.find(app.saved.at(-1)?.grantId ?? "");
    if (grant === undefined) throw new Error("no grant");
    await Object.assign(grant, change).save();
    expect((await call(body.access_token)).status).toBe(401);
  });
});

test("what has nothing to do with ID-JAGs is answered by the provider, and on no record", async () => {
  const known = app.events.length;
  const answer = await fetch(`${app.at.issuer}/token`, {
    method: "POST",
    headers: { authorization: basic("api", "wrong") },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  expect(answer.status).toBe(401);
  expect(await answer.json()).not.toHaveProperty("decision_id");
  expect((await fetch(`${app.at.issuer}/nowhere`)).status).toBe(404);
  expect(app.events).toHaveLength(known);
});

test("tokens of the provider's other grants are as they were: not the ID-JAG's API's, and alive by its rule", async () => {
  const answer = await fetch(`${app.at.issuer}/token`, {
    method: "POST",
    headers: { authorization: basic("api", "secret-of-api") },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  expect((await call(token)).status).toBe(401);
  expect(await introspect(token)).toMatchObject({ active: true, client_id: "api" });
});

test.each(["openid-configuration", "oauth-authorization-server"])(
  "the metadata at %s says what is there, and not whose",
  async (name) => {
    const metadata = await (await fetch(`${app.at.issuer}/.well-known/${name}`)).json();
    expect(metadata).toMatchObject({
      issuer: app.at.issuer,
      grant_types_supported: expect.arrayContaining([JWT_BEARER_GRANT, JWT_DPOP_GRANT]),
      authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
      dpop_signing_alg_values_supported: expect.arrayContaining(["ES256"]),
    });
    expect(JSON.stringify(metadata)).not.toContain(IDP);
  },
);

test("the resource's own metadata names the provider, and its challenge leads there", async () => {
  const answer = await fetch(app.resource);
  expect(answer.status).toBe(401);
  const url = app.idJags.resourceMetadataUrl();
  expect(answer.headers.get("www-authenticate")).toContain(`resource_metadata="${url}"`);
  expect(await (await fetch(url)).json()).toMatchObject({
    resource: app.resource,
    authorization_servers: [app.at.issuer],
  });
});
