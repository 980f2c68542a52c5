/** The IdP's own refresh token as subject token, over real HTTP. */
import { createAgent, type Session } from "@credence/client";
import { addClientAuth } from "@credence/protocol/client-auth";
import { generateDpopKey } from "@credence/protocol/dpop";
import { generateSigningKey, importSigner } from "@credence/protocol/jws";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { type Exchange, exchange, expectRefused, secretOf } from "./exchange.testing.ts";
import { ALICE, acme, CALLBACK, type House, SECRETS, startHouse } from "./house.testing.ts";

let house: House;
let alice: Session;
beforeAll(async () => {
  house = await startHouse();
});
beforeEach(async () => {
  alice = await house.signIn(house.agent("assistant"));
});
afterAll(() => house[Symbol.asyncDispose]());
afterEach(() => house.change(acme()));

const refreshToken = (session = alice) => session.signIn().refreshToken ?? "";
const by = (token: string, more: Partial<Exchange> = {}) =>
  exchange(house, { subjectToken: token, subjectTokenType: TOKEN_TYPES.refreshToken, ...more });

function refresh(token: string, by = "assistant"): Promise<Response> {
  const { clientSecret } = secretOf(by) as { clientSecret: string };
  const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: token });
  return fetch(`${house.issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${by}:${clientSecret}`)}` },
    body,
  });
}

describe("a refresh token", () => {
  test("stands for the person as they are now, by the time of their sign-in", async () => {
    const { claims } = await by(refreshToken());
    expect(claims).toMatchObject({ sub: "alice", email: "alice@acme.example", amr: ["pwd"], scope: "ledger.read" });
    await house.change({ ...acme(), people: acme().people.map((one) => ({ ...one, email: `new-${one.email}` })) });
    expect((await by(refreshToken())).claims?.email).toBe("new-alice@acme.example");
  });

  test("is left as it is: it exchanges again, and still refreshes", async () => {
    const token = refreshToken();
    expect([(await by(token)).status, (await by(token)).status]).toEqual([200, 200]);
    expect((await refresh(token)).status).toBe(200);
  });

  test("that was used up by a rotation is worth nothing, and its grant lives on until somebody refreshes with it", async () => {
    const token = refreshToken();
    const { refresh_token: next } = await (await refresh(token)).json();
    await expectRefused(house, await by(token), "invalid_grant", "sign-in-over");
    expect((await by(next)).status).toBe(200);
  });

  test("of another agent is refused", async () => {
    const crawler = await house.signIn(house.agent("crawler"));
    await expectRefused(house, await by(refreshToken(crawler)), "invalid_grant", "subject-token-audience");
  });

  test("grants what policy grants, and never more", async () => {
    const { claims } = await by(refreshToken(), { scope: "ledger.read ledger.write" });
    expect(claims?.scope).toBe("ledger.read");
    await house.change({ ...acme(), connections: [] });
    await expectRefused(house, await by(refreshToken()), "access_denied", "no-connection");
  });

  test("ends with its grant: a stolen one that was used twice takes everything with it", async () => {
    const token = refreshToken();
    const { refresh_token: next } = await (await refresh(token)).json();
    expect((await refresh(token)).status).toBe(400);
    await expectRefused(house, await by(next), "invalid_grant", "sign-in-over");
  });

  test("of a person who was disabled, or has left, is refused", async () => {
    const token = refreshToken();
    await house.change({ ...acme(), people: acme().people.map((one) => ({ ...one, enabled: false })) });
    expect((await by(token)).body).toMatchObject({ error: "access_denied" });
    await house.change({ ...acme(), people: [] });
    expect((await by(token)).body).toMatchObject({ error: "invalid_grant" });
  });

  test("of a disabled agent is refused", async () => {
    const token = refreshToken();
    await house.change({ ...acme(), agents: acme().agents.map((one) => ({ ...one, enabled: false })) });
    expect((await by(token)).body).toMatchObject({ error: "invalid_client" });
  });

  test("of an agent that may sign nobody in any more neither refreshes nor exchanges", async () => {
    const token = refreshToken();
    await house.change({ ...acme(), agents: acme().agents.map((one) => ({ ...one, redirectUris: [] })) });
    expect((await refresh(token)).status).toBe(400);
    await expectRefused(house, await by(token), "invalid_grant", "sign-in-over");
  });

  test("of an app that signs people in is nobody's but the app's", async () => {
    const sso = {
      clientId: "ledger-sso",
      auth: { method: "client_secret_basic", secret: { env: "crawler" } },
      redirectUris: [CALLBACK],
      postLogoutRedirectUris: [],
    } as const;
    await house.change({ ...acme(), apps: acme().apps.map((app) => (app.id === "ledger" ? { ...app, sso } : app)) });
    const client = {
      method: "client_secret_basic",
      clientId: "ledger-sso",
      clientSecret: SECRETS.crawler ?? "",
    } as const;
    const app = createAgent({ idp: { issuer: house.issuer, client }, apps: [], development: true });
    const token = refreshToken(await house.signIn(app));
    expect(token).not.toBe("");
    await expectRefused(house, await by(token), "invalid_grant", "subject-token-audience");
    expect((await by(token, { client })).body).toMatchObject({ error: "invalid_client" });
  });

  test("that never was one is refused", async () => {
    for (const token of ["x", "x".repeat(10_000), `${refreshToken()}x`]) {
      await expectRefused(house, await by(token), "invalid_grant", "sign-in-over");
    }
  });

  test("is given for offline_access alone", async () => {
    const started = await house.agent("assistant").startSignIn({ redirectUri: CALLBACK, scope: "openid" });
    const end = await openUserAgent(ALICE).browse(started.url, CALLBACK);
    expect((await started.finish(end.url)).signIn().refreshToken).toBeUndefined();
  });
});

describe("a refresh token, as time goes by,", () => {
  // Seconds by which the house's clock is ahead.
  let ahead = 0;
  let own: House;
  beforeAll(async () => {
    own = await startHouse({
      lifetimes: { refreshToken: 7_200, grant: 14_400 },
      server: { now: () => Date.now() / 1_000 + ahead },
    });
  });
  beforeEach(() => {
    ahead = 0;
  });
  afterAll(() => own[Symbol.asyncDispose]());
  const exchangeWith = (subjectToken: string) =>
    exchange(own, { subjectToken, subjectTokenType: TOKEN_TYPES.refreshToken });

  test("counts no longer than the agent may act without the person", async () => {
    await own.change({ ...acme(), agents: acme().agents.map((one) => ({ ...one, offlineMaxAge: 3_600 })) });
    const token = refreshToken(await own.signIn(own.agent("assistant")));
    ahead = 3_500;
    expect((await exchangeWith(token)).status).toBe(200);
    ahead = 3_700;
    await expectRefused(own, await exchangeWith(token), "invalid_grant", "offline-too-old");
    await own.change(acme());
    expect((await exchangeWith(token)).status).toBe(200);
  });

  test("ends with its own life", async () => {
    const token = refreshToken(await own.signIn(own.agent("assistant")));
    ahead = 7_100;
    expect((await exchangeWith(token)).status).toBe(200);
    ahead = 7_300;
    await expectRefused(own, await exchangeWith(token), "invalid_grant", "sign-in-over");
  });

  test("tells a connection how long ago the person signed in, not when it was last used", async () => {
    const token = refreshToken(await own.signIn(own.agent("assistant")));
    await own.change({
      ...acme(),
      connections: acme().connections.map((one) => ({ ...one, conditions: { maxAge: 600 } })),
    });
    expect((await exchangeWith(token)).status).toBe(200);
    ahead = 700;
    await expectRefused(own, await exchangeWith(token), "insufficient_user_authentication", "sign-in-too-old");
    await own.change(acme());
  });
});

describe("after the person has signed out", () => {
  test("the ID token counts no longer; the refresh token, an offline grant, still does, and its ID tokens do not", async () => {
    const browser = openUserAgent(ALICE);
    const session = await house.signIn(house.agent("assistant"), ALICE, browser);
    const { idToken, refreshToken: token = "" } = session.signIn();
    expect((await exchange(house, { subjectToken: idToken })).status).toBe(200);
    await browser.browse(`${house.issuer}/sign-out?client_id=assistant`);
    await expectRefused(house, await exchange(house, { subjectToken: idToken }), "invalid_grant", "sign-in-over");
    expect((await by(token)).claims?.sub).toBe("alice");
    const renewed = (await (await refresh(token)).json()) as { id_token: string; refresh_token: string };
    const byNewIdToken = await exchange(house, { subjectToken: renewed.id_token });
    await expectRefused(house, byNewIdToken, "invalid_grant", "sign-in-over");
    expect((await by(renewed.refresh_token)).claims?.sub).toBe("alice");
  });
});

/** Gives a token back. */
async function revoke(token: string, by = "assistant", more: Record<string, string> = {}): Promise<Response> {
  const body = new URLSearchParams({ token, ...more });
  const headers = await addClientAuth(body, secretOf(by), house.issuer, Date.now() / 1_000);
  return fetch(`${house.issuer}/revoke`, { method: "POST", headers, body });
}

describe("a refresh token that its client gives back (RFC 7009)", () => {
  test("neither refreshes nor exchanges any more, and the record says who gave it back", async () => {
    const token = refreshToken();
    const answer = await revoke(token, "assistant", { token_type_hint: "refresh_token" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(await (await refresh(token)).json()).toMatchObject({ error: "invalid_grant" });
    await expectRefused(house, await by(token), "invalid_grant", "sign-in-over");
    const { events } = await listEvents(house.server.store, { code: "token.revoked" });
    expect(events.at(-1)).toMatchObject({ agent: "assistant", person: { id: "alice" }, source: "127.0.0.1" });
  });

  test("takes with it what came from the same authorization, whatever the hint says", async () => {
    const used = refreshToken();
    const { refresh_token: next } = (await (await refresh(used)).json()) as { refresh_token: string };
    expect((await revoke(used, "assistant", { token_type_hint: "access_token" })).status).toBe(200);
    await expectRefused(house, await by(next), "invalid_grant", "sign-in-over");
  });

  test("is left as it is where another client tries, who is told; or one that does not prove itself", async () => {
    const token = refreshToken();
    const foreign = await revoke(token, "crawler");
    expect([foreign.status, await foreign.json()]).toMatchObject([400, { error: "invalid_grant" }]);
    const unproven = await fetch(`${house.issuer}/revoke`, {
      method: "POST",
      body: new URLSearchParams({ token, client_id: "assistant" }),
    });
    expect([unproven.status, await unproven.json()]).toMatchObject([401, { error: "invalid_client" }]);
    expect((await by(token)).status).toBe(200);
    expect((await refresh(token)).status).toBe(200);
  });

  test("may be given back twice, and so may one that never was: the answer is the same", async () => {
    const token = refreshToken();
    for (const one of [token, token, "never-was-one"]) expect((await revoke(one)).status).toBe(200);
  });

  test("by a form with two tokens, or none, or by GET, is not given back", async () => {
    const token = refreshToken();
    const twice = await fetch(`${house.issuer}/revoke`, {
      method: "POST",
      headers: await addClientAuth(new URLSearchParams(), secretOf("assistant"), house.issuer, 0),
      body: new URLSearchParams([
        ["token", token],
        ["token", "x"],
      ]),
    });
    expect([twice.status, await twice.json()]).toMatchObject([400, { error: "invalid_request" }]);
    expect((await revoke("")).status).toBe(400);
    expect((await fetch(`${house.issuer}/revoke?token=${token}`)).status).toBe(405);
    expect((await by(token)).status).toBe(200);
  });

  test("by a client with keys, whose assertion counts once, here and at the exchange", async () => {
    const keys = await generateSigningKey("ES256");
    const auth = { method: "private_key_jwt", jwks: { keys: [keys.publicJwk] } } as const;
    await house.change({
      ...acme(),
      agents: acme().agents.map((one) => (one.id === "crawler" ? { ...one, auth } : one)),
    });
    const client = {
      method: "private_key_jwt",
      clientId: "crawler",
      signer: await importSigner(keys.privateJwk),
    } as const;
    const agent = createAgent({ idp: { issuer: house.issuer, client }, apps: [], development: true });
    const token = refreshToken(await house.signIn(agent));
    const body = new URLSearchParams({ token: "x" });
    await addClientAuth(body, client, house.issuer, Date.now() / 1_000);
    const send = () => fetch(`${house.issuer}/revoke`, { method: "POST", body });
    expect((await send()).status).toBe(200);
    body.set("token", token);
    expect((await send()).status).toBe(401);
    const used = await by(token, {
      client,
      change: (form) => form.set("client_assertion", body.get("client_assertion") ?? ""),
    });
    expect(used.body).toMatchObject({ error: "invalid_client" });
  });

  test("is announced in the metadata", async () => {
    const metadata = await (await fetch(`${house.issuer}/.well-known/oauth-authorization-server`)).json();
    expect(metadata).toMatchObject({
      revocation_endpoint: `${house.issuer}/revoke`,
      revocation_endpoint_auth_methods_supported: metadata.token_endpoint_auth_methods_supported,
      revocation_endpoint_auth_signing_alg_values_supported: metadata.token_endpoint_auth_signing_alg_values_supported,
    });
  });
});

describe("a refresh token that is bound to a key", () => {
  test("exchanges with a proof of that key, and of no other", async () => {
    const key = await generateDpopKey();
    await house.change({
      ...acme(),
      agents: acme().agents.map((one) => (one.id === "public" ? { ...one, dpopBound: true } : one)),
      apps: acme().apps.map((app) => ({ ...app, clients: { ...app.clients, public: "ledger-public" } })),
      connections: acme().connections.map((one) => ({ ...one, id: `p-${one.id}`, agent: "public" })),
    });
    const token = refreshToken(await house.signIn(house.publicAgent("public", key)));
    const client = { method: "none", clientId: "public" } as const;
    expect((await by(token, { client, key })).claims?.cnf).toEqual({ jkt: key.jkt });
    const thief = await by(token, { client, key: await generateDpopKey() });
    await expectRefused(house, thief, "invalid_grant", "subject-token-binding");
  });
});
