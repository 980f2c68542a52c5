/** The IdP's half, over real HTTP: who gets an ID-JAG, who does not, and what is on record of it. */
import { DatabaseSync } from "node:sqlite";
import { createAgent, type Session } from "@credence/client";
import { addClientAuth, type ClientIdentity } from "@credence/protocol/client-auth";
import { decodeIdJag, verifyIdJag } from "@credence/protocol/id-jag";
import { decodeJws, generateSigningKey, importSigner, jwksKeys, parseJwks, signJwt } from "@credence/protocol/jws";
import { buildTokenExchangeRequest, TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import { eventLine } from "../packages/server/src/audit/display.ts";
import type { RecordedEvent } from "../packages/server/src/audit/event.ts";
import { listEvents } from "../packages/server/src/audit/read.ts";
import type { Organization } from "../packages/server/src/directory/types.ts";
import { storePath } from "../packages/server/src/store/files.ts";
import { ALICE, acme, BOB, type House, SECRETS, startHouse } from "./house.testing.ts";

const LEDGER = "https://ledger.example";
const ASKED = { audience: LEDGER, resource: `${LEDGER}/mcp`, scope: "ledger.read" };

let house: House;
let alice: Session;
beforeAll(async () => {
  house = await startHouse();
  alice = await house.signIn(house.agent("assistant"));
});
afterAll(() => house[Symbol.asyncDispose]());
afterEach(() => house.change(acme()));

type Change = (form: URLSearchParams) => void;
interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

async function exchange(
  subjectToken: string,
  change: Change = () => {},
  by = "assistant",
  at = house,
): Promise<Answer> {
  const form = buildTokenExchangeRequest({ ...ASKED, subjectToken });
  const identity: ClientIdentity = { method: "client_secret_basic", clientId: by, clientSecret: SECRETS[by] ?? "" };
  const headers = await addClientAuth(form, identity, at.issuer, Date.now() / 1_000);
  change(form);
  const response = await fetch(`${at.issuer}/token`, { method: "POST", headers, body: form });
  return { status: response.status, body: (await response.json()) as Answer["body"], headers: response.headers };
}

/** What is on record under an answer's decision id. */
async function recorded({ body }: Answer, at = house): Promise<RecordedEvent | undefined> {
  const { events } = await listEvents(at.server.store, { decision: String(body.decision_id) });
  return events[0];
}

async function expectRefused(answer: Answer, error: string, reason: string): Promise<void> {
  expect(answer.body).toMatchObject({ error });
  expect(answer.body).not.toHaveProperty("access_token");
  expect((await recorded(answer))?.reasons?.[0]?.id).toBe(reason);
}

function changed(change: Partial<Organization>): Promise<void> {
  return house.change({ ...acme(), ...change });
}

describe("a person signs in, and the agent that the organization connected", () => {
  test("gets an ID-JAG that names agent, person, app, resource and scope, signed with a published key", async () => {
    const { status, body, headers } = await exchange(alice.signIn().idToken);
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(body).toMatchObject({ token_type: "N_A", expires_in: 300, scope: "ledger.read", resource: ASKED.resource });
    const jwks = parseJwks(await (await fetch(`${house.issuer}/jwks`)).json()) ?? { keys: [] };
    const decoded = decodeIdJag(String(body.access_token));
    if (!decoded.ok) throw new Error(decoded.refusal.reason);
    const verified = await verifyIdJag(
      decoded.value,
      {
        issuer: house.issuer,
        audience: LEDGER,
        clientId: "ledger-assistant",
        algorithms: ["ES256"],
        skew: 5,
        maxLifetime: 300,
      },
      jwksKeys(jwks),
      Date.now() / 1_000,
    );
    expect(verified).toMatchObject({
      ok: true,
      value: { sub: "alice", email: ALICE.email, scope: "ledger.read", resource: ASKED.resource, amr: ["pwd"] },
    });
    const idToken = decodeJws(alice.signIn().idToken);
    expect(verified.ok && verified.value.auth_time).toBe(idToken?.payload.auth_time);
  });

  test("gets no more scope than the connection gives, and is told what it got", async () => {
    const { body } = await exchange(alice.signIn().idToken, (form) => form.set("scope", "ledger.read ledger.write"));
    expect(body.scope).toBe("ledger.read");
    const decoded = decodeIdJag(String(body.access_token));
    expect(decoded.ok && decoded.value.claims.scope).toBe("ledger.read");
  });

  test("is on record before the answer, with person, agent, app, scope and connection, and without a token", async () => {
    const { body } = await exchange(alice.signIn().idToken);
    const decoded = decodeIdJag(String(body.access_token));
    const jti = decoded.ok ? decoded.value.claims.jti : "";
    const { events } = await listEvents(house.server.store, { decision: jti });
    expect(events).toMatchObject([
      {
        code: "exchange.permitted",
        jti,
        agent: "assistant",
        client: "ledger-assistant",
        app: "ledger",
        person: { id: "alice", email: ALICE.email },
        audience: LEDGER,
        resource: [ASKED.resource],
        scopesAsked: ["ledger.read"],
        scopesGranted: ["ledger.read"],
        connections: ["assistant-ledger"],
        reasons: [{ id: "connection-permits", connection: "assistant-ledger" }],
        lifetime: 300,
        source: "127.0.0.1",
      },
    ]);
    const text = JSON.stringify(events);
    expect(text).not.toContain(String(body.access_token).split(".")[2]);
    expect(text).not.toContain(SECRETS.assistant);
  });
});

describe("policy says no", () => {
  test("to a person that the connection does not cover", async () => {
    const bob = await house.signIn(house.agent("assistant"), BOB);
    await expectRefused(await exchange(bob.signIn().idToken), "access_denied", "person-not-covered");
  });

  test("to an agent without a connection, and never as a hint of what would work", async () => {
    const session = await house.signIn(house.agent("crawler"));
    const answer = await exchange(session.signIn().idToken, () => {}, "crawler");
    expect(answer.body.error).toBe("access_denied");
    expect(JSON.stringify(answer.body)).not.toMatch(/connection|ledger|alice/i);
  });

  test.each<[string, () => Promise<void>, string]>([
    [
      "a connection is switched off",
      () => changed({ connections: acme().connections.map((one) => ({ ...one, enabled: false })) }),
      "connection-off",
    ],
    [
      "a connection has expired",
      () => changed({ connections: acme().connections.map((one) => ({ ...one, expires: 1 })) }),
      "connection-expired",
    ],
    [
      "a person is disabled",
      () => changed({ people: acme().people.map((one) => ({ ...one, enabled: false })) }),
      "person-disabled",
    ],
    [
      "an app is disabled",
      () => changed({ apps: acme().apps.map((one) => ({ ...one, enabled: false })) }),
      "app-disabled",
    ],
    [
      "a person leaves the group",
      () => changed({ people: acme().people.map((one) => ({ ...one, groups: [] })) }),
      "person-not-covered",
    ],
    [
      "the app no longer knows the agent",
      () => changed({ apps: acme().apps.map((one) => ({ ...one, clients: {} })) }),
      "agent-unknown-to-app",
    ],
  ])("at once after %s", async (_, change, reason) => {
    expect((await exchange(alice.signIn().idToken)).status).toBe(200);
    await change();
    await expectRefused(await exchange(alice.signIn().idToken), "access_denied", reason);
  });

  test("as invalid_grant, where the agent's switch says so", async () => {
    await changed({
      agents: acme().agents.map((one) => ({ ...one, denialError: "invalid_grant" as const })),
      connections: [],
    });
    await expectRefused(await exchange(alice.signIn().idToken), "invalid_grant", "no-connection");
  });

  test("and asks for a newer sign-in where the old one is too old", async () => {
    let ahead = 0;
    await using later = await startHouse({ server: { now: () => Date.now() / 1_000 + ahead } });
    const { idToken } = (await later.signIn(later.agent("assistant"))).signIn();
    await later.change({
      ...acme(),
      connections: acme().connections.map((one) => ({ ...one, conditions: { maxAge: 60 } })),
    });
    expect((await exchange(idToken, () => {}, "assistant", later)).status).toBe(200);
    ahead = 70;
    const answer = await exchange(idToken, () => {}, "assistant", later);
    expect(answer.body).toMatchObject({ error: "insufficient_user_authentication", max_age: 60 });
    expect((await recorded(answer, later))?.reasons?.[0]?.id).toBe("sign-in-too-old");
  });
});

describe("what may be asked for", () => {
  test.each<[string, Change, string, string]>([
    [
      "an audience that is no app",
      (form) => form.set("audience", "https://nowhere.example"),
      "invalid_target",
      "audience-unknown",
    ],
    [
      "an app's issuer with a slash",
      (form) => form.set("audience", `${LEDGER}/`),
      "invalid_target",
      "audience-unknown",
    ],
    ["ourselves as audience", (form) => form.set("audience", house.issuer), "invalid_target", "audience-unknown"],
    ["two audiences", (form) => form.append("audience", "https://wiki.example"), "invalid_target", "audiences-several"],
    [
      "a resource of another app",
      (form) => form.set("resource", "https://wiki.example/api"),
      "invalid_target",
      "resource-unknown",
    ],
    [
      "a resource below the app's",
      (form) => form.set("resource", `${ASKED.resource}/admin`),
      "invalid_target",
      "resource-unknown",
    ],
    [
      "two resources, one of them another app's",
      (form) => form.append("resource", "https://wiki.example/api"),
      "invalid_target",
      "resource-unknown",
    ],
    [
      "a scope that the app lacks",
      (form) => form.set("scope", "ledger.read ledger.burn"),
      "invalid_scope",
      "scope-unknown",
    ],
    [
      "only a scope that no connection gives",
      (form) => form.set("scope", "ledger.write"),
      "access_denied",
      "scope-not-covered",
    ],
    [
      "another token type",
      (form) => form.set("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
      "invalid_request",
      "requested-token-type-unsupported",
    ],
    ["half an actor", (form) => form.set("actor_token", "x"), "invalid_request", "actor-token-malformed"],
    [
      "authorization details",
      (form) => form.set("authorization_details", "[]"),
      "invalid_authorization_details",
      "authorization-details-malformed",
    ],
    ["nothing at all", (form) => form.delete("audience"), "invalid_request", "parameter-missing"],
  ])("not %s", async (_, change, error, reason) => {
    await expectRefused(await exchange(alice.signIn().idToken, change), error, reason);
  });
});

describe("binding bugs that peers have shipped", () => {
  test("an ID token of another client is no subject token", async () => {
    const other = await house.signIn(house.agent("crawler"));
    await expectRefused(await exchange(other.signIn().idToken), "invalid_grant", "subject-token-audience");
  });

  test("an ID-JAG presented at the IdP that issued it buys nothing", async () => {
    const { body } = await exchange(alice.signIn().idToken);
    await expectRefused(await exchange(String(body.access_token)), "invalid_grant", "subject-token-type-wrong");
    const bearer = await fetch(`${house.issuer}/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: String(body.access_token),
      }),
    });
    expect(await bearer.json()).toMatchObject({ error: "unsupported_grant_type" });
  });

  test("an access token of the IdP is no ID token", async () => {
    const started = await house.agent("assistant").startSignIn({ redirectUri: "http://127.0.0.1/callback" });
    const end = await openUserAgent(ALICE).browse(started.url, "http://127.0.0.1/callback");
    const form = new URLSearchParams({
      grant_type: "authorization_code",
      code: new URL(end.url).searchParams.get("code") ?? "",
      redirect_uri: "http://127.0.0.1/callback",
      code_verifier: String((started.checks as { codeVerifier?: string }).codeVerifier),
    });
    const authorization = `Basic ${btoa(`assistant:${SECRETS.assistant}`)}`;
    const response = await fetch(`${house.issuer}/token`, { method: "POST", headers: { authorization }, body: form });
    const { access_token: accessToken } = (await response.json()) as { access_token: string };
    expect(accessToken).toBeTypeOf("string");
    await expectRefused(await exchange(accessToken), "invalid_grant", "subject-token-malformed");
  });

  test("a client assertion is no ID token, and neither is anything else that somebody else signed", async () => {
    const claims = decodeJws(alice.signIn().idToken)?.payload ?? {};
    const stranger = await generateSigningKey("ES256");
    const forged = await signJwt("JWT", claims, await importSigner(stranger.privateJwk));
    await expectRefused(await exchange(forged), "invalid_grant", "subject-token-key");
    const kid = decodeJws(alice.signIn().idToken)?.header.kid ?? "";
    const disguised = await signJwt("JWT", claims, await importSigner({ ...stranger.privateJwk, kid }));
    await expectRefused(await exchange(disguised), "invalid_grant", "subject-token-signature");
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const unsigned = `${encode({ alg: "none" })}.${encode(claims)}.AA`;
    await expectRefused(await exchange(unsigned), "invalid_grant", "subject-token-key");
  });

  test("a refresh token is not taken for an ID token, nor an ID token for a refresh token", async () => {
    const { idToken, refreshToken = "" } = alice.signIn();
    const asRefreshToken: Change = (form) => form.set("subject_token_type", TOKEN_TYPES.refreshToken);
    await expectRefused(await exchange(idToken, asRefreshToken), "invalid_grant", "sign-in-over");
    await expectRefused(await exchange(refreshToken), "invalid_grant", "subject-token-malformed");
  });

  test("a SAML assertion is no subject token here", async () => {
    const answer = await exchange("<saml/>", (form) => form.set("subject_token_type", TOKEN_TYPES.saml2));
    await expectRefused(answer, "invalid_request", "subject-token-type-unsupported");
  });

  test("a public client, or one that proves nothing, gets nothing", async () => {
    const form = buildTokenExchangeRequest({ ...ASKED, subjectToken: alice.signIn().idToken });
    for (const [clientId, error] of [
      ["public", "unauthorized_client"],
      ["assistant", "invalid_client"],
    ] as const) {
      form.set("client_id", clientId);
      const response = await fetch(`${house.issuer}/token`, { method: "POST", body: form });
      expect(await response.json()).toMatchObject({ error });
    }
  });

  test("an exchange after sign-out is refused, with the same ID token that worked before", async () => {
    const browser = openUserAgent(ALICE);
    const session = await house.signIn(house.agent("assistant"), ALICE, browser);
    const { idToken } = session.signIn();
    expect((await exchange(idToken)).status).toBe(200);
    const { url } = await session.signOut();
    await browser.browse(url ?? "");
    await expectRefused(await exchange(idToken), "invalid_grant", "sign-in-over");
  });

  test("an ID token from before sign-out stays dead when the same person signs in again", async () => {
    const browser = openUserAgent(ALICE);
    const session = await house.signIn(house.agent("assistant"), ALICE, browser);
    const { idToken } = session.signIn();
    const { url } = await session.signOut();
    await browser.browse(url ?? "");
    const again = await house.signIn(house.agent("assistant"), ALICE, browser);
    await expectRefused(await exchange(idToken), "invalid_grant", "sign-in-over");
    expect((await exchange(again.signIn().idToken)).status).toBe(200);
  });

  test("an expired ID token is refused", async () => {
    let ahead = 0;
    await using brief = await startHouse({
      lifetimes: { idToken: 600 },
      server: { now: () => Date.now() / 1_000 + ahead },
    });
    const session = await brief.signIn(brief.agent("assistant"));
    const { idToken } = session.signIn();
    ahead = 601;
    const answer = await exchange(idToken, () => {}, "assistant", brief);
    expect(answer.body.error).toBe("invalid_grant");
    expect((await recorded(answer, brief))?.reasons?.[0]?.id).toBe("subject-token-expired");
  });

  test("an ID token of another IdP is refused, though its keys and claims are alike", async () => {
    await using other = await startHouse();
    const session = await other.signIn(other.agent("assistant"));
    await expectRefused(await exchange(session.signIn().idToken), "invalid_grant", "subject-token-key");
  });
});

describe("the record names the connection that gave each reason, and the app", () => {
  const [connection] = acme().connections;
  if (connection === undefined) throw new Error("Acme has a connection");
  const off = { ...connection, id: "off", enabled: false };
  const forBob = { ...connection, id: "for-bob", people: ["person:bob"] as const };

  test("of a denial: each connection with what stopped it, the nearest first", async () => {
    await changed({ connections: [forBob, off] });
    const event = await recorded(await exchange(alice.signIn().idToken));
    expect(event).toMatchObject({ code: "exchange.denied", app: "ledger", connections: ["for-bob", "off"] });
    expect(event?.reasons).toEqual([
      { id: "connection-off", connection: "off" },
      { id: "person-not-covered", connection: "for-bob" },
    ]);
    expect(event && eventLine(event, { colour: false, widths: [] })).toContain(
      "alice@acme.example → assistant → ledger  deny  [ledger.read] connection-off (connection off), person-not-covered (connection for-bob)",
    );
  });

  test("of a permit: what granted, and apart from it what one condition kept from granting", async () => {
    await changed({ connections: [connection, { ...off, scopes: ["ledger.write"] }] });
    const { body } = await exchange(alice.signIn().idToken, (form) => form.set("scope", "ledger.read ledger.write"));
    const decoded = decodeIdJag(String(body.access_token));
    const { events } = await listEvents(house.server.store, { decision: decoded.ok ? decoded.value.claims.jti : "" });
    expect(events.map(({ reasons, nearMisses, connections }) => ({ reasons, nearMisses, connections }))).toEqual([
      {
        reasons: [{ id: "connection-permits", connection: "assistant-ledger" }],
        nearMisses: [{ id: "connection-off", connection: "off" }],
        connections: ["assistant-ledger"],
      },
    ]);
  });

  test("and nothing of it reaches the agent", async () => {
    await changed({ connections: [off] });
    const { body } = await exchange(alice.signIn().idToken);
    expect(Object.keys(body).sort()).toEqual(["decision_id", "error", "error_description"]);
    expect(JSON.stringify(body)).not.toMatch(/connection|ledger/);
  });

  test("so that an app's exchanges are found by its id, and no others", async () => {
    await using other = await startHouse();
    const session = await other.signIn(other.agent("assistant"));
    const { idToken } = session.signIn();
    await exchange(idToken, () => {}, "assistant", other);
    await exchange(idToken, (form) => form.set("scope", "ledger.burn"), "assistant", other);
    await exchange(idToken, (form) => form.set("audience", "https://wiki.example"), "assistant", other);
    await exchange(idToken, (form) => form.set("audience", "https://nowhere.example"), "assistant", other);
    const of = async (app: string) =>
      (await listEvents(other.server.store, { app })).events.map(({ code, reasons }) => [code, reasons?.[0]?.id]);
    expect(await of("ledger")).toEqual([
      ["exchange.permitted", "connection-permits"],
      ["exchange.denied", "scope-unknown"],
    ]);
    expect(await of("wiki")).toEqual([["exchange.denied", "resource-unknown"]]);
    expect(await of("https://nowhere.example")).toEqual([]);
  });
});

describe("a secret that is replaced", () => {
  const both = { secret: { env: "assistant" }, formerSecret: { env: "assistant-before" } } as const;
  const having = (auth: Pick<typeof both, "secret"> & { formerSecret?: { env: string } }) =>
    changed({
      agents: acme().agents.map((one) =>
        one.id === "assistant" ? { ...one, auth: { method: "client_secret_basic", ...auth } } : one,
      ),
    });
  /** Whether a secret signs in (the code's redemption) and exchanges, by Basic. */
  async function counts(clientSecret: string): Promise<readonly [boolean, unknown]> {
    const client = { method: "client_secret_basic", clientId: "assistant", clientSecret } as const;
    const agent = createAgent({ idp: { issuer: house.issuer, client }, apps: [], development: true });
    const signedIn = await house.signIn(agent).then(
      () => true,
      () => false,
    );
    const form = buildTokenExchangeRequest({ ...ASKED, subjectToken: alice.signIn().idToken });
    const headers = await addClientAuth(form, client, house.issuer, Date.now() / 1_000);
    const response = await fetch(`${house.issuer}/token`, { method: "POST", headers, body: form });
    return [signedIn, ((await response.json()) as { error?: string }).error];
  }

  test("counts beside its successor, at sign-in and at the exchange, until it is taken out", async () => {
    const [now = "", before = ""] = [SECRETS.assistant, SECRETS["assistant-before"]];
    await having(both);
    expect([await counts(now), await counts(before)]).toEqual([
      [true, undefined],
      [true, undefined],
    ]);
    expect(await counts("neither")).toEqual([false, "invalid_client"]);
    await having({ secret: both.secret });
    expect([await counts(now), await counts(before)]).toEqual([
      [true, undefined],
      [false, "invalid_client"],
    ]);
  });

  test("and can not be had any more does not take its successor along", async () => {
    await having({ ...both, formerSecret: { env: "nobody-has-it" } });
    expect(await counts(SECRETS.assistant ?? "")).toEqual([true, undefined]);
  });
});

describe("a disabled agent", () => {
  test("is not authenticated any more", async () => {
    await changed({ agents: acme().agents.map((one) => ({ ...one, enabled: false })) });
    const answer = await exchange(alice.signIn().idToken);
    expect([answer.status, answer.body.error]).toEqual([401, "invalid_client"]);
  });
});

describe("the record is what a permit stands on", () => {
  test("when it can not be written, the answer is 503 and there is no ID-JAG", async () => {
    // Somebody holds the database's write lock: the real failure of a store that does not take the record.
    const holder = new DatabaseSync(storePath(house.dataDir));
    holder.exec("begin immediate");
    try {
      const answer = await exchange(alice.signIn().idToken);
      expect([answer.status, answer.body.error]).toEqual([503, "temporarily_unavailable"]);
      expect(JSON.stringify(answer.body)).not.toContain("eyJ");
    } finally {
      holder.exec("rollback");
      holder.close();
    }
    expect((await exchange(alice.signIn().idToken)).status).toBe(200);
  });
});
