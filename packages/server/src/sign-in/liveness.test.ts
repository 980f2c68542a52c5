import * as oidc from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashed } from "./artifacts.ts";
import { endGrant } from "./endings.ts";
import { agent, startHouse, type TestHouse } from "./house.testing.ts";
import { ask, postToken, redeem, signIn, typeIn } from "./journeys.testing.ts";
import { createUserAgent, type UserAgent } from "./user-agent.testing.ts";

let house: TestHouse;

beforeAll(async () => {
  house = await startHouse({ agents: [agent("other")], lifetimes: { session: 7200 } });
});
afterAll(() => house.stop());

const alive = (sid: unknown, agentId = "assistant", now = house.now()) => house.signIn.alive(String(sid), agentId, now);

async function signOut(browser: UserAgent, parameters: Record<string, string> = {}) {
  const page = await browser.go(`${house.issuer}/sign-out?${new URLSearchParams(parameters)}`);
  return page.html.includes("<form") ? browser.submit(page) : page;
}

describe("the sign-in behind an ID token", () => {
  it("is alive, and known by person, time and method", async () => {
    const { claims } = await signIn(house);
    expect(await alive(claims.sid)).toEqual({
      alive: true,
      personId: "alice",
      authTime: claims.auth_time,
      acr: "urn:credence:acr:password",
      amr: ["pwd"],
      expiresAt: expect.closeTo(house.now() + 7200, -1),
    });
  });

  it.each([
    ["", "assistant"],
    ["never-issued", "assistant"],
    ["x".repeat(500), "assistant"],
  ])("is not alive for the sid %s", async (sid, agentId) => {
    expect(await alive(sid, agentId)).toEqual({ alive: false });
  });

  it("is one agent's alone", async () => {
    const { claims } = await signIn(house);
    expect(await alive(claims.sid)).toMatchObject({ alive: true });
    expect(await alive(claims.sid, "other")).toEqual({ alive: false });
  });

  it("ends with the session, and use does not prolong it", async () => {
    const { browser, claims } = await signIn(house);
    const silent = await ask(house, { parameters: { prompt: "none" }, scope: "openid" });
    await redeem(silent, await browser.go(silent.url.href));
    expect(await alive(claims.sid, "assistant", house.now() + 7100)).toMatchObject({ alive: true });
    expect(await alive(claims.sid, "assistant", house.now() + 7210)).toEqual({ alive: false });
  });

  it("is over at once, however often it was found to be alive", async () => {
    const { browser, claims, tokens } = await signIn(house);
    for (const _ of [1, 2, 3]) expect(await alive(claims.sid)).toMatchObject({ alive: true });
    await signOut(browser, { id_token_hint: tokens.id_token ?? "" });
    for (const _ of [1, 2]) expect(await alive(claims.sid)).toEqual({ alive: false });
  });

  it("ends with signing out, and begins anew with signing in", async () => {
    const { browser, claims, config, tokens } = await signIn(house);
    const page = await signOut(browser, {
      id_token_hint: tokens.id_token ?? "",
      post_logout_redirect_uri: "http://127.0.0.1:4999/bye",
      state: "s",
    });
    expect(page.left?.href).toBe("http://127.0.0.1:4999/bye?state=s");
    expect(await alive(claims.sid)).toEqual({ alive: false });
    expect(house.events.at(-1)).toMatchObject({ type: "signed-out", personId: "alice", agentId: "assistant" });
    // An offline grant goes on; what it renews does not bring the sign-in back.
    const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? "");
    expect(renewed.claims()?.sid).toBe(claims.sid);
    expect(await alive(renewed.claims()?.sid)).toEqual({ alive: false });
    const again = await signIn(house, { browser });
    expect(again.claims.sid).not.toBe(claims.sid);
    expect(await alive(again.claims.sid)).toMatchObject({ alive: true });
  });

  it("ends for all agents of that browser, and no other browser's", async () => {
    const { browser, claims } = await signIn(house);
    const other = await signIn(house, { id: "other", browser });
    const elsewhere = await signIn(house);
    await signOut(browser);
    expect(await alive(claims.sid)).toEqual({ alive: false });
    expect(await alive(other.claims.sid, "other")).toEqual({ alive: false });
    expect(await alive(elsewhere.claims.sid)).toMatchObject({ alive: true });
  });

  it("is not ended by a link alone", async () => {
    const { browser, claims } = await signIn(house);
    const page = await browser.go(`${house.issuer}/sign-out`);
    expect(page.html).toContain("Sign out of Acme?");
    expect(await alive(claims.sid)).toMatchObject({ alive: true });
  });

  it("ends when somebody else signs in in that browser", async () => {
    const { browser, claims } = await signIn(house);
    const asked = await ask(house, { parameters: { prompt: "login" } });
    const page = await browser.go(asked.url.href);
    const bob = (await redeem(asked, await typeIn(browser, page, "bob@acme.example"))).claims();
    expect(bob?.sub).toBe("bob");
    expect(await alive(claims.sid)).toEqual({ alive: false });
    expect(await alive(bob?.sid)).toMatchObject({ alive: true, personId: "bob" });
  });

  it("ends when somebody else signed in in another tab meanwhile, and goes on after a page that says so", async () => {
    const browser = createUserAgent();
    const first = await ask(house);
    const left = await browser.go(first.url.href);
    const tab = createUserAgent();
    for (const [name, value] of browser.cookies) tab.cookies.set(name, value);
    const alice = await signIn(house, { browser: tab });
    for (const [name, value] of tab.cookies) if (name.startsWith("credence_session")) browser.cookies.set(name, value);
    const page = await typeIn(browser, left, "bob@acme.example");
    expect(page.html).toContain("Somebody else is signed in");
    expect(page.html).not.toContain("<script");
    const bob = (await redeem(first, await browser.submit(page))).claims();
    expect(bob?.sub).toBe("bob");
    expect(await alive(alice.claims.sid)).toEqual({ alive: false });
  });

  it("lives on when the same person signs in again, without a moment of doubt", async () => {
    const { browser, claims } = await signIn(house);
    let doubts = 0;
    let watching = true;
    const watch = (async () => {
      while (watching) {
        if (!(await alive(claims.sid)).alive) doubts += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const again = await signIn(house, { browser, parameters: { prompt: "login" } });
    watching = false;
    await watch;
    expect(doubts).toBe(0);
    expect(again.claims.sid).toBe(claims.sid);
  });

  it("is over when the person leaves, and nobody's who comes later under their id", async () => {
    const { browser, claims, tokens } = await signIn(house, { email: "bob@acme.example" });
    const { people } = (await house.store.organization()).document;
    await house.change((organization) => ({ ...organization, people: people.filter(({ id }) => id !== "bob") }));
    expect(await alive(claims.sid)).toEqual({ alive: false });
    const another = people.map((one) => (one.id === "bob" ? { ...one, name: "Another Bob" } : one));
    await house.change((organization) => ({ ...organization, people: another }));
    expect(await alive(claims.sid)).toEqual({ alive: false });
    expect(await house.signIn.refreshTokenAlive(tokens.refresh_token ?? "")).toBeUndefined();
    expect((await browser.go(`${house.issuer}/account`)).url).toContain("/sign-in/");
  });

  it("stays over when a request in flight saves its session after the end", async () => {
    const { browser, claims } = await signIn(house);
    const provider = house.signIn.provider();
    const [, cookie = ""] = [...browser.cookies].find(([name]) => /^credence_session(_\d+)?$/.test(name)) ?? [];
    const inFlight = await provider.Session.find(cookie);
    await signOut(browser);
    await inFlight?.save(3600);
    expect(await provider.Session.find(cookie)).toBeUndefined();
    inFlight?.resetIdentifier();
    await inFlight?.save(3600);
    expect(await alive(claims.sid)).toEqual({ alive: false });
  });
});

describe("what a session gave and nobody has taken yet", () => {
  const signedInTo = async (browser: UserAgent) => {
    const asked = await ask(house);
    return { asked, page: await typeIn(browser, await browser.go(asked.url.href), "alice@acme.example") };
  };

  it.each([
    ["signing out", (browser: UserAgent) => signOut(browser)],
    [
      "ending everything on one's page",
      async (browser: UserAgent) =>
        browser.submit(await browser.go(`${house.issuer}/account`), {}, undefined, "/end-all"),
    ],
  ])("is over with %s: the code buys no refresh token that outlives it", async (_name, end) => {
    const browser = createUserAgent();
    const { asked, page } = await signedInTo(browser);
    await end(browser);
    await expect(redeem(asked, page)).rejects.toMatchObject({ error: "invalid_grant" });
  });

  it("is over when the session ends while its code is being redeemed, and what was renewed before is not", async () => {
    const browser = createUserAgent();
    const { asked, page } = await signedInTo(browser);
    const tokens = await redeem(asked, page);
    const provider = house.signIn.provider();
    const inFlight = await provider.RefreshToken.find(tokens.refresh_token ?? "");
    const again = await signIn(house, { browser });
    const renewed = await postToken(house, {
      grant_type: "refresh_token",
      refresh_token: again.tokens.refresh_token ?? "",
    });
    await signOut(browser);
    await inFlight?.save();
    expect(await provider.RefreshToken.find(tokens.refresh_token ?? "")).toBeUndefined();
    const later = { grant_type: "refresh_token", refresh_token: String(renewed.body.refresh_token) };
    expect((await postToken(house, later)).status).toBe(200);
  });
});

describe("a revoked grant", () => {
  it("is revoked by the one who lost, though nobody saw the token as used; what the winner then saves is dead", async () => {
    const { tokens } = await signIn(house);
    const provider = house.signIn.provider();
    const [winner, loser] = await Promise.all([1, 2].map(() => provider.RefreshToken.find(tokens.refresh_token ?? "")));
    await winner?.consume();
    await expect(loser?.consume()).rejects.toMatchObject({ error: "invalid_grant" });
    const { iat: _iat, exp: _exp, jti: _jti, consumed: _consumed, ...kept } = { ...winner };
    const client = await provider.Client.find("assistant");
    const next = await new provider.RefreshToken({ ...kept, client } as never).save();
    expect(await provider.RefreshToken.find(next)).toBeUndefined();
    expect((await postToken(house, { grant_type: "refresh_token", refresh_token: next })).status).toBe(400);
  });

  it("is over before its tokens are deleted, should that fail", async () => {
    const { tokens } = await signIn(house);
    const provider = house.signIn.provider();
    const token = await provider.RefreshToken.find(tokens.refresh_token ?? "");
    const store = { ...house.store, deleteGrant: () => Promise.reject(new Error("the power fails")) };
    const sealing = { seal: (text: string) => text, open: (text: string) => text };
    const ended = endGrant({ store, sealing, now: house.now }, hashed(token?.grantId ?? ""), 3600);
    await expect(ended).rejects.toThrow("the power fails");
    const answer = await postToken(house, { grant_type: "refresh_token", refresh_token: tokens.refresh_token ?? "" });
    expect(answer).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  });

  it("stays revoked when a request in flight saves it, or a token of it, after the end", async () => {
    const { tokens } = await signIn(house);
    const provider = house.signIn.provider();
    const token = await provider.RefreshToken.find(tokens.refresh_token ?? "");
    const grant = await provider.Grant.find(token?.grantId ?? "");
    await postToken(house, { grant_type: "refresh_token", refresh_token: tokens.refresh_token ?? "" });
    await postToken(house, { grant_type: "refresh_token", refresh_token: tokens.refresh_token ?? "" });
    await grant?.save();
    await token?.save();
    expect(await provider.Grant.find(token?.grantId ?? "")).toBeUndefined();
    expect(await provider.RefreshToken.find(tokens.refresh_token ?? "")).toBeUndefined();
  });
});

describe("the sign-out page", () => {
  it("tells somebody who is signed out already, and leads on without a script", async () => {
    const { tokens } = await signIn(house);
    const stranger = createUserAgent();
    const page = await stranger.go(
      `${house.issuer}/sign-out?${new URLSearchParams({
        id_token_hint: tokens.id_token ?? "",
        post_logout_redirect_uri: "http://127.0.0.1:4999/bye",
      })}`,
    );
    expect(page.html).toContain("You are signed out");
    expect(page.html).not.toContain("<script");
    expect((await stranger.submit(page)).left?.href).toBe("http://127.0.0.1:4999/bye");
  });

  it("does not lead to an address that the agent did not register", async () => {
    const { browser, tokens, claims } = await signIn(house);
    const page = await browser.go(
      `${house.issuer}/sign-out?${new URLSearchParams({
        id_token_hint: tokens.id_token ?? "",
        post_logout_redirect_uri: "https://evil.example/",
      })}`,
    );
    expect(page.status).toBe(400);
    expect(page.html).not.toContain("evil.example");
    expect(await alive(claims.sid)).toMatchObject({ alive: true });
  });
});
