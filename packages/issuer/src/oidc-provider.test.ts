/** An IdP that runs oidc-provider and has gained the token exchange, over real HTTP. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { ok, refuse } from "@credence/protocol";
import { createDpopProof, type DpopKey, dpopNonces, generateDpopKey } from "@credence/protocol/dpop";
import { decodeIdJag, type IdJagClaims, verifyIdJag } from "@credence/protocol/id-jag";
import { decodeJws, importSigner, jwksKeys, parseJwks, signJwt } from "@credence/protocol/jws";
import { type Client, type ClientMetadata, type Configuration, Provider } from "oidc-provider";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openUserAgent, type UserAgent } from "../../../examples/demo/src/user-agent.ts";
import { newCertificate } from "../../../test/certificates.testing.ts";
import {
  findAccount,
  gone,
  newJwk,
  PEOPLE,
  REDIRECT,
  type RunningProvider,
  signsPeopleIn,
  startProvider,
  visit,
} from "../../../test/oidc-provider.testing.ts";
import { registerTokenExchange, type SignedInAccount, type TokenExchangeGrantOptions } from "./oidc-provider.ts";
import type { ExchangeEvent, IssuerDecision, Question } from "./ports.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token";
const LEDGER = "https://ledger.example";
const MCP = `${LEDGER}/mcp`;

type Asked = Question<Client, SignedInAccount>;
type Event = ExchangeEvent<Client, SignedInAccount>;

const key = await newJwk("of-the-idp");
const foreign = await newJwk("of-nobody");

const client = (id: string, change: Partial<ClientMetadata> = {}): ClientMetadata => ({
  client_id: id,
  client_secret: `secret-of-${id}`,
  redirect_uris: [REDIRECT],
  application_type: "native",
  grant_types: ["authorization_code", "refresh_token", EXCHANGE],
  ...change,
});
const CLIENTS: ClientMetadata[] = [
  client("assistant"),
  client("other"),
  client("signs-in-only", { grant_types: ["authorization_code", "refresh_token"] }),
  client("public", { token_endpoint_auth_method: "none" }),
  client("public-bound", { token_endpoint_auth_method: "none", dpop_bound_access_tokens: true }),
  client("certified", { tls_client_certificate_bound_access_tokens: true }),
  client("by-mac", { id_token_signed_response_alg: "HS256" }),
];

function configuration({ dPoP = true } = {}): Configuration {
  return {
    ...signsPeopleIn(key),
    clients: CLIENTS.map((one) => ({ ...one })),
    enabledJWA: { idTokenSigningAlgValues: ["ES256", "HS256"] },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: dPoP },
      // Its own checks, of types that it knows and of a resource beside them, are not the exchange's.
      richAuthorizationRequests: { enabled: true, types: {} },
      mTLS: { enabled: true, certificateBoundAccessTokens: true, getCertificate: certificateOf },
    },
  };
}

/** As a proxy that ends TLS hands it on. */
function certificateOf(ctx: { get(name: string): string }): string | undefined {
  return ctx.get("x-certificate") || undefined;
}

// What this IdP decides, keeps and fails in; each test may change it.
let decide: (question: Asked) => IssuerDecision;
let events: Event[];
let faults: string[];
let failing: string | undefined;
let grantEvents: string[];
beforeEach(() => {
  decide = ({ subject, scope = ["ledger.read"], resource: [resource = MCP], binding }) => ({
    effect: "permit",
    reasons: [{ id: "connection-permits" }],
    connections: ["assistant-ledger"],
    app: { issuer: LEDGER, clientId: "ledger-assistant", sub: subject.account.accountId },
    resource,
    scope: scope.filter((one) => one === "ledger.read"),
    lifetime: 300,
    bindCertificate: binding?.["x5t#S256"] !== undefined,
    claims: {
      ...(subject.authTime === undefined ? {} : { auth_time: subject.authTime }),
      ...(subject.acr === undefined ? {} : { acr: subject.acr }),
    },
  });
  events = [];
  faults = [];
  failing = undefined;
  grantEvents = [];
  gone.clear();
});

function options(marks: Set<string> = new Set()): TokenExchangeGrantOptions {
  return {
    findAccount,
    signingKey: key,
    getCertificate: certificateOf,
    dpop: {
      markUsed: async (mark) => {
        if (failing === "marks") throw new Error("the marks are down");
        const first = !marks.has(mark);
        marks.add(mark);
        return first ? "first" : "again";
      },
    },
    async decide(question) {
      if (failing === "decide") throw new Error("the policy is down");
      return decide(question);
    },
    async record(event) {
      if (failing === "record") throw new Error("the record is down");
      events.push(event);
    },
    onFault: (error) => faults.push(error instanceof Error ? error.message : String(error)),
  };
}

let idp: RunningProvider;
beforeAll(async () => {
  idp = await startProvider(
    () => configuration(),
    (provider) => {
      registerTokenExchange(provider, options());
      provider.on("grant.success", () => grantEvents.push("success"));
      provider.on("grant.error", (_ctx, error) => grantEvents.push(error.error));
      provider.on("server_error", (_ctx, error) => grantEvents.push(error.message));
    },
  );
});
afterAll(() => idp[Symbol.asyncDispose]());

interface SignedIn {
  readonly idToken: string;
  readonly refreshToken: string | undefined;
  readonly browser: UserAgent;
}

const decodeJwt = (token: string): Readonly<Record<string, unknown>> => decodeJws(token)?.payload ?? {};
const basic = (id: string) => `Basic ${btoa(`${id}:secret-of-${id}`)}`;

/** Authorization code with PKCE, by a scripted browser. */
async function signIn(
  clientId = "assistant",
  {
    key: bound,
    scope = "openid offline_access",
    at = idp,
  }: { key?: DpopKey; scope?: string; at?: RunningProvider } = {},
): Promise<SignedIn> {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: REDIRECT,
    scope,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const alice = PEOPLE.alice ?? { email: "", password: "" };
  const browser = openUserAgent(alice);
  const back = await visit(`${at.issuer}/auth?${query}`, alice, browser);
  const { body } = await post(
    {
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      redirect_uri: REDIRECT,
      code_verifier: verifier,
    },
    { clientId, at, ...(bound === undefined ? {} : { key: bound }) },
  );
  return { idToken: String(body.id_token), refreshToken: body.refresh_token as string | undefined, browser };
}

interface Sent {
  readonly clientId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: DpopKey;
  readonly nonce?: string;
  readonly at?: RunningProvider;
  readonly change?: (form: URLSearchParams) => void;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
  readonly claims: IdJagClaims | undefined;
}

async function post(parameters: Record<string, string>, sent: Sent = {}): Promise<Answer> {
  const { clientId = "assistant", headers = {}, key: proving, nonce, at = idp, change } = sent;
  const open = clientId.startsWith("public");
  const form = new URLSearchParams({ ...parameters, ...(open ? { client_id: clientId } : {}) });
  change?.(form);
  const url = `${at.issuer}/token`;
  const proof = proving && (await createDpopProof(proving, { method: "POST", url, now: Date.now() / 1_000, nonce }));
  const response = await fetch(url, {
    method: "POST",
    headers: { ...(open ? {} : { authorization: basic(clientId) }), ...(proof ? { dpop: proof } : {}), ...headers },
    body: form,
  });
  const body = (await response.json()) as Answer["body"];
  const decoded = typeof body.access_token === "string" ? decodeIdJag(body.access_token) : undefined;
  const claims = decoded?.ok ? decoded.value.claims : undefined;
  return { status: response.status, headers: response.headers, body, claims };
}

function exchange(subject: string, sent: Sent & { readonly type?: string } = {}): Promise<Answer> {
  return post(
    {
      grant_type: EXCHANGE,
      requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
      audience: LEDGER,
      resource: MCP,
      scope: "ledger.read",
      subject_token: subject,
      subject_token_type: sent.type ?? ID_TOKEN,
    },
    sent,
  );
}

/** The wire has the table's error and the decision; the record has the reason under it, and nothing was issued. */
function expectRefused(answer: Answer, status: number, error: string, reason: string): void {
  expect(answer.body).toMatchObject({ error, decision_id: expect.any(String) });
  expect(answer.body.error_description).toContain(String(answer.body.decision_id));
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([status, "no-store"]);
  expect(answer.body).not.toHaveProperty("access_token");
  const event = events.find(({ decisionId }) => decisionId === answer.body.decision_id);
  expect([event?.outcome === "permitted", event?.reasons[0]?.id]).toEqual([false, reason]);
}

describe("an ID token of this provider", () => {
  test("is exchanged for an ID-JAG that the provider's own keys verify", async () => {
    const { idToken } = await signIn();
    const { status, headers, body, claims } = await exchange(idToken);
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(body).toMatchObject({
      issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
      token_type: "N_A",
      expires_in: 300,
      scope: "ledger.read",
      resource: MCP,
    });
    expect(body).not.toHaveProperty("refresh_token");
    const published = parseJwks(await (await fetch(`${idp.issuer}/jwks`)).json());
    const decoded = decodeIdJag(String(body.access_token));
    if (!decoded.ok || published === undefined) throw new Error("it can not be read");
    const expected = {
      issuer: idp.issuer,
      audience: LEDGER,
      clientId: "ledger-assistant",
      algorithms: ["ES256"],
    } as const;
    const limits = { skew: 5, maxLifetime: 300 };
    const now = Math.floor(Date.now() / 1_000);
    const verified = await verifyIdJag(decoded.value, { ...expected, ...limits }, jwksKeys(published), now);
    expect(verified).toMatchObject({ ok: true, value: { sub: "alice", resource: MCP, scope: "ledger.read" } });
    // In the ID token or not, they are known of the session.
    expect(claims).toMatchObject({ auth_time: expect.any(Number), acr: "urn:example:password" });
    expect(events).toMatchObject([
      { outcome: "permitted", decisionId: claims?.jti, client: { clientId: "assistant" } },
    ]);
    expect(grantEvents).toEqual(["success", "success"]);
  });

  test("of another client is refused", async () => {
    const { idToken } = await signIn("other");
    expectRefused(await exchange(idToken), 400, "invalid_grant", "subject-token-audience");
    expect(grantEvents).toEqual(["success", "invalid_grant"]);
  });

  test("is worth nothing once the person has signed out", async () => {
    const { idToken, browser } = await signIn();
    expect((await exchange(idToken)).status).toBe(200);
    await browser.browse(`${idp.issuer}/session/end?id_token_hint=${idToken}`);
    expectRefused(await exchange(idToken), 400, "invalid_grant", "sign-in-over");
  });

  test("is worth nothing once the account is gone", async () => {
    const { idToken } = await signIn();
    gone.add("alice");
    expectRefused(await exchange(idToken), 400, "invalid_grant", "person-unknown");
  });

  test("ends with its session, whatever its own expiry is", async () => {
    let later = 0;
    await using brief = await startProvider(
      () => ({ ...configuration(), ttl: { ...signsPeopleIn(key).ttl, Session: 600 } }),
      (provider) => registerTokenExchange(provider, { ...options(), now: () => Date.now() / 1_000 + later }),
    );
    const short = await signIn("assistant", { at: brief });
    expect((await exchange(short.idToken, { at: brief })).status).toBe(200);
    later = 601;
    expectRefused(await exchange(short.idToken, { at: brief }), 400, "invalid_grant", "sign-in-over");
  });

  test("that has expired is refused", async () => {
    await using late = await startProvider(
      () => configuration(),
      (provider) => registerTokenExchange(provider, { ...options(), now: () => Date.now() / 1_000 + 3_601 }),
    );
    const { idToken } = await signIn("assistant", { at: late });
    expectRefused(await exchange(idToken, { at: late }), 400, "invalid_grant", "subject-token-expired");
  });

  /** The payload of a good one, changed, and signed with a key. */
  async function forged(
    change: Record<string, unknown>,
    { by = key, typ = "JWT" }: { by?: typeof key; typ?: string } = {},
  ): Promise<string> {
    const { idToken } = await signIn();
    return signJwt(typ, { ...decodeJwt(idToken), ...change }, await importSigner(by));
  }

  test.each<[string, () => Promise<string>, string]>([
    ["of another issuer", () => forged({ iss: "https://other.example" }), "subject-token-issuer"],
    ["for two audiences", () => forged({ aud: ["assistant", "other"] }), "subject-token-audience"],
    ["that another key has signed", () => forged({}, { by: foreign }), "subject-token-signature"],
    [
      "that another key has signed under our kid",
      () => forged({}, { by: { ...foreign, kid: key.kid } }),
      "subject-token-signature",
    ],
    ["that is an ID-JAG", () => forged({}, { typ: "oauth-id-jag+jwt" }), "subject-token-type-wrong"],
    ["that is an access token", () => forged({}, { typ: "at+jwt" }), "subject-token-type-wrong"],
    ["of no session", () => forged({ sid: undefined }), "sign-in-over"],
    ["of a session that never was", () => forged({ sid: "guessed" }), "sign-in-over"],
    ["of somebody else's session", () => forged({ sub: "bob" }), "sign-in-over"],
    ["that is no JWT", async () => "no.jwt", "subject-token-malformed"],
  ])("%s is refused", async (_, make, reason) => {
    expectRefused(await exchange(await make()), 400, "invalid_grant", reason);
  });

  test("that is signed with the client's own secret is refused: the client could make any", async () => {
    const { idToken } = await signIn("by-mac");
    expectRefused(await exchange(idToken, { clientId: "by-mac" }), 400, "invalid_grant", "subject-token-key");
  });

  test("a pointer to a session is no session: its id in a cookie signs nobody in", async () => {
    const { idToken } = await signIn();
    const sid = String(decodeJwt(idToken).sid);
    const id = `id-jag-${createHash("sha256")
      .update(JSON.stringify(["assistant", sid]))
      .digest("base64url")}`;
    expect(await idp.provider.Session.adapter.find(id)).toBeDefined();
    expect(await idp.provider.Session.find(id)).toBeUndefined();
  });
});

describe("a refresh token of this provider", () => {
  const refreshTokenOf = async (...of: Parameters<typeof signIn>): Promise<string> =>
    (await signIn(...of)).refreshToken ?? "";

  test("is exchanged, and not used up by it", async () => {
    const token = await refreshTokenOf();
    for (const _ of [1, 2]) {
      const { claims } = await exchange(token, { type: REFRESH_TOKEN });
      expect(claims).toMatchObject({ sub: "alice", auth_time: expect.any(Number) });
    }
    expect((await post({ grant_type: "refresh_token", refresh_token: token })).status).toBe(200);
  });

  test("of another client is refused", async () => {
    const answer = await exchange(await refreshTokenOf("other"), { type: REFRESH_TOKEN });
    expectRefused(answer, 400, "invalid_grant", "subject-token-audience");
  });

  test("that is not known is refused", async () => {
    expectRefused(await exchange("guessed", { type: REFRESH_TOKEN }), 400, "invalid_grant", "sign-in-over");
    expectRefused(
      await exchange("x".repeat(513), { type: REFRESH_TOKEN }),
      400,
      "invalid_grant",
      "subject-token-malformed",
    );
  });

  test("that a rotation has used up is refused", async () => {
    const token = await refreshTokenOf();
    await (await idp.provider.RefreshToken.find(token))?.consume();
    expectRefused(await exchange(token, { type: REFRESH_TOKEN }), 400, "invalid_grant", "sign-in-over");
  });

  test("whose grant was revoked is refused", async () => {
    const token = await refreshTokenOf();
    const found = await idp.provider.RefreshToken.find(token);
    await (await idp.provider.Grant.find(found?.grantId ?? ""))?.destroy();
    expectRefused(await exchange(token, { type: REFRESH_TOKEN }), 400, "invalid_grant", "sign-in-over");
  });

  test("of an account that is gone is refused", async () => {
    const token = await refreshTokenOf();
    gone.add("alice");
    expectRefused(await exchange(token, { type: REFRESH_TOKEN }), 400, "invalid_grant", "person-unknown");
  });

  test("that was not issued for openid offline_access is refused", async () => {
    const token = await refreshTokenOf();
    const found = await idp.provider.RefreshToken.find(token);
    if (found === undefined) throw new Error("there is no refresh token");
    const { jti: _, iat: __, exp: ___, ...members } = found;
    const narrow = new idp.provider.RefreshToken({
      ...members,
      client: (await idp.provider.Client.find("assistant")) as Client,
      scope: "openid",
    } as ConstructorParameters<typeof idp.provider.RefreshToken>[0]);
    expectRefused(
      await exchange(await narrow.save(), { type: REFRESH_TOKEN }),
      400,
      "invalid_grant",
      "subject-token-scope",
    );
  });

  test("that is bound to a key needs a proof of that key", async () => {
    const own = await generateDpopKey();
    const token = await refreshTokenOf("public-bound", { key: own });
    const asked = { type: REFRESH_TOKEN, clientId: "public-bound" };
    const { claims } = await exchange(token, { ...asked, key: own });
    expect(claims?.cnf).toEqual({ jkt: own.jkt });
    const answer = await exchange(token, { ...asked, key: await generateDpopKey() });
    expectRefused(answer, 400, "invalid_grant", "subject-token-binding");
  });
});

describe("a client", () => {
  let idToken: string;
  beforeAll(async () => {
    ({ idToken } = await signIn());
  });
  const sentBy = (authorization: string): Sent => ({ headers: { authorization } });

  test.each<[string, Sent, number, string, string]>([
    ["that nobody knows", sentBy(basic("nobody")), 401, "invalid_client", "client-unknown"],
    ["with a wrong secret", sentBy(`Basic ${btoa("assistant:wrong")}`), 401, "invalid_client", "client-secret-wrong"],
    [
      "without its secret",
      { clientId: "public", change: (form) => form.set("client_id", "assistant") },
      401,
      "invalid_client",
      "client-auth-method-wrong",
    ],
    ["without the grant in its grant_types", { clientId: "signs-in-only" }, 400, "unauthorized_client", "client-grant"],
    ["that is public", { clientId: "public" }, 400, "unauthorized_client", "client-public"],
    ["that is public and proves no key", { clientId: "public-bound" }, 400, "unauthorized_client", "client-public"],
    [
      "whose tokens are certificate-bound, without one",
      { clientId: "certified" },
      400,
      "invalid_dpop_proof",
      "binding-missing",
    ],
    [
      "twice over",
      { change: (form) => form.set("client_secret", "x") },
      400,
      "invalid_request",
      "client-auth-malformed",
    ],
  ])("%s is refused, and on record", async (_, sent, status, error, reason) => {
    expectRefused(await exchange(idToken, sent), status, error, reason);
    expect(grantEvents).not.toContain("success");
  });

  test("that the provider can not read is on record in its words, and they are not on the wire", async () => {
    const { body } = await exchange(idToken, { change: (form) => form.set("client_secret", "x") });
    const said = /^invalid_request: .*authentication/;
    expect(events).toMatchObject([{ refusal: { detail: expect.stringMatching(said) } }]);
    expect(body.error_description).not.toMatch(/authentication/);
  });

  test("that is not authenticated stands in no record by its name", async () => {
    await exchange(idToken, sentBy(`Basic ${btoa("assistant:wrong")}`));
    expect(events).toMatchObject([{ outcome: "refused" }]);
    expect(events[0]).not.toHaveProperty("client");
  });

  test("that tries Basic is told of Basic", async () => {
    const { headers } = await exchange(idToken, sentBy(`Basic ${btoa("assistant:wrong")}`));
    expect(headers.get("www-authenticate")).toMatch(/^Basic /);
  });
});

describe("a request", () => {
  let idToken: string;
  beforeAll(async () => {
    ({ idToken } = await signIn());
  });
  const set = (name: string, value: string): Sent => ({ change: (form) => form.set(name, value) });
  const add = (name: string, value: string): Sent => ({ change: (form) => form.append(name, value) });
  const drop = (name: string): Sent => ({ change: (form) => form.delete(name) });

  test.each<[string, Sent, string, string]>([
    ["with a doubled scope", add("scope", "ledger.read"), "invalid_request", "parameter-doubled"],
    ["with a doubled subject token", add("subject_token", "x"), "invalid_request", "parameter-doubled"],
    ["with two audiences", add("audience", "https://wiki.example"), "invalid_target", "audiences-several"],
    ["without an audience", drop("audience"), "invalid_request", "parameter-missing"],
    ["without a subject token", drop("subject_token"), "invalid_request", "parameter-missing"],
    [
      "for another token type",
      set("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
      "invalid_request",
      "requested-token-type-unsupported",
    ],
    [
      "with a SAML assertion",
      set("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
      "invalid_request",
      "subject-token-type-unsupported",
    ],
    [
      "with an actor",
      {
        change: (form) => {
          form.set("actor_token", "x");
          form.set("actor_token_type", "urn:ietf:params:oauth:token-type:jwt");
        },
      },
      "invalid_request",
      "actor-token-unsupported",
    ],
    ["with a malformed scope", set("scope", 'a"b'), "invalid_scope", "scope-malformed"],
    ["with a resource that has a fragment", set("resource", `${MCP}#x`), "invalid_target", "resource-malformed"],
    [
      "with authorization details that are no list",
      set("authorization_details", "{}"),
      "invalid_authorization_details",
      "authorization-details-malformed",
    ],
    ["with a control character", set("scope", "a\u0000b"), "invalid_request", "form-malformed"],
  ])("%s is refused", async (_, sent, error, reason) => {
    expectRefused(await exchange(idToken, sent), 400, error, reason);
  });

  test("with a doubled grant_type never comes to the grant", async () => {
    const answer = await exchange(idToken, add("grant_type", EXCHANGE));
    expect([answer.status, answer.body.error, events]).toEqual([400, "invalid_request", []]);
  });

  test("may name several resources, and details that the policy grants", async () => {
    const detail = { type: "invoice", actions: ["read"] };
    decide = ({ resource, authorizationDetails }) => ({
      effect: "permit",
      reasons: [{ id: "connection-permits" }],
      connections: [],
      app: { issuer: LEDGER, clientId: "ledger-assistant", sub: "alice" },
      resource,
      scope: [],
      ...(authorizationDetails === undefined ? {} : { authorizationDetails }),
      lifetime: 60,
      claims: {},
    });
    const { claims } = await exchange(idToken, {
      change(form) {
        form.append("resource", `${LEDGER}/api`);
        form.set("authorization_details", JSON.stringify([detail]));
      },
    });
    expect(claims).toMatchObject({ resource: [MCP, `${LEDGER}/api`], authorization_details: [detail] });
  });

  test("of a browser is answered with JSON, too", async () => {
    const answer = await exchange(idToken, { ...drop("audience"), headers: { accept: "text/html" } });
    expect(answer.headers.get("content-type")).toContain("application/json");
  });
});

describe("a decision", () => {
  let idToken: string;
  beforeAll(async () => {
    ({ idToken } = await signIn());
  });

  test("that denies is told as access_denied, and why only to the record", async () => {
    decide = () => ({
      effect: "deny",
      refusal: { reason: "no-connection" },
      reasons: [{ id: "no-connection" }],
      connections: [],
    });
    const answer = await exchange(idToken);
    expectRefused(answer, 400, "access_denied", "no-connection");
    expect(JSON.stringify(answer.body)).not.toContain("connection");
    expect(grantEvents).toEqual(["access_denied"]);
  });

  test("that wants a stronger sign-in says which", async () => {
    const reasons = [{ id: "acr-too-weak" }] as const;
    decide = () => ({
      effect: "step-up",
      refusal: { reason: "acr-too-weak" },
      reasons,
      connections: [],
      maxAge: 300,
      acrValues: "urn:example:strong",
    });
    const { status, body } = await exchange(idToken);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: "insufficient_user_authentication",
      max_age: 300,
      acr_values: "urn:example:strong",
    });
  });

  test.each(["decide", "record"])("whose %s fails gives nothing: 503", async (port) => {
    failing = port;
    const answer = await exchange(idToken);
    expect([answer.status, answer.body.error]).toEqual([503, "temporarily_unavailable"]);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(answer.body).not.toHaveProperty("access_token");
    expect(faults).toHaveLength(1);
    expect(grantEvents).toEqual(["temporarily_unavailable"]);
  });

  test("is not even asked for where the certificate can not be read at all: 503", async () => {
    await using other = await startProvider(
      () => configuration(),
      (provider) => {
        const getCertificate = () => {
          throw new Error("the listener is down");
        };
        registerTokenExchange(provider, { ...options(), getCertificate });
      },
    );
    const own = await signIn("assistant", { at: other });
    const answer = await exchange(own.idToken, { at: other });
    expect([answer.status, answer.body.error, faults]).toEqual([
      503,
      "temporarily_unavailable",
      ["the listener is down"],
    ]);
  });

  test("is signed only with a key that the provider publishes", async () => {
    await using other = await startProvider(
      () => configuration(),
      (provider) => registerTokenExchange(provider, { ...options(), signingKey: foreign }),
    );
    const own = await signIn("assistant", { at: other });
    const answer = await exchange(own.idToken, { at: other });
    expect([answer.status, answer.body.error]).toEqual([503, "temporarily_unavailable"]);
    expect(faults).toEqual([expect.stringContaining("not among the provider's jwks")]);
  });
});

describe("a proof of possession", () => {
  let idToken: string;
  let proving: DpopKey;
  beforeAll(async () => {
    ({ idToken } = await signIn());
    proving = await generateDpopKey();
  });

  test("binds the ID-JAG to its key", async () => {
    const { claims } = await exchange(idToken, { key: proving });
    expect(claims?.cnf).toEqual({ jkt: proving.jkt });
  });

  test("is good once", async () => {
    const url = `${idp.issuer}/token`;
    const dpop = await createDpopProof(proving, { method: "POST", url, now: Date.now() / 1_000 });
    expect((await exchange(idToken, { headers: { dpop } })).status).toBe(200);
    expectRefused(await exchange(idToken, { headers: { dpop } }), 400, "invalid_dpop_proof", "dpop-replayed");
  });

  test("for another endpoint is refused", async () => {
    const url = "https://elsewhere.example/token";
    const dpop = await createDpopProof(proving, { method: "POST", url, now: Date.now() / 1_000 });
    expectRefused(await exchange(idToken, { headers: { dpop } }), 400, "invalid_dpop_proof", "dpop-url");
  });

  test("is refused where the marks can not be kept", async () => {
    failing = "marks";
    const answer = await exchange(idToken, { key: proving });
    expect([answer.status, answer.body.error]).toEqual([503, "temporarily_unavailable"]);
  });

  test("of a public client stands for its secret", async () => {
    const { idToken: own } = await signIn("public-bound", { key: proving });
    const { claims } = await exchange(own, { clientId: "public-bound", key: proving });
    expect(claims?.cnf).toEqual({ jkt: proving.jkt });
  });

  test("may be a certificate, as the provider's own configuration reads it", async () => {
    const { cert } = newCertificate("agent");
    const headers = { "x-certificate": cert.replaceAll("\n", "") };
    const { claims } = await exchange(idToken, { headers });
    expect(claims?.cnf).toEqual({ "x5t#S256": expect.stringMatching(/^[\w-]{43}$/) });
    const broken = await exchange(idToken, { headers: { "x-certificate": "%" } });
    expectRefused(broken, 400, "invalid_request", "certificate-malformed");
  });

  test("works with nonces of ours, whether the provider's own feature is on or off", async () => {
    await using other = await startProvider(
      () => configuration({ dPoP: false }),
      (provider) => {
        const { dpop } = options();
        if (dpop === undefined) throw new Error("the options take proofs");
        registerTokenExchange(provider, { ...options(), dpop: { ...dpop, nonces: dpopNonces(randomBytes(32)) } });
      },
    );
    const own = await signIn("assistant", { at: other });
    const first = await exchange(own.idToken, { at: other, key: proving });
    expectRefused(first, 400, "use_dpop_nonce", "dpop-nonce-wanted");
    const nonce = first.headers.get("dpop-nonce") ?? "";
    const { claims } = await exchange(own.idToken, { at: other, key: proving, nonce });
    expect(claims?.cnf).toEqual({ jkt: proving.jkt });
    const metadata = await (await fetch(`${other.issuer}/.well-known/openid-configuration`)).json();
    expect(metadata).toMatchObject({ dpop_signing_alg_values_supported: expect.arrayContaining(["ES256"]) });
  });

  test("is refused where nobody checks it", async () => {
    await using other = await startProvider(
      () => configuration(),
      (provider) => {
        const { dpop: _, ...rest } = options();
        registerTokenExchange(provider, rest);
      },
    );
    const own = await signIn("assistant", { at: other });
    const answer = await exchange(own.idToken, { at: other, key: proving });
    expectRefused(answer, 400, "invalid_dpop_proof", "dpop-unavailable");
  });
});

test("below a path, proofs are for the URL that clients know", async () => {
  let serve: RequestListener = (_req, res) => void res.writeHead(503).end();
  const http = createServer((req, res) => serve(req, res));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}/op`;
  const provider = new Provider(issuer, configuration());
  registerTokenExchange(provider, options());
  const callback = provider.callback();
  serve = (req, res) => {
    const { url = "" } = req;
    callback(Object.assign(req, { originalUrl: url, url: url.replace(/^\/op/, "") }), res);
  };
  const at: RunningProvider = {
    issuer,
    provider,
    http,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  await using _ = at;
  const proven = await exchange("no.jwt", { at, key: await generateDpopKey() });
  expectRefused(proven, 400, "invalid_grant", "subject-token-malformed");
  const url = issuer.replace("/op", "/token");
  const dpop = await createDpopProof(await generateDpopKey(), { method: "POST", url, now: Date.now() / 1_000 });
  expectRefused(await exchange("no.jwt", { at, headers: { dpop } }), 400, "invalid_dpop_proof", "dpop-url");
});

test.each(["openid-configuration", "oauth-authorization-server"])(
  "the metadata at %s says what is there",
  async (name) => {
    const metadata = await (await fetch(`${idp.issuer}/.well-known/${name}`)).json();
    expect(metadata).toMatchObject({
      issuer: idp.issuer,
      grant_types_supported: expect.arrayContaining([EXCHANGE, "authorization_code"]),
      identity_chaining_requested_token_types_supported: ["urn:ietf:params:oauth:token-type:id-jag"],
    });
  },
);

test("subject tokens of another kind are the maker's to verify", async () => {
  await using own = await startProvider(
    () => configuration(),
    (provider) =>
      registerTokenExchange<string>(provider, {
        ...options(),
        verifySubject: async ({ token }) => (token === "badge-17" ? ok("alice") : refuse("subject-token-malformed")),
        async decide(question) {
          return decide({
            ...question,
            subject: { account: { accountId: question.subject, claims: async () => ({ sub: "" }) } },
          });
        },
        async record({ subject: _, ...event }) {
          events.push(event);
        },
      }),
  );
  const { claims } = await exchange("badge-17", { at: own });
  expect(claims?.sub).toBe("alice");
  expectRefused(await exchange("badge-18", { at: own }), 400, "invalid_grant", "subject-token-malformed");
});

test("other grants and other clients of the provider are as they were", async () => {
  const { idToken, refreshToken = "" } = await signIn("signs-in-only");
  expect(decodeJwt(idToken)).not.toHaveProperty("sid");
  expect(
    (await post({ grant_type: "refresh_token", refresh_token: refreshToken }, { clientId: "signs-in-only" })).status,
  ).toBe(200);
  const refused = await post({ grant_type: "refresh_token", refresh_token: "guessed" });
  expect([refused.status, refused.body]).toEqual([
    400,
    { error: "invalid_grant", error_description: "grant request is invalid" },
  ]);
  expect(events).toEqual([]);
});

test.each([
  ["findAccount", /findAccount is not a function/],
  ["decide", /decide is not a function/],
  ["record", /record is not a function/],
  ["signingKey", /signingKey is missing/],
])("a registration without %s is refused at the start", (name, message) => {
  const provider = new Provider("https://idp.example", configuration());
  expect(() => registerTokenExchange(provider, { ...options(), [name]: undefined })).toThrow(message);
});
