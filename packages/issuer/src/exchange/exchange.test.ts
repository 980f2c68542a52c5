/** One exchange: whom it asks, what goes on record, and what it answers when a port fails. */
import { CredenceError, parseForm, type Refusal, type Result, refuse } from "@credence/protocol";
import { createDpopProof, dpopNonces, generateDpopKey } from "@credence/protocol/dpop";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { buildTokenExchangeRequest, JWT_TOKEN_TYPE, TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { beforeEach, describe, expect, test } from "vitest";
import type { IssuerDecision, IssuerPorts } from "../ports.ts";
import { type ExchangeInput, exchange, type Issuer, reasonOf } from "./exchange.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://idp.acme.example";
const APP = "https://ledger.example";
const RESOURCE = "https://ledger.example/mcp";
const URL = "https://idp.acme.example/token";
const CLIENT = { clientId: "assistant" };
const SUBJECT = { person: "alice" };
const ACTOR = { id: "crawler", act: { sub: "crawler-at-acme" } };
const TYPES = { type: TOKEN_TYPES.idToken };

const key = await generateDpopKey();
const certificate = new Uint8Array([0x30, 0x82, ...Array.from({ length: 300 }, (_, i) => i % 251)]);
const shown = await certificateConfirmation(certificate);
if (!shown.ok) throw new Error(shown.refusal.reason);
const thumbprint = shown.value;

const GRANTED = {
  app: { issuer: APP, clientId: "ledger-assistant", sub: "alice-at-ledger" },
  scope: ["read", "write"],
  lifetime: 300,
  claims: { auth_time: NOW - 60 },
} as const;
const BASIS = { reasons: [{ id: "connection-permits", connection: "c" }], connections: ["c"] } as const;
const PERMIT: IssuerDecision = { effect: "permit", ...BASIS, ...GRANTED };

type Client = typeof CLIENT;
type Subject = typeof SUBJECT;
type Port = keyof IssuerPorts<Client, Subject> | "markUsed";

/** Each port that was asked, in order, with all that it was given. */
let asked: [port: Port, ...given: unknown[]][];
let faults: [error: unknown, id: string][];
let answers: { [Name in Port]?: () => unknown };
beforeEach(() => {
  asked = [];
  faults = [];
  answers = {};
});

/** What a port answers: as this test says, or else that all is well. */
function port(name: Port, well: unknown) {
  return async (...given: unknown[]): Promise<never> => {
    asked.push([name, ...given]);
    return (answers[name] ? answers[name]() : well) as never;
  };
}

function issuer(change: Partial<Issuer<Client, Subject>> = {}): Issuer<Client, Subject> {
  return {
    issuer: ISSUER,
    dpop: { url: URL, markUsed: port("markUsed", "first") },
    onFault: (...fault) => faults.push(fault),
    ports: {
      authenticate: port("authenticate", { ok: true, value: CLIENT }),
      verifySubject: port("verifySubject", { ok: true, value: SUBJECT }),
      verifyActor: port("verifyActor", { ok: true, value: ACTOR }),
      decide: port("decide", PERMIT),
      record: port("record", undefined),
      sign: port("sign", "signed"),
    },
    ...change,
  };
}

function input(change: Partial<ExchangeInput> = {}, parameters: Readonly<Record<string, string>> = {}): ExchangeInput {
  const body = buildTokenExchangeRequest({ audience: APP, subjectToken: "alice's token" });
  for (const [name, value] of Object.entries(parameters)) body.set(name, value);
  const form = parseForm(new TextEncoder().encode(body.toString()));
  if (!form.ok) throw new Error(form.refusal.reason);
  return { id: "d1", now: NOW, authorization: "Basic x", form: form.value, source: undefined, dpop: null, ...change };
}

const acting = { actor_token: "crawler's token", actor_token_type: JWT_TOKEN_TYPE };
const proof = () => createDpopProof(key, { method: "POST", url: URL, now: NOW });

const names = () => asked.map(([name]) => name);
const given = (name: Port) => asked.filter(([one]) => one === name).map(([, ...rest]) => rest);
/** What is on record: exactly one event. */
function recorded(): Record<string, unknown> {
  const events = given("record");
  expect(events).toHaveLength(1);
  return events[0]?.[0] as Record<string, unknown>;
}
const refused = (reason: Refusal["reason"], detail?: string) => ({
  ok: false,
  refusal: { reason, ...(detail === undefined ? {} : { detail }) },
});
const fails = (message: string) => () => {
  throw new Error(message);
};

const ASKED = { audience: APP, resource: [], scope: undefined, authorizationDetails: undefined };
/** Of every event of these tests. */
const FRAME = { decisionId: "d1", time: NOW, source: undefined };

describe("a permitted exchange", () => {
  test("asks each port once, in order, and no port for what the request does not have", async () => {
    expect(await exchange(input(), issuer())).toStrictEqual({
      ok: true,
      value: {
        issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
        access_token: "signed",
        token_type: "N_A",
        expires_in: 300,
        scope: "read write",
      },
    });
    expect(names()).toEqual(["authenticate", "verifySubject", "decide", "sign", "record"]);
    expect(faults).toEqual([]);
  });

  test("tells each port what it has to know, and no more, where nothing is proven", async () => {
    const asking = input();
    await exchange(asking, issuer());
    expect(given("authenticate")).toStrictEqual([[{ authorization: "Basic x", form: asking.form, now: NOW }]]);
    expect(given("verifySubject")).toStrictEqual([[{ token: "alice's token", ...TYPES, client: CLIENT, now: NOW }]]);
    expect(given("decide")).toStrictEqual([
      [{ id: "d1", client: CLIENT, subject: SUBJECT, ...ASKED, binding: undefined, actor: undefined, now: NOW }],
    ]);
    expect(given("sign")).toStrictEqual([
      [
        { typ: "oauth-id-jag+jwt" },
        {
          iss: ISSUER,
          sub: "alice-at-ledger",
          aud: APP,
          client_id: "ledger-assistant",
          jti: "d1",
          iat: NOW,
          exp: NOW + 300,
          scope: "read write",
          auth_time: NOW - 60,
        },
      ],
    ]);
    expect(recorded()).toStrictEqual({
      ...FRAME,
      ...BASIS,
      outcome: "permitted",
      client: CLIENT,
      subject: SUBJECT,
      asked: ASKED,
      granted: GRANTED,
    });
  });

  test("tells each port what was proven and asked, and has all that was granted on record, in the ID-JAG and the answer", async () => {
    const details = [{ type: "account" }];
    const more = { resource: RESOURCE, authorizationDetails: details, actor: ACTOR, bindCertificate: false };
    const seen = { appId: "ledger", nearMisses: [{ id: "scope-not-covered", connection: "d" }] } as const;
    answers.decide = () => ({ ...PERMIT, ...more, ...seen });
    const parameters = { ...acting, resource: RESOURCE, scope: "read", authorization_details: JSON.stringify(details) };
    const binding = { jkt: key.jkt };
    const asking = input({ dpop: await proof(), source: "192.0.2.7" }, parameters);
    expect(await exchange(asking, issuer())).toMatchObject({
      value: { scope: "read write", resource: RESOURCE, authorization_details: details },
    });
    expect(names()).toEqual(["authenticate", "verifySubject", "markUsed", "verifyActor", "decide", "sign", "record"]);
    expect(given("authenticate")).toStrictEqual([
      [{ authorization: "Basic x", form: asking.form, now: NOW, source: "192.0.2.7", binding }],
    ]);
    const from = { client: CLIENT, now: NOW, binding };
    expect(given("verifySubject")).toStrictEqual([[{ token: "alice's token", ...TYPES, ...from }]]);
    expect(given("verifyActor")).toStrictEqual([[{ token: "crawler's token", type: JWT_TOKEN_TYPE, ...from }]]);
    const question = { audience: APP, resource: [RESOURCE], scope: ["read"], authorizationDetails: details };
    expect(given("decide")).toStrictEqual([
      [{ id: "d1", client: CLIENT, subject: SUBJECT, ...question, binding, actor: ACTOR, now: NOW }],
    ]);
    expect(given("sign")[0]?.[1]).toMatchObject({
      resource: RESOURCE,
      authorization_details: details,
      act: ACTOR.act,
      cnf: binding,
    });
    expect(recorded()).toStrictEqual({
      ...FRAME,
      ...BASIS,
      ...seen,
      source: "192.0.2.7",
      outcome: "permitted",
      client: CLIENT,
      subject: SUBJECT,
      asked: question,
      actor: ACTOR,
      granted: { ...GRANTED, ...more },
      binding,
    });
  });

  test("of no scope has none in the ID-JAG: authorization details may be all that is granted", async () => {
    answers.decide = () => ({ ...PERMIT, scope: [], authorizationDetails: [{ type: "account" }] });
    const answer = await exchange(input(), issuer());
    expect(answer.ok && answer.value).not.toHaveProperty("scope");
    expect(given("sign")[0]?.[1]).not.toHaveProperty("scope");
  });

  test("lets no claim of the decision stand in place of the ID-JAG's own", async () => {
    const claims = { iss: "x", sub: "x", aud: "x", client_id: "x", jti: "x", iat: 0, exp: 0, scope: "x" };
    answers.decide = () => ({ ...PERMIT, claims });
    await exchange(input(), issuer());
    expect(given("sign")[0]?.[1]).toStrictEqual({
      iss: ISSUER,
      sub: "alice-at-ledger",
      aud: APP,
      client_id: "ledger-assistant",
      jti: "d1",
      iat: NOW,
      exp: NOW + 300,
      scope: "read write",
    });
  });

  test("for an actor whom the decision passed over is refused and not signed, though the decision stays on record", async () => {
    expect(await exchange(input({}, acting), issuer())).toStrictEqual(refused("actor-not-covered"));
    expect(names()).toEqual(["authenticate", "verifySubject", "verifyActor", "decide", "record"]);
    expect(recorded()).toStrictEqual({
      ...FRAME,
      ...BASIS,
      outcome: "refused",
      client: CLIENT,
      subject: SUBJECT,
      asked: ASKED,
      actor: ACTOR,
      refusal: { reason: "actor-not-covered" },
    });
  });
});

describe("an ID-JAG is bound", () => {
  const bound = async (change: Partial<ExchangeInput>, bindCertificate?: boolean) => {
    answers.decide = () => ({ ...PERMIT, ...(bindCertificate === undefined ? {} : { bindCertificate }) });
    expect((await exchange(input(change), issuer())).ok).toBe(true);
    const claims = given("sign")[0]?.[1] as { cnf?: unknown } | undefined;
    expect(recorded().binding).toEqual(claims?.cnf);
    return claims?.cnf;
  };

  test("to the key of a proof, whatever the decision says of certificates", async () => {
    for (const bindCertificate of [undefined, false, true]) {
      asked = [];
      expect(await bound({ dpop: await proof() }, bindCertificate)).toEqual({ jkt: key.jkt });
    }
  });

  test("to a certificate only where the decision says so, which knows it either way; it leaves no mark", async () => {
    for (const [bindCertificate, cnf] of [
      [undefined, undefined],
      [false, undefined],
      [true, thumbprint],
    ] as const) {
      asked = [];
      expect(await bound({ certificate }, bindCertificate)).toEqual(cnf);
      expect(given("decide")[0]?.[0]).toMatchObject({ binding: thumbprint });
      expect(names()).not.toContain("markUsed");
    }
  });

  test("to nothing, where nothing is proven, also where the decision would bind to a certificate", async () => {
    expect(await bound({}, true)).toBeUndefined();
    expect(given("sign")[0]?.[1]).not.toHaveProperty("cnf");
    expect(recorded()).not.toHaveProperty("binding");
  });

  test("to a certificate by an issuer that takes no proofs", async () => {
    answers.decide = () => ({ ...PERMIT, bindCertificate: true });
    const { dpop: _, ...without } = issuer();
    expect(await exchange(input({ certificate }), without)).toMatchObject({ ok: true });
    expect(given("sign")[0]?.[1]).toMatchObject({ cnf: thumbprint });
  });
});

describe("an exchange that is not permitted", () => {
  test("by policy is denied with the decision's own refusal", async () => {
    const refusal = { reason: "person-not-covered", detail: "c" } as const;
    const basis = { reasons: [{ id: "person-not-covered", connection: "c" }], connections: [], appId: "ledger" };
    answers.decide = () => ({ effect: "deny", refusal, ...basis });
    expect(await exchange(input(), issuer())).toStrictEqual({ ok: false, refusal });
    expect(names()).toEqual(["authenticate", "verifySubject", "decide", "record"]);
    expect(recorded()).toStrictEqual({
      ...FRAME,
      ...basis,
      outcome: "denied",
      client: CLIENT,
      subject: SUBJECT,
      asked: ASKED,
      refusal,
    });
  });

  test.each<[string, object, object]>([
    ["how old a sign-in may be", { maxAge: 0 }, { max_age: 0 }],
    ["how strong it must be", { acrValues: "phr phrh" }, { acr_values: "phr phrh" }],
    ["both", { maxAge: 60, acrValues: "phr" }, { max_age: 60, acr_values: "phr" }],
    ["neither", {}, {}],
  ])("yet is told on the wire, with a step-up, %s", async (_, how, wire) => {
    const basis = { reasons: [{ id: "sign-in-too-old" }], connections: ["c"] };
    const refusal = { reason: "sign-in-too-old", detail: "c" };
    answers.decide = () => ({ effect: "step-up", refusal, ...how, ...basis });
    expect(await exchange(input(), issuer())).toStrictEqual({ ok: false, refusal: { ...refusal, wire } });
    expect(names()).not.toContain("sign");
    expect(recorded()).toStrictEqual({
      ...FRAME,
      ...basis,
      outcome: "step-up",
      client: CLIENT,
      subject: SUBJECT,
      asked: ASKED,
      refusal: { ...refusal, wire },
    });
  });

  // The record has what was known when it ended.
  const known = [{}, { client: CLIENT }, { client: CLIENT, asked: ASKED }] as const;
  const whole = { ...known[2], subject: SUBJECT };
  const unknown: Refusal = { reason: "client-unknown", detail: "x" };
  test.each<[string, { [Name in Port]?: () => unknown }, Readonly<Record<string, string>>, Refusal, object, Port[]]>([
    [
      "its client is not known",
      { authenticate: () => ({ ok: false, refusal: unknown }) },
      acting,
      unknown,
      known[0],
      ["authenticate"],
    ],
    [
      "it names no audience",
      {},
      { ...acting, audience: "" },
      { reason: "parameter-missing", detail: "audience" },
      known[1],
      ["authenticate"],
    ],
    [
      "its subject token does not count",
      { verifySubject: () => refuse("subject-token-expired") },
      acting,
      { reason: "subject-token-expired" },
      known[2],
      ["authenticate", "verifySubject"],
    ],
    [
      "its proof was used before",
      { markUsed: () => "again" },
      acting,
      { reason: "dpop-replayed" },
      whole,
      ["authenticate", "verifySubject", "markUsed"],
    ],
    [
      "its actor token does not count",
      { verifyActor: () => refuse("actor-token-malformed") },
      acting,
      { reason: "actor-token-malformed" },
      whole,
      ["authenticate", "verifySubject", "markUsed", "verifyActor"],
    ],
  ])(
    "because %s asks nobody further, and has that reason on record",
    async (_, change, parameters, refusal, trace, ports) => {
      answers = change;
      expect(await exchange(input({ dpop: await proof() }, parameters), issuer())).toStrictEqual({
        ok: false,
        refusal,
      });
      expect(names()).toEqual([...ports, "record"]);
      const { reason: id, ...detail } = refusal;
      expect(recorded()).toStrictEqual({
        ...FRAME,
        outcome: "refused",
        reasons: [{ id, ...detail }],
        connections: [],
        ...trace,
        refusal,
      });
      expect(faults).toEqual([]);
    },
  );

  test("because nobody verifies actors says so by name", async () => {
    const { ports, ...rest } = issuer();
    const { verifyActor: _, ...without } = ports;
    const answer = await exchange(input({}, acting), { ...rest, ports: without });
    expect(answer).toStrictEqual(refused("actor-token-unsupported"));
    expect(names()).toEqual(["authenticate", "verifySubject", "record"]);
  });
});

describe("a proof that is not good", () => {
  test("refuses a client who is known, by whose name it goes on record, and who is told of it alone", async () => {
    const answer = await exchange(input({ dpop: "x" }, { audience: "" }), issuer());
    expect(answer).toStrictEqual(refused("dpop-malformed"));
    expect(names()).toEqual(["authenticate", "record"]);
    // Nothing is proven by it.
    expect(given("authenticate")[0]?.[0]).not.toHaveProperty("binding");
    expect(recorded()).toStrictEqual({
      ...FRAME,
      outcome: "refused",
      reasons: [{ id: "dpop-malformed" }],
      connections: [],
      client: CLIENT,
      refusal: { reason: "dpop-malformed" },
    });
  });

  test("is what a public client is told, and a stranger is not", async () => {
    const told = async (reason: Refusal["reason"], dpop: string | null) => {
      answers.authenticate = () => refuse(reason);
      return exchange(input({ dpop }), issuer());
    };
    expect(await told("client-public", "x")).toStrictEqual(refused("dpop-malformed"));
    expect(await told("client-public", await proof())).toStrictEqual(refused("client-public"));
    expect(await told("client-public", null)).toStrictEqual(refused("client-public"));
    expect(await told("client-unknown", "x")).toStrictEqual(refused("client-unknown"));
    expect(names().filter((name) => name !== "authenticate" && name !== "record")).toEqual([]);
  });

  test("is one that came although none is taken, and a certificate that is none", async () => {
    const { dpop: _, ...without } = issuer();
    expect(await exchange(input({ dpop: await proof() }), without)).toStrictEqual(refused("dpop-unavailable"));
    const odd = { certificate: new Uint8Array([1]) };
    expect(await exchange(input(odd), issuer())).toMatchObject({ refusal: { reason: "certificate-malformed" } });
  });
});

describe("a port that fails", () => {
  const stages: readonly Port[] = ["authenticate", "verifySubject", "markUsed", "verifyActor", "decide", "sign"];
  const all = async () => input({ dpop: await proof() }, acting);
  beforeEach(() => {
    answers.decide = () => ({ ...PERMIT, actor: ACTOR });
  });

  test.each(stages)(
    "%s: nobody further is asked, the operator is told once, and the wire nothing of it",
    async (name) => {
      answers[name] = fails(`${name} is down`);
      const reason = name === "sign" ? "signer-unavailable" : "store-unavailable";
      expect(await exchange(await all(), issuer())).toStrictEqual(refused(reason));
      expect(names()).toEqual([...stages.slice(0, stages.indexOf(name) + 1), "record"]);
      expect(faults).toEqual([[new Error(`${name} is down`), "d1"]]);
      const event = recorded();
      expect(event).toMatchObject({ ...FRAME, outcome: "refused", refusal: { reason } });
      // What was decided before the signer failed is why it was to be signed; nothing was granted.
      const decided = name === "sign" ? BASIS : { reasons: [{ id: reason }], connections: [] };
      expect(event).toMatchObject(decided);
      expect(Object.keys(event)).not.toContain("granted");
      expect(Object.keys(event)).not.toContain("binding");
    },
  );

  test("the record: what can not be recorded is not given, be it a permit or a refusal", async () => {
    answers.record = fails("the record is full");
    expect(await exchange(await all(), issuer())).toStrictEqual(refused("store-unavailable"));
    expect(faults).toEqual([[new Error("the record is full"), "d1"]]);
    answers.authenticate = () => refuse("client-unknown");
    expect(await exchange(await all(), issuer())).toStrictEqual(refused("store-unavailable"));
  });

  test("and then the record: the operator is told of both", async () => {
    Object.assign(answers, { verifySubject: fails("the store is down"), record: fails("and so is the record") });
    expect(await exchange(await all(), issuer())).toStrictEqual(refused("store-unavailable"));
    expect(faults.map(([error]) => String(error))).toEqual(["Error: the store is down", "Error: and so is the record"]);
  });

  test("where nonces are kept: the client still goes on record, and the proof does not count", async () => {
    const nonces = { ...dpopNonces(new Uint8Array(32)), accepts: fails("nonces are down") as never };
    const dpop = { url: URL, markUsed: port("markUsed", "first"), nonces };
    const nonce = await createDpopProof(key, { method: "POST", url: URL, now: NOW, nonce: "n" });
    expect(await exchange(input({ dpop: nonce }), issuer({ dpop }))).toStrictEqual(refused("store-unavailable"));
    expect(names()).toEqual(["authenticate", "record"]);
    expect(recorded()).toMatchObject({ client: CLIENT, outcome: "refused" });
    expect(faults).toEqual([[new Error("nonces are down"), "d1"]]);
  });

  test("fails for nobody else where no operator listens", async () => {
    answers.decide = fails("decide is down");
    const { onFault: _, ...deaf } = issuer();
    expect(await exchange(await all(), deaf)).toStrictEqual(refused("store-unavailable"));
    expect(names()).toContain("record");
  });
});

describe("a decision that is none", () => {
  test.each<[string, unknown, string]>([
    ["of no effect", {}, "neither permit, deny nor step-up: undefined"],
    ["of another effect", { ...PERMIT, effect: "PERMIT" }, "neither permit, deny nor step-up: PERMIT"],
    ["a denial without a refusal", { effect: "deny", ...BASIS }, "deny without a refusal"],
    ["a step-up without a refusal", { effect: "step-up", ...BASIS, refusal: "no" }, "step-up without a refusal"],
  ])("%s is a wrong configuration, of which the operator hears what was answered", async (_, decision, message) => {
    answers.decide = () => decision;
    const answer: Result<unknown> = await exchange(input(), issuer());
    expect(answer).toStrictEqual(refused("store-unavailable"));
    const [[error, id] = []] = faults;
    expect([faults.length, id]).toEqual([1, "d1"]);
    expect(error).toBeInstanceOf(CredenceError);
    expect(error).toMatchObject({ code: "configuration", message: `decide answered ${message}` });
    expect(recorded()).toMatchObject({ outcome: "refused", reasons: [{ id: "store-unavailable" }], connections: [] });
  });

  test.each<[string, object]>([
    ["a permit for no app", { app: undefined }],
    ["a permit of no scope at all", { scope: undefined }],
  ])("%s is a fault of ours, told once; it is not signed", async (_, change) => {
    answers.decide = () => ({ ...PERMIT, ...change });
    expect(await exchange(input(), issuer())).toStrictEqual(refused("internal-fault"));
    expect(faults).toEqual([[expect.any(TypeError), "d1"]]);
    expect(names()).toEqual(["authenticate", "verifySubject", "decide", "record"]);
    expect(recorded()).toMatchObject({ ...BASIS, outcome: "refused", refusal: { reason: "internal-fault" } });
    expect(recorded()).not.toHaveProperty("granted");
  });
});

test("a refusal is a reason of the record with its detail, if it has one, and nothing for the wire", () => {
  expect(reasonOf({ reason: "scope-unknown" })).toStrictEqual({ id: "scope-unknown" });
  const refusal: Refusal = { reason: "scope-unknown", detail: "d", wire: { max_age: 1 }, error: "invalid_grant" };
  expect(reasonOf(refusal)).toStrictEqual({ id: "scope-unknown", detail: "d" });
});
