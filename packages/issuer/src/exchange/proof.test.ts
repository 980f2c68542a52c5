import { ok, refuse } from "@credence/protocol";
import { createDpopProof, type DpopKey, dpopNonces, generateDpopKey } from "@credence/protocol/dpop";
import { decodeIdJag, type IdJagClaims } from "@credence/protocol/id-jag";
import { generateSigningKey, importSigner, signJwt } from "@credence/protocol/jws";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { buildTokenExchangeRequest, JWT_TOKEN_TYPE } from "@credence/protocol/token-exchange";
import { beforeEach, describe, expect, test } from "vitest";
import { type ExchangeEvent, type IssuerDecision, type Question, tokenExchangeHandler } from "../index.ts";

const NOW = 1_800_000_000;
const URL = "https://idp.acme.example/token";
const RESOURCE = "https://ledger.example/mcp";
const signer = await importSigner((await generateSigningKey("ES256")).privateJwk);
const key = await generateDpopKey();
const other = await generateDpopKey("EdDSA");
const certificate = new Uint8Array([0x30, 0x82, ...Array.from({ length: 300 }, (_, i) => i % 251)]);
const nonces = dpopNonces(new Uint8Array(32).fill(7));

const PERMIT = {
  effect: "permit",
  reasons: [{ id: "connection-permits" }],
  connections: ["c"],
  app: { issuer: "https://ledger.example", clientId: "ledger-assistant", sub: "alice" },
  resource: RESOURCE,
  scope: ["read"],
  lifetime: 300,
  claims: {},
} as const satisfies IssuerDecision;

let decision: IssuerDecision;
let asked: Question<string, string> | undefined;
let events: ExchangeEvent<string, string>[];
let used: Set<string>;
beforeEach(() => {
  decision = PERMIT;
  asked = undefined;
  events = [];
  used = new Set();
});

const idp = (options: { nonces?: boolean; dpop?: false; actors?: boolean; stranger?: boolean } = {}) =>
  tokenExchangeHandler<string, string>({
    issuer: "https://idp.acme.example",
    now: () => NOW,
    ...(options.dpop === false
      ? {}
      : {
          dpop: {
            url: URL,
            markUsed: async (mark) => {
              if (used.has(mark)) return "again";
              used.add(mark);
              return "first";
            },
            ...(options.nonces ? { nonces } : {}),
          },
        }),
    ports: {
      authenticate: async () => (options.stranger ? refuse("client-unknown") : ok("assistant")),
      verifySubject: async ({ token }) => ok(token),
      ...(options.actors ? { verifyActor: async ({ token }) => ok({ id: token, act: { sub: token } }) } : {}),
      async decide(question) {
        asked = question;
        return decision;
      },
      async record(event) {
        events.push(event);
      },
      sign: ({ typ }, claims) => signJwt(typ, claims, signer),
    },
  });

interface Sent {
  readonly proof?: string | undefined;
  readonly certificate?: Uint8Array;
  readonly form?: Record<string, string>;
}

async function send(handler: ReturnType<typeof idp>, { proof, certificate: shown, form = {} }: Sent) {
  const body = buildTokenExchangeRequest({
    audience: "https://ledger.example",
    resource: RESOURCE,
    subjectToken: "alice",
  });
  for (const [name, value] of Object.entries(form)) body.set(name, value);
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    ...(proof === undefined ? {} : { dpop: proof }),
  };
  const request = new Request("http://10.0.0.1/token", { method: "POST", headers, body: body.toString() });
  const response = await handler(request, shown === undefined ? {} : { certificate: shown });
  const answer = (await response.json()) as Record<string, unknown>;
  const decoded = typeof answer.access_token === "string" ? decodeIdJag(answer.access_token) : undefined;
  const claims: IdJagClaims | undefined = decoded?.ok ? decoded.value.claims : undefined;
  return { response, answer, claims, reason: events.at(-1)?.reasons[0]?.id };
}

const proofFor = (change: Partial<Parameters<typeof createDpopProof>[1]> = {}, by: DpopKey = key) =>
  createDpopProof(by, { method: "POST", url: URL, now: NOW, ...change });

describe("an exchange with a DPoP proof", () => {
  test("binds the ID-JAG to the proof's key, and the record says so", async () => {
    const { claims } = await send(idp(), { proof: await proofFor() });
    expect(claims?.cnf).toEqual({ jkt: key.jkt });
    expect(events[0]).toMatchObject({ outcome: "permitted", binding: { jkt: key.jkt } });
    expect(asked?.binding).toEqual({ jkt: key.jkt });
  });

  test("of a stranger leaves no mark in the store", async () => {
    expect((await send(idp({ stranger: true }), { proof: await proofFor() })).answer.error).toBe("invalid_client");
    expect(used.size).toBe(0);
  });

  test("and a certificate binds to the key alone", async () => {
    decision = { ...PERMIT, bindCertificate: true };
    const { claims } = await send(idp(), { proof: await proofFor(), certificate });
    expect(claims?.cnf).toEqual({ jkt: key.jkt });
  });

  test.each<[string, () => Promise<string>, string]>([
    ["of another URL", () => proofFor({ url: "https://idp.acme.example/other" }), "dpop-url"],
    ["of the URL that the request itself claims", () => proofFor({ url: "http://10.0.0.1/token" }), "dpop-url"],
    ["of another method", () => proofFor({ method: "GET" }), "dpop-method"],
    ["from the past", () => proofFor({ now: NOW - 300 }), "dpop-time"],
    ["from the future", () => proofFor({ now: NOW + 300 }), "dpop-time"],
    ["sent twice in one request", async () => `${await proofFor()}, ${await proofFor({}, other)}`, "dpop-malformed"],
    ["that is no JWT", async () => "x", "dpop-malformed"],
    ["that is empty", async () => "", "dpop-malformed"],
  ])("%s is refused, and decided by nobody", async (_, proof, reason) => {
    const sent = await send(idp(), { proof: await proof() });
    expect([sent.response.status, sent.answer.error, sent.reason]).toEqual([400, "invalid_dpop_proof", reason]);
    expect(events[0]).toMatchObject({ client: "assistant", outcome: "refused" });
    expect(asked).toBeUndefined();
  });

  test("counts once: of a hundred at the same time, one is permitted", async () => {
    const handler = idp();
    const proof = await proofFor();
    const all = await Promise.all(Array.from({ length: 100 }, () => send(handler, { proof })));
    expect(all.filter(({ response }) => response.status === 200)).toHaveLength(1);
    expect(all.filter(({ answer }) => answer.error === "invalid_dpop_proof")).toHaveLength(99);
  });

  test("is refused, never passed over, by an issuer that takes none", async () => {
    const { answer, reason } = await send(idp({ dpop: false }), { proof: await proofFor() });
    expect([answer.error, reason]).toEqual(["invalid_dpop_proof", "dpop-unavailable"]);
  });
});

describe("an issuer with nonces", () => {
  test("asks for one, and takes the one that it gave", async () => {
    const handler = idp({ nonces: true });
    const without = await send(handler, { proof: await proofFor() });
    expect([without.response.status, without.answer.error]).toEqual([400, "use_dpop_nonce"]);
    const nonce = without.response.headers.get("dpop-nonce") ?? "";
    const good = await send(handler, { proof: await proofFor({ nonce }) });
    expect(good.claims?.cnf).toEqual({ jkt: key.jkt });
    expect(good.response.headers.get("dpop-nonce")).toBe(nonce);
  });

  test("refuses one that is old, or not its own", async () => {
    for (const nonce of [await nonces.current(NOW - 600), "made-up"]) {
      expect((await send(idp({ nonces: true }), { proof: await proofFor({ nonce }) })).answer.error).toBe(
        "use_dpop_nonce",
      );
    }
  });
});

describe("an exchange with a certificate", () => {
  test("binds the ID-JAG to it where the decision says so", async () => {
    decision = { ...PERMIT, bindCertificate: true };
    const { claims } = await send(idp(), { certificate });
    const expected = await certificateConfirmation(certificate);
    expect(claims?.cnf).toEqual(expected.ok && expected.value);
  });

  test("does not, where it does not", async () => {
    const { claims } = await send(idp(), { certificate });
    expect(claims).toBeDefined();
    expect(claims).not.toHaveProperty("cnf");
  });

  test("that can not be read is refused", async () => {
    const { answer, reason } = await send(idp(), { certificate: new Uint8Array([1, 2, 3]) });
    expect([answer.error, reason]).toEqual(["invalid_request", "certificate-malformed"]);
  });
});

describe("what is granted stands in the ID-JAG and in the answer:", () => {
  test("authorization details", async () => {
    const authorizationDetails = [{ type: "account", actions: ["read"] }];
    decision = { ...PERMIT, authorizationDetails };
    const { answer, claims } = await send(idp(), {
      form: { authorization_details: '[{"type":"account","actions":["read","write"]}]' },
    });
    expect(asked?.authorizationDetails).toEqual([{ type: "account", actions: ["read", "write"] }]);
    expect([answer.authorization_details, claims?.authorization_details]).toEqual([
      authorizationDetails,
      authorizationDetails,
    ]);
  });

  test("several resources as a list", async () => {
    const resource = [RESOURCE, "https://ledger.example/api"];
    decision = { ...PERMIT, resource };
    const { answer, claims } = await send(idp(), {});
    expect([answer.resource, claims?.resource]).toEqual([resource, resource]);
  });
});

describe("an actor token", () => {
  const form = { actor_token: "crawler", actor_token_type: JWT_TOKEN_TYPE };

  test("that the decision allows stands in act", async () => {
    decision = { ...PERMIT, actor: { id: "crawler", act: { sub: "crawler" } } };
    const { claims } = await send(idp({ actors: true }), { form });
    expect(claims?.act).toEqual({ sub: "crawler" });
    expect(events[0]).toMatchObject({ actor: { id: "crawler" } });
  });

  test("that the decision passes over refuses the request", async () => {
    const { answer, reason } = await send(idp({ actors: true }), { form });
    expect(answer.error).toBe("access_denied");
    expect([reason, events[0]?.refusal?.reason]).toContain("actor-not-covered");
  });

  test("is refused by name where nobody verifies it", async () => {
    const { answer, reason } = await send(idp(), { form });
    expect([answer.error, reason]).toEqual(["invalid_request", "actor-token-unsupported"]);
  });

  test.each([
    ["without its type", { actor_token: "x" }],
    ["as a type alone", { actor_token_type: JWT_TOKEN_TYPE }],
  ])("%s is refused", async (_, half) => {
    const { answer, reason } = await send(idp({ actors: true }), { form: half });
    expect([answer.error, reason]).toEqual(["invalid_request", "actor-token-malformed"]);
  });
});
