/** What else an exchange may ask for: details, several resources, an actor, another name of the app, a stronger sign-in. */
import type { Session } from "@credence/client";
import { generateSigningKey, importSigner, type PrivateJwk, type PublicJwk, signJwt } from "@credence/protocol/jws";
import { JWT_TOKEN_TYPE } from "@credence/protocol/token-exchange";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Connection, Organization } from "../packages/server/src/directory/types.ts";
import { ACTOR_TOKEN_TYP } from "../packages/server/src/idp/actor.ts";
import { type Exchange, exchange, expectRefused, LEDGER, MCP, recorded } from "./exchange.testing.ts";
import { acme, type House, startHouse } from "./house.testing.ts";

const API = `${LEDGER}/api`;
const READ = { type: "account", actions: ["read"], locations: [MCP] };

let house: House;
let alice: Session;
let keys: { privateJwk: PrivateJwk; publicJwk: PublicJwk };
beforeAll(async () => {
  house = await startHouse();
  alice = await house.signIn(house.agent("assistant"));
  keys = await generateSigningKey("ES256");
});
afterAll(() => house[Symbol.asyncDispose]());
afterEach(() => house.change(acme()));

const ask = (more: Partial<Exchange>) => exchange(house, { subjectToken: alice.signIn().idToken, ...more });

/** Acme with two resources and a type of details at the ledger, and its first connection changed. */
function rich(change: Partial<Connection> = {}, more: readonly Connection[] = []): Organization {
  const base = acme();
  const [first, ...others] = base.connections;
  return {
    ...base,
    agents: [
      ...base.agents,
      {
        id: "worker",
        name: "Worker",
        enabled: true,
        auth: { method: "private_key_jwt", jwks: { keys: [keys.publicJwk] } },
        redirectUris: [],
        postLogoutRedirectUris: [],
        denialError: "access_denied",
      },
    ],
    apps: base.apps.map((app) =>
      app.id === "ledger"
        ? { ...app, resources: [MCP, API], aliases: ["urn:acme:ledger"], authorizationDetailsTypes: { account: "One" } }
        : app,
    ),
    connections: first ? [{ ...first, ...change }, ...others, ...more] : [],
  };
}

describe("authorization details", () => {
  test("are granted as the connection limits them, in the ID-JAG, in the answer and on record", async () => {
    await house.change(rich({ authorizationDetails: [{ type: "account", actions: ["read"] }] }));
    const answer = await ask({ authorizationDetails: [{ ...READ, actions: ["read", "write"], identifier: "a-1" }] });
    const granted = [{ ...READ, identifier: "a-1" }];
    expect(answer.body.authorization_details).toEqual(granted);
    expect(answer.claims).toMatchObject({ authorization_details: granted, resource: MCP });
    expect(await recorded(house, answer)).toMatchObject({ detailsAsked: ["account"], detailsGranted: ["account"] });
  });

  test("and scopes are each granted by themselves", async () => {
    await house.change(rich({ authorizationDetails: [{ type: "account" }] }));
    const { claims } = await ask({ authorizationDetails: [READ], scope: "ledger.read ledger.write" });
    expect(claims).toMatchObject({ authorization_details: [READ], scope: "ledger.read" });
  });

  test.each<[string, Partial<Exchange>, string, string]>([
    [
      "of a type that the app lacks",
      { authorizationDetails: [{ type: "payment" }] },
      "invalid_authorization_details",
      "authorization-details-unknown",
    ],
    [
      "at a place that was not asked for",
      { authorizationDetails: [{ type: "account", locations: [API] }] },
      "invalid_authorization_details",
      "authorization-details-differ",
    ],
    [
      "that no connection grants",
      { authorizationDetails: [{ type: "account", actions: ["close"] }] },
      "access_denied",
      "details-not-covered",
    ],
    ...[
      ["two thousand of them", JSON.stringify(Array(2_000).fill({}))],
      ["of four thousand members", JSON.stringify([{ type: "account", actions: Array(4_500).fill("r") }])],
      ["nested without end", `[{"type":"account","a":${"[".repeat(5_000)}${"]".repeat(5_000)}}]`],
      ["that are no JSON", "account"],
      ["that are one, and no list", '{"type":"account"}'],
      ["without a type", "[{}]"],
      ["none", "[]"],
    ].map(([why = "", text = ""]): [string, Partial<Exchange>, string, string] => [
      why,
      { change: (form) => form.set("authorization_details", text) },
      "invalid_authorization_details",
      "authorization-details-malformed",
    ]),
  ])("%s are refused", async (_, more, error, reason) => {
    await house.change(rich({ authorizationDetails: [{ type: "account", actions: ["read"] }] }));
    await expectRefused(house, await ask(more), error, reason);
  });
});

test.each([
  ["ten thousand authorization details", Array(10_000).fill({ type: "account" })],
  ["one of ten thousand members", [{ type: "account", actions: Array(10_000).fill("read") }]],
])("%s do not fit into the form, and are refused unread", async (_, details) => {
  const answer = await ask({ change: (form) => form.set("authorization_details", JSON.stringify(details)) });
  expect([answer.status, answer.body.error]).toEqual([400, "invalid_request"]);
});

describe("several resources", () => {
  test("are granted in one ID-JAG where the same is granted at each", async () => {
    await house.change(rich());
    const { body, claims } = await ask({ resource: [MCP, API] });
    expect([body.resource, claims?.resource]).toEqual([
      [MCP, API],
      [MCP, API],
    ]);
  });

  test("of which one is named twice count once", async () => {
    await house.change(rich());
    expect((await ask({ resource: [MCP, MCP] })).claims?.resource).toBe(MCP);
  });

  test("are granted together with details that are the same at each", async () => {
    await house.change(rich({ authorizationDetails: [{ type: "account", actions: ["read"] }] }));
    const details = [{ type: "account", actions: ["read", "write"] }];
    const { claims } = await ask({ resource: [MCP, API], authorizationDetails: details });
    expect(claims).toMatchObject({
      resource: [MCP, API],
      authorization_details: [{ type: "account", actions: ["read"] }],
    });
    const [first] = acme().connections;
    const more = {
      ...(first as Connection),
      id: "more",
      resources: [MCP],
      authorizationDetails: [{ type: "account" }],
    };
    await house.change(rich({ authorizationDetails: [{ type: "account", actions: ["read"] }] }, [more]));
    await expectRefused(
      house,
      await ask({ resource: [MCP, API], authorizationDetails: details }),
      "invalid_target",
      "resources-differ",
    );
  });

  test("are refused where what is granted differs, or one is denied", async () => {
    const [first] = acme().connections;
    const second = {
      ...(first as Connection),
      id: "more",
      scopes: ["ledger.write"],
      defaultScopes: [],
      resources: [MCP],
    };
    await house.change(rich({}, [second]));
    const differing = await ask({ resource: [MCP, API], scope: "ledger.read ledger.write" });
    await expectRefused(house, differing, "invalid_target", "resources-differ");
    await house.change(rich({ resources: [MCP] }));
    await expectRefused(house, await ask({ resource: [MCP, API] }), "access_denied", "resource-not-covered");
  });
});

describe("an app's other name", () => {
  test("leads to it, and the ID-JAG is for its issuer", async () => {
    await house.change(rich());
    expect((await ask({ audience: "urn:acme:ledger" })).claims?.aud).toBe(LEDGER);
  });

  test("that nobody has leads nowhere", async () => {
    await house.change(rich());
    await expectRefused(house, await ask({ audience: "urn:acme:wiki" }), "invalid_target", "audience-unknown");
  });
});

describe("policy for details is the connection's, type by type", () => {
  const two = (change: Partial<Connection>): Organization => {
    const organization = rich(change);
    const types = { account: "One", payment: "Another" };
    return { ...organization, apps: organization.apps.map((app) => ({ ...app, authorizationDetailsTypes: types })) };
  };

  test("a type that it does not name is left out, and what is left is told", async () => {
    await house.change(two({ authorizationDetails: [{ type: "account" }] }));
    const answer = await ask({ authorizationDetails: [READ, { type: "payment", amount: "1" }] });
    expect(answer.body.authorization_details).toEqual([READ]);
    expect(await recorded(house, answer)).toMatchObject({
      detailsAsked: ["account", "payment"],
      detailsGranted: ["account"],
    });
  });

  test("a member that it fixes must be that", async () => {
    await house.change(two({ authorizationDetails: [{ type: "payment", currency: "EUR" }] }));
    expect((await ask({ authorizationDetails: [{ type: "payment", currency: "EUR" }] })).status).toBe(200);
    const other = await ask({ authorizationDetails: [{ type: "payment", currency: "USD" }] });
    await expectRefused(house, other, "access_denied", "details-not-covered");
  });

  test("details that are asked for bring no default scope along", async () => {
    await house.change(two({ authorizationDetails: [{ type: "account" }] }));
    const { body, claims } = await ask({ authorizationDetails: [READ] });
    expect(claims).not.toHaveProperty("scope");
    expect(body.scope ?? "").toBe("");
  });
});

describe("an actor", () => {
  const token = async (claims = {}, key = keys.privateJwk, typ = ACTOR_TOKEN_TYP) => {
    const now = Math.floor(Date.now() / 1_000);
    const own = { iss: "worker", sub: "worker", aud: house.issuer, iat: now, exp: now + 60, jti: crypto.randomUUID() };
    return signJwt(typ, { ...own, ...claims }, await importSigner(key));
  };
  const as = async (claims?: object, key?: PrivateJwk) => ({
    actor: { token: await token(claims, key), type: JWT_TOKEN_TYPE },
  });

  test("that the connection names stands in act, and on record", async () => {
    await house.change(rich({ actors: ["worker"] }));
    const answer = await ask(await as());
    expect(answer.claims).toMatchObject({ act: { sub: "worker" }, client_id: "ledger-assistant", sub: "alice" });
    expect((await recorded(house, answer))?.actor).toBe("worker");
  });

  test("that the connection does not name is refused by name", async () => {
    await house.change(rich());
    await expectRefused(house, await ask(await as()), "access_denied", "actor-not-covered");
  });

  test("proves itself once", async () => {
    await house.change(rich({ actors: ["worker"] }));
    const again = await as();
    const all = await Promise.all(Array.from({ length: 20 }, () => ask(again)));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("hands on no more than that: what proves who acts authenticates nobody", async () => {
    await house.change(rich({ actors: ["worker"] }));
    const body = {
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
      requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
      subject_token: alice.signIn().idToken,
      audience: LEDGER,
      refresh_token: "any",
    };
    for (const grant_type of ["urn:ietf:params:oauth:grant-type:token-exchange", "refresh_token"]) {
      const form = new URLSearchParams({ ...body, grant_type, client_assertion: await token() });
      const answer = await fetch(`${house.issuer}/token`, { method: "POST", body: form });
      expect(await answer.json()).toMatchObject({ error: "invalid_client" });
    }
  });

  test.each(["JWT", "client-authentication+jwt", "at+jwt"])("is not proven by a JWT of typ %s", async (typ) => {
    await house.change(rich({ actors: ["worker"] }));
    const actor = { token: await token({}, keys.privateJwk, typ), type: JWT_TOKEN_TYPE };
    await expectRefused(house, await ask({ actor }), "invalid_request", "actor-token-invalid");
  });

  test.each<[string, object]>([
    ["for another server", { aud: "https://ledger.example" }],
    ["for us and others", { aud: ["x", "y"] }],
    ["that is expired", { exp: 1 }],
    ["that lives for a day", { exp: Math.floor(Date.now() / 1_000) + 86_400 }],
    ["of five minutes ahead", { iat: Math.floor(Date.now() / 1_000) + 300 }],
    ["that another signed", { iss: "crawler", sub: "crawler" }],
    ["whose iss and sub differ", { iss: "assistant" }],
    ["without jti", { jti: undefined }],
  ])("by a token %s is refused", async (_, claims) => {
    await house.change(rich({ actors: ["worker", "crawler"] }));
    await expectRefused(house, await ask(await as(claims)), "invalid_request", "actor-token-invalid");
  });

  test("by another's key, or off, or by another type, is refused", async () => {
    const stranger = (await generateSigningKey("ES256")).privateJwk;
    await house.change(rich({ actors: ["worker"] }));
    await expectRefused(house, await ask(await as({}, stranger)), "invalid_request", "actor-token-invalid");
    const idToken = { actor: { token: alice.signIn().idToken, type: "urn:ietf:params:oauth:token-type:id_token" } };
    await expectRefused(house, await ask(idToken), "invalid_request", "actor-token-unsupported");
    const off = rich({ actors: ["worker"] });
    const agents = off.agents.map((one) => (one.id === "worker" ? { ...one, enabled: false } : one));
    await house.change({ ...off, agents });
    await expectRefused(house, await ask(await as()), "invalid_request", "actor-token-invalid");
  });
});

describe("a connection that wants a stronger sign-in", () => {
  test("says how strong, and how fresh", async () => {
    await house.change(rich({ conditions: { acr: "phr", maxAge: 600 } }));
    const answer = await ask({});
    await expectRefused(house, answer, "insufficient_user_authentication", "acr-too-weak");
    expect(answer.body).toMatchObject({ acr_values: "phr", max_age: 600 });
  });

  test("is satisfied by what is as strong", async () => {
    await house.change(rich({ conditions: { acr: "urn:credence:acr:password" } }));
    expect((await ask({})).claims?.acr).toBe("urn:credence:acr:password");
  });
});
