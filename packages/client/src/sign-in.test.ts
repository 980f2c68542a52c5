import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SignIn } from "./sign-in.ts";
import { json } from "./testing/http.testing.ts";
import { IDP_CLIENT } from "./testing/idp.testing.ts";
import { failure, startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.close());

const redirectUri = "http://127.0.0.1/callback";
const call = (): { resource: string; audience: string } => ({
  resource: world.app.resource,
  audience: world.app.issuer,
});

describe("a sign-in", () => {
  it("asks with code, PKCE S256, state, nonce, and what a step-up needs", async () => {
    const { url } = await world
      .agent()
      .startSignIn({ redirectUri, maxAge: 60, acrValues: "urn:mfa", loginHint: "alice", prompt: "login" });
    const asked = Object.fromEntries(new URL(url).searchParams);
    expect(asked).toMatchObject({
      client_id: "assistant",
      response_type: "code",
      scope: "openid offline_access",
      code_challenge_method: "S256",
      redirect_uri: redirectUri,
      max_age: "60",
      acr_values: "urn:mfa",
      login_hint: "alice",
      prompt: "login",
    });
    expect([asked.state, asked.nonce, asked.code_challenge].every((value) => (value?.length ?? 0) >= 43)).toBe(true);
  });

  it("can be finished by another process, with the checks that were kept", async () => {
    const { url, checks } = await world.agent().startSignIn({ redirectUri });
    const kept = JSON.parse(JSON.stringify(checks));
    const { search, pathname } = new URL(await walk(url));
    const session = await world.agent().finishSignIn(`${pathname}${search}`, kept);
    expect((await session.fetch(world.url)).status).toBe(200);
  });

  const spoiled: readonly [string, (back: URL) => void][] = [
    ["state of another sign-in", (back) => back.searchParams.set("state", "another")],
    ["no state", (back) => back.searchParams.delete("state")],
    ["another issuer (mix-up)", (back) => back.searchParams.set("iss", "https://evil.example")],
    ["no issuer, though the IdP always names it", (back) => back.searchParams.delete("iss")],
  ];
  it.each(spoiled)("that comes back with %s is refused before the code is sent", async (_name, spoil) => {
    const started = await world.agent().startSignIn({ redirectUri });
    const back = new URL(await walk(started.url));
    spoil(back);
    const error = await failure(started.finish(back));
    expect(error).toMatchObject({ code: "response_invalid", leg: "sign-in", party: world.idp.issuer });
    expect(world.idp.counts.code).toBe(0);
  });

  it("whose ID token carries another sign-in's nonce is refused", async () => {
    const [mine, other] = await Promise.all([
      world.agent().startSignIn({ redirectUri }),
      world.agent().startSignIn({ redirectUri }),
    ]);
    const back = await walk(mine.url);
    const checks = { ...mine.checks, nonce: other.checks.nonce };
    const error = await failure(world.agent().finishSignIn(back, checks));
    expect(error).toMatchObject({ code: "response_invalid", leg: "sign-in" });
  });

  it("that another client's verifier finishes is refused by the IdP", async () => {
    const started = await world.agent().startSignIn({ redirectUri });
    const checks = { ...started.checks, codeVerifier: "x".repeat(43) };
    const error = await failure(world.agent().finishSignIn(await walk(started.url), checks));
    expect(error).toMatchObject({ code: "invalid_grant", leg: "sign-in" });
  });

  it("with a wrong secret says that it is the credential", async () => {
    const issuer = world.idp.issuer;
    const agent = world.agent({ idp: { issuer, client: { ...IDP_CLIENT, clientSecret: "another" } } });
    const error = await failure(world.signIn(agent));
    expect(error).toMatchObject({ code: "invalid_client", leg: "sign-in", party: issuer, retry: "never" });
    expect(error.message).toContain("Check the client id and credential");
    expect(error.message).not.toContain("Begin the sign-in again");
  });

  it.each<[string, number, Record<string, unknown>, Record<string, string>, Record<string, unknown>]>([
    [
      "is unavailable",
      503,
      { error: "temporarily_unavailable", decision_id: "d-9" },
      { "retry-after": "7" },
      { code: "temporarily_unavailable", retryAfter: 7, decisionId: "d-9" },
    ],
    ["is unavailable and does not say how", 503, {}, {}, { code: "temporarily_unavailable" }],
    ["has too much to do", 429, { error: "slow_down" }, { "retry-after": "3" }, { code: "slow_down", retryAfter: 3 }],
  ])("at an IdP that %s may be finished later", async (_name, status, body, headers, expected) => {
    const { finish, url } = await world.agent().startSignIn({ redirectUri });
    const back = await walk(url);
    const { handler } = world.idp.server;
    world.idp.server.handler = (request) =>
      new URL(request.url).pathname === "/token" ? json(body, status, headers) : handler(request);
    const error = await failure(finish(back));
    expect(error).toMatchObject({ ...expected, leg: "sign-in", party: world.idp.issuer, retry: "wait", status });
    expect(error.message).toMatch(/(Try again later|Wait, then try again)\./);
    expect(error.message).not.toContain("Begin the sign-in again");
    world.idp.server.handler = handler;
    expect((await (await finish(back)).fetch(world.url)).status).toBe(200);
  });

  it("that asks for more than the person has does not advise to ask the same again", async () => {
    const started = await world.agent().startSignIn({ redirectUri, acrValues: "phrh" });
    const back = new URL(redirectUri);
    const error = "unmet_authentication_requirements";
    back.search = String(new URLSearchParams({ error, state: started.checks.state, iss: world.idp.issuer }));
    const thrown = await failure(started.finish(back));
    expect(thrown).toMatchObject({ code: "response_invalid", reason: "error-unmet-authentication-requirements" });
    expect(thrown.message).toContain("no way to sign in that is as strong as asked");
  });

  it("that the person or the IdP declines says so", async () => {
    const started = await world.agent().startSignIn({ redirectUri });
    const back = new URL(redirectUri);
    back.search = String(
      new URLSearchParams({ error: "access_denied", state: started.checks.state, iss: world.idp.issuer }),
    );
    expect(await failure(started.finish(back))).toMatchObject({ code: "access_denied", leg: "sign-in" });
  });

  it.each(["javascript:alert(1)", "file:///etc/passwd", "http://10.0.0.1/authorize"])(
    "sends nobody's browser to %s",
    async (endpoint) => {
      world.idp.metadata = { authorization_endpoint: endpoint };
      const error = await failure(world.agent().startSignIn({ redirectUri }));
      expect(error).toMatchObject({ leg: "sign-in" });
      expect(["fetch_refused", "response_invalid"]).toContain(error.code);
    },
  );

  it.each([
    ["another IdP", { iss: "https://other.example" }],
    ["another client", { aud: "somebody-else" }],
  ])("that was made elsewhere for %s is not taken over", async (_name, changes) => {
    const idToken = await world.idp.idToken(changes);
    await expect(async () => world.agent().session({ idToken })).rejects.toMatchObject({
      code: "configuration",
      reason: "id-token-foreign",
    });
  });
});

describe("a renewal", () => {
  it("of the sign-in happens before its ID token expires, once for 50 who ask, and the rotated token is kept", async () => {
    const session = await world.signIn();
    for (const round of [1, 2, 3]) {
      world.clock.seconds += 580;
      const scopes = Array.from({ length: 50 }, (_, i) => `scope-${i}`);
      await Promise.all(scopes.map((scope) => session.token({ ...call(), scope })));
      expect(world.idp.counts.refresh).toBe(round);
    }
    expect(world.idp.refreshTokens.has(session.signIn().refreshToken ?? "")).toBe(true);
  });

  it("is kept by save before anything is done with it", async () => {
    const saved: SignIn[] = [];
    const agent = world.agent();
    const first = await world.signIn(agent);
    const session = agent.session(first.signIn(), {
      save: async (signIn) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(world.idp.counts.exchange).toBe(0);
        saved.push(signIn);
      },
    });
    world.clock.seconds += 590;
    await session.token(call());
    expect(saved).toEqual([session.signIn()]);
    expect(saved[0]?.refreshToken).not.toBe(first.signIn().refreshToken);
  });

  it("that can not be kept is an error, not a surprise at the next start", async () => {
    const agent = world.agent();
    const { idToken, refreshToken = "" } = (await world.signIn(agent)).signIn();
    const save = (): never => {
      throw new Error("disk full");
    };
    const session = agent.session({ idToken, refreshToken }, { save });
    world.clock.seconds += 590;
    expect(await failure(session.token(call()))).toMatchObject({ code: "configuration", reason: "save-failed" });
  });

  it("is impossible without a refresh token: the person must sign in again", async () => {
    const session = await world.session();
    world.clock.seconds += 599;
    await session.token(call());
    world.clock.seconds += 1 + 300;
    const error = await failure(session.token(call()));
    expect(error).toMatchObject({ code: "sign_in_required", leg: "sign-in", retry: "renew-sign-in" });
    expect(world.idp.counts.exchange).toBe(1);
  });

  it("that the IdP refuses means that the person must sign in again", async () => {
    const session = await world.signIn();
    world.idp.refreshTokens.clear();
    world.clock.seconds += 601;
    expect(await failure(session.token(call()))).toMatchObject({ code: "sign_in_required", leg: "sign-in" });
  });

  it("after an ended session names the decision that refused the ID token", async () => {
    const session = await world.signIn();
    world.idp.refreshTokens.clear();
    world.idp.refuse = () => json({ error: "invalid_grant", decision_id: "d-7" }, 400);
    expect(await failure(session.token(call()))).toMatchObject({ code: "sign_in_required", decisionId: "d-7" });
    expect(world.idp.counts.exchange).toBe(1);
  });

  it("that brings somebody else's ID token is not used", async () => {
    const session = await world.signIn();
    world.idp.subject = "mallory";
    world.clock.seconds += 601;
    const error = await failure(session.token(call()));
    expect(error).toMatchObject({ code: "response_invalid", reason: "subject-differs" });
    expect(world.idp.counts.exchange).toBe(0);
  });

  it("that finds the IdP's token endpoint unavailable leaves the refresh token for later", async () => {
    const session = await world.signIn();
    world.clock.seconds += 601;
    const { handler } = world.idp.server;
    world.idp.server.handler = (request) =>
      new URL(request.url).pathname === "/token"
        ? json({ error: "temporarily_unavailable" }, 503, { "retry-after": "5" })
        : handler(request);
    expect(await failure(session.token(call()))).toMatchObject({
      code: "temporarily_unavailable",
      leg: "sign-in",
      retry: "wait",
      retryAfter: 5,
    });
    world.idp.server.handler = handler;
    expect((await session.token(call())).scope).toBe("ledger.read");
  });

  it("that fails for want of a network leaves the refresh token for later", async () => {
    const session = await world.signIn();
    world.clock.seconds += 601;
    const { handler } = world.idp.server;
    world.idp.server.handler = () => json({}, 503);
    expect(await failure(session.token(call()))).toMatchObject({ code: "temporarily_unavailable" });
    world.idp.server.handler = handler;
    expect((await session.token(call())).scope).toBe("ledger.read");
  });
});

describe("signing out", () => {
  it("ends the session here, revokes the refresh token, and tells where the person signs out", async () => {
    const session = await world.signIn();
    await session.fetch(world.url);
    const { refreshToken, idToken } = session.signIn();
    const { url } = await session.signOut({ postLogoutRedirectUri: "http://127.0.0.1/bye" });
    expect(world.idp.counts.revoked).toEqual([refreshToken]);
    expect(Object.fromEntries(new URL(url ?? "").searchParams)).toMatchObject({
      id_token_hint: idToken,
      post_logout_redirect_uri: "http://127.0.0.1/bye",
    });
    const calls = world.app.api.seen.length;
    for (const attempt of [
      () => session.fetch(world.url),
      () => session.fetch(`${world.idp.issuer}/open-to-all`),
      () => session.token(call()),
      () => session.idJag({ ...call() }),
      async () => session.signIn(),
      () => session.signOut(),
    ]) {
      expect(await failure(attempt())).toMatchObject({ code: "sign_in_required", leg: "sign-in" });
    }
    expect(world.app.api.seen).toHaveLength(calls);
  });

  it("is over at once, also for an exchange that is under way", async () => {
    const session = await world.session();
    world.idp.delay = 0.05;
    const pending = failure(session.token(call()));
    await expect.poll(() => world.idp.server.seen.some(({ body }) => body.includes("token-exchange"))).toBe(true);
    await session.signOut();
    expect(await pending).toMatchObject({ code: "sign_in_required" });
  });

  it("during a renewal revokes the token that the renewal brings, and keeps nothing", async () => {
    const agent = world.agent();
    const saved: SignIn[] = [];
    const session = agent.session((await world.signIn(agent)).signIn(), { save: (signIn) => void saved.push(signIn) });
    world.clock.seconds += 601;
    // The IdP has rotated already, and its answer is still on the way.
    const { handler } = world.idp.server;
    world.idp.server.handler = async (request) => {
      const response = await handler(request);
      await new Promise((resolve) => setTimeout(resolve, 50));
      return response;
    };
    const pending = failure(session.token(call()));
    await expect.poll(() => world.idp.counts.refresh).toBe(1);
    await session.signOut();
    expect(await pending).toMatchObject({ code: "sign_in_required" });
    expect(world.idp.counts.revoked).toHaveLength(1);
    expect(world.idp.refreshTokens.size).toBe(0);
    expect(saved).toEqual([]);
  });

  it("is over here even when the IdP can not be told", async () => {
    const session = await world.signIn();
    world.idp.server.handler = () => json({}, 503);
    expect(await failure(session.signOut())).toMatchObject({ leg: "sign-in" });
    expect(await failure(session.fetch(world.url))).toMatchObject({ code: "sign_in_required" });
  });
});
