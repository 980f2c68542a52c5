import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ok, type Result, refuse } from "@credence/protocol";
import { addClientAuth, authenticateClient, readClientAuth } from "@credence/protocol/client-auth";
import { decodeIdJag, verifyIdJag } from "@credence/protocol/id-jag";
import { generateSigningKey, importSigner, jwksKeys, signJwt } from "@credence/protocol/jws";
import { buildTokenExchangeRequest, parseTokenExchangeAnswer } from "@credence/protocol/token-exchange";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ExchangeEvent, type IssuerDecision, tokenExchangeHandler } from "./index.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://idp.acme.example";
const CLIENT = { method: "client_secret_basic", clientId: "assistant", clientSecret: "s3cret" } as const;
const ASKED = {
  audience: "https://ledger.example",
  resource: "https://ledger.example/mcp",
  scope: "ledger.read",
  subjectToken: "alice",
};

const key = await generateSigningKey("ES256");
const signer = await importSigner(key.privateJwk);

const PERMIT: IssuerDecision = {
  effect: "permit",
  reasons: [{ id: "connection-permits", connection: "assistant-ledger" }],
  appId: "ledger",
  connections: ["assistant-ledger"],
  app: { issuer: ASKED.audience, clientId: "ledger-assistant", sub: "alice" },
  resource: ASKED.resource,
  scope: ["ledger.read"],
  lifetime: 300,
  claims: { auth_time: NOW - 60, email: "alice@acme.example" },
};

// What the ports of this small IdP do, so that each test can change one of them.
let decision: IssuerDecision;
let events: ExchangeEvent<{ clientId: string }, string>[];
let faults: unknown[];
let broken: "authenticate" | "verifySubject" | "decide" | "record" | "sign" | undefined;
beforeEach(() => {
  decision = PERMIT;
  events = [];
  faults = [];
  broken = undefined;
});
function failing(port: typeof broken): void {
  if (broken === port) throw new Error(`${port} is down`);
}

const handler = tokenExchangeHandler<{ clientId: string }, string>({
  issuer: ISSUER,
  now: () => NOW + 0.7,
  onFault: (error) => faults.push(error),
  ports: {
    async authenticate({ authorization, form, now }) {
      failing("authenticate");
      const presented = readClientAuth(authorization, form);
      if (!presented.ok) return presented;
      return authenticateClient(presented.value, {
        issuer: ISSUER,
        now,
        markUsed: async () => "first",
        find: async (clientId) =>
          clientId === CLIENT.clientId
            ? { client: { clientId }, credential: { method: "client_secret_basic", secret: CLIENT.clientSecret } }
            : undefined,
      });
    },
    async verifySubject({ token }): Promise<Result<string>> {
      failing("verifySubject");
      return token === "alice" ? ok(token) : refuse("subject-token-malformed");
    },
    async decide() {
      failing("decide");
      return decision;
    },
    async record(event) {
      failing("record");
      events.push(event);
    },
    async sign({ typ }, claims) {
      failing("sign");
      return signJwt(typ, claims, signer);
    },
  },
});

// The handler behind a real HTTP server, as an IdP would mount it.
const server = createServer(async (incoming, outgoing) => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, String(value));
  const body = incoming.method === "POST" ? { body: Buffer.concat(chunks) } : {};
  const request = new Request("http://idp.test/token", { method: incoming.method ?? "GET", headers, ...body });
  const response = await handler(request, { source: "127.0.0.1" });
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
});
let url: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
});
afterAll(() => server.close());

async function post(change: (form: URLSearchParams, headers: Record<string, string>) => void = () => {}) {
  const form = buildTokenExchangeRequest(ASKED);
  const headers: Record<string, string> = {
    "content-type": "application/x-www-form-urlencoded",
    ...(await addClientAuth(form, CLIENT, ISSUER, NOW)),
  };
  change(form, headers);
  const response = await fetch(url, { method: "POST", headers, body: form.toString() });
  return { response, body: (await response.json()) as Record<string, unknown> };
}

describe("a permitted exchange", () => {
  test("gives an ID-JAG for exactly the client, app, person, resource and scope that were decided", async () => {
    const { response, body } = await post();
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    const answer = parseTokenExchangeAnswer(body);
    expect(answer).toMatchObject({ token_type: "N_A", expires_in: 300, scope: "ledger.read" });
    expect(body).not.toHaveProperty("refresh_token");
    const decoded = decodeIdJag(answer.access_token);
    if (!decoded.ok) throw new Error(decoded.refusal.reason);
    const verified = await verifyIdJag(
      decoded.value,
      {
        issuer: ISSUER,
        audience: ASKED.audience,
        clientId: "ledger-assistant",
        algorithms: ["ES256"],
        skew: 0,
        maxLifetime: 300,
      },
      jwksKeys({ keys: [key.publicJwk] }),
      NOW,
    );
    expect(verified).toMatchObject({
      ok: true,
      value: {
        sub: "alice",
        resource: ASKED.resource,
        scope: "ledger.read",
        email: "alice@acme.example",
        auth_time: NOW - 60,
        iat: NOW,
        exp: NOW + 300,
        jti: events[0]?.decisionId,
      },
    });
  });

  test("is on record before its answer, under the ID-JAG's jti", async () => {
    await post();
    expect(events).toMatchObject([
      {
        outcome: "permitted",
        time: NOW,
        source: "127.0.0.1",
        client: { clientId: "assistant" },
        subject: "alice",
        asked: { audience: ASKED.audience, resource: [ASKED.resource], scope: ["ledger.read"] },
        granted: { scope: ["ledger.read"] },
        reasons: [{ id: "connection-permits", connection: "assistant-ledger" }],
        appId: "ledger",
        connections: ["assistant-ledger"],
      },
    ]);
    expect(events[0]?.decisionId).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  test("lets no claim of the decision overrule the ID-JAG's own", async () => {
    decision = {
      ...PERMIT,
      claims: { ...PERMIT.claims, ...({ aud: "https://evil.example", sub: "mallory" } as object) },
    };
    const { body } = await post();
    const decoded = decodeIdJag(String(body.access_token));
    expect(decoded.ok && [decoded.value.claims.aud, decoded.value.claims.sub]).toEqual([ASKED.audience, "alice"]);
  });
});

describe("an exchange that policy does not permit", () => {
  test("is denied with the generic sentence and the decision id; the reason is on record only", async () => {
    decision = {
      effect: "deny",
      refusal: { reason: "no-connection" },
      reasons: [{ id: "no-connection" }],
      connections: [],
    };
    const { response, body } = await post();
    expect([response.status, body.error, body.decision_id]).toEqual([400, "access_denied", events[0]?.decisionId]);
    expect(String(body.error_description)).toContain(String(events[0]?.decisionId));
    expect(JSON.stringify(body)).not.toContain("connection");
    expect(events).toMatchObject([{ outcome: "denied", reasons: [{ id: "no-connection" }], subject: "alice" }]);
  });

  test("may be asked to step up, with how", async () => {
    decision = {
      effect: "step-up",
      refusal: { reason: "sign-in-too-old" },
      maxAge: 3_600,
      reasons: [{ id: "sign-in-too-old", connection: "c" }],
      connections: ["c"],
      nearMisses: [{ id: "scope-not-covered", connection: "d" }],
    };
    const { body } = await post();
    expect(body).toMatchObject({ error: "insufficient_user_authentication", max_age: 3_600 });
    expect(events).toMatchObject([
      {
        outcome: "step-up",
        reasons: [{ id: "sign-in-too-old", connection: "c" }],
        nearMisses: [{ id: "scope-not-covered", connection: "d" }],
      },
    ]);
  });
});

describe("a request that is not in order", () => {
  test.each<[string, (form: URLSearchParams, headers: Record<string, string>) => void, number, string, string]>([
    [
      "no client authentication",
      (_, headers) => delete headers.authorization,
      401,
      "invalid_client",
      "client-auth-missing",
    ],
    [
      "a wrong secret",
      (_, headers) => Object.assign(headers, { authorization: `Basic ${btoa("assistant:x")}` }),
      401,
      "invalid_client",
      "client-secret-wrong",
    ],
    ["a bad subject token", (form) => form.set("subject_token", "x"), 400, "invalid_grant", "subject-token-malformed"],
    ["a doubled parameter", (form) => form.append("scope", "x"), 400, "invalid_request", "parameter-doubled"],
    ["no audience", (form) => form.delete("audience"), 400, "invalid_request", "parameter-missing"],
    [
      "another grant type",
      (form) => form.set("grant_type", "password"),
      400,
      "unsupported_grant_type",
      "grant-type-unsupported",
    ],
    ["no grant type", (form) => form.delete("grant_type"), 400, "invalid_request", "parameter-missing"],
    [
      "a JSON body",
      (_, headers) => Object.assign(headers, { "content-type": "application/json" }),
      400,
      "invalid_request",
      "form-content-type",
    ],
    ["a body that is too large", (form) => form.set("x", "x".repeat(70_000)), 400, "invalid_request", "form-too-large"],
  ])("%s gets the table's error, and its exact reason is on record", async (_, change, status, error, reason) => {
    const { response, body } = await post(change);
    expect([response.status, body.error]).toEqual([status, error]);
    expect(events).toMatchObject([{ outcome: "refused", reasons: [{ id: reason }] }]);
    expect(body.decision_id).toBe(events[0]?.decisionId);
  });

  test("is told the scheme when it tried Basic", async () => {
    const wrong = await post((_, headers) => Object.assign(headers, { authorization: `Basic ${btoa("assistant:x")}` }));
    expect(wrong.response.headers.get("www-authenticate")).toContain("Basic");
    const none = await post((_, headers) => delete headers.authorization);
    expect(none.response.headers.get("www-authenticate")).toBeNull();
  });

  test("is refused for a GET", async () => {
    const response = await fetch(url);
    expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([405, "invalid_request"]);
  });
});

describe("when a port fails, nothing is issued", () => {
  test.each(["authenticate", "verifySubject", "decide", "record", "sign"] as const)("%s", async (port) => {
    broken = port;
    const { response, body } = await post();
    expect([response.status, body.error, response.headers.get("retry-after")]).toEqual([
      503,
      "temporarily_unavailable",
      "5",
    ]);
    expect(body).not.toHaveProperty("access_token");
    expect(JSON.stringify(body)).not.toContain("is down");
    expect(faults.map(String)).toContain(`Error: ${port} is down`);
  });

  test.each<[string, object, string]>([
    ["an empty one", {}, "neither permit, deny nor step-up: undefined"],
    ["one of another effect", { ...PERMIT, effect: "allow" }, "neither permit, deny nor step-up: allow"],
    ["a denial without a refusal", { effect: "deny", reasons: [], connections: [] }, "deny without a refusal"],
    ["a step-up without a refusal", { effect: "step-up", reasons: [], connections: [] }, "step-up without a refusal"],
    ["a permit for no app", { ...PERMIT, app: undefined }, "undefined"],
  ])("a decision that is none, %s, is a failure too", async (_, given, message) => {
    // As JavaScript would give it.
    decision = given as IssuerDecision;
    const { response, body } = await post();
    expect([response.status, body.error]).toEqual([503, "temporarily_unavailable"]);
    expect(body).not.toHaveProperty("access_token");
    expect(faults.map(String)).toEqual([expect.stringContaining(message)]);
    expect(events).toMatchObject([{ outcome: "refused", decisionId: body.decision_id }]);
  });

  test("a record that throws at once, too: a request that is no form is refused as ever", async () => {
    const odd = tokenExchangeHandler({
      issuer: ISSUER,
      onFault: (error) => faults.push(error),
      ports: {
        authenticate: async () => refuse("client-unknown"),
        verifySubject: async () => refuse("subject-token-malformed"),
        decide: async () => decision,
        record() {
          throw new Error("record is down");
        },
        sign: async () => "",
      },
    });
    const response = await odd(new Request(url));
    expect([response.status, faults.map(String)]).toEqual([405, ["Error: record is down"]]);
  });

  test("and what failed is on record, where the record still works", async () => {
    broken = "sign";
    await post();
    expect(events).toMatchObject([
      { outcome: "refused", reasons: [{ id: "connection-permits" }], refusal: { reason: "signer-unavailable" } },
    ]);
    expect(events[0]).not.toHaveProperty("granted");
  });
});

test("options that can not work are refused at the start", () => {
  const nothing = { issuer: ISSUER, ports: {} } as Parameters<typeof tokenExchangeHandler>[0];
  expect(() => tokenExchangeHandler(nothing)).toThrow(/ports\.authenticate is not a function/);
});
