/** The IdP's own refresh token as subject token, over real HTTP. */
import type { Session } from "@credence/client";
import { generateDpopKey } from "@credence/protocol/dpop";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Exchange, exchange, expectRefused, secretOf } from "./exchange.testing.ts";
import { acme, CALLBACK, type House, startHouse } from "./house.testing.ts";

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

  test("counts no longer than the agent may act without the person", async () => {
    const limited = (offlineMaxAge: number) =>
      house.change({ ...acme(), agents: acme().agents.map((one) => ({ ...one, offlineMaxAge })) });
    const token = refreshToken();
    await limited(60);
    expect((await by(token)).status).toBe(200);
    await limited(-1);
    await expectRefused(house, await by(token), "invalid_grant", "offline-too-old");
  });

  test("that never was one is refused", async () => {
    for (const token of ["x", "x".repeat(10_000), `${refreshToken()}x`]) {
      await expectRefused(house, await by(token), "invalid_grant", "sign-in-over");
    }
  });

  test("without offline_access is none: the IdP gives none", async () => {
    const started = await house.agent("assistant").startSignIn({ redirectUri: CALLBACK, scope: "openid" });
    expect(started.url).not.toContain("offline_access");
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
