import * as oidc from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agent, PASSWORD, startHouse, type TestHouse } from "./house.testing.ts";
import { ask, discover, redeem, signIn, signInOnPage, typeIn } from "./journeys.testing.ts";
import { createUserAgent } from "./user-agent.testing.ts";

let house: TestHouse;

beforeAll(async () => {
  house = await startHouse({
    agents: [
      agent("web", { redirectUris: ["https://assistant.example/callback"] }),
      agent("v6", { redirectUris: ["http://[::1]/callback"] }),
      agent("named", { redirectUris: ["http://localhost:4999/callback"] }),
      agent("off", { enabled: false }),
      agent("other"),
    ],
  });
});
afterAll(() => house.stop());

describe("somebody signs in", () => {
  it("with code and PKCE, and the ID token says who, when, how and in which session", async () => {
    const before = Math.floor(Date.now() / 1000);
    const { claims, tokens } = await signIn(house);
    expect(claims).toMatchObject({
      iss: house.issuer,
      sub: "alice",
      aud: "assistant",
      email: "alice@acme.example",
      email_verified: true,
      name: "Alice",
      acr: "urn:credence:acr:password",
      amr: ["pwd"],
      sid: expect.stringMatching(/^[\w-]{20,}$/),
    });
    expect(claims.auth_time).toBeGreaterThanOrEqual(before);
    expect(claims.exp - claims.iat).toBe(3600);
    expect(tokens.refresh_token).toBeTypeOf("string");
    expect(house.events.at(-1)).toMatchObject({ type: "sign-in-succeeded", personId: "alice", agentId: "assistant" });
  });

  it("once for several agents, each with a sid of its own", async () => {
    const first = await signIn(house);
    const asked = await ask(house, { id: "other" });
    const page = await first.browser.go(asked.url.href);
    expect(page.left?.searchParams.get("code")).toBeTruthy();
    const second = (await redeem(asked, page)).claims();
    expect(second?.sub).toBe("alice");
    expect(second?.sid).not.toBe(first.claims.sid);
  });

  it.each(["missing", ""])("as with openid, when the scope is %j", async (scope) => {
    const asked = await ask(house);
    if (scope === "missing") asked.url.searchParams.delete("scope");
    else asked.url.searchParams.set("scope", scope);
    const page = await signInOnPage(createUserAgent(), asked.url);
    expect((await redeem(asked, page)).claims()?.sub).toBe("alice");
  });

  it("at a public client, with PKCE alone", async () => {
    const { claims } = await signIn(house, { id: "desktop", auth: oidc.None() });
    expect(claims.aud).toBe("desktop");
  });

  it("and the answer names the issuer (RFC 9207)", async () => {
    const asked = await ask(house);
    const page = await signInOnPage(createUserAgent(), asked.url);
    expect(page.left?.searchParams.get("iss")).toBe(house.issuer);
    expect(page.left?.searchParams.get("state")).toBe(asked.state);
  });

  it("and userinfo knows them", async () => {
    const { config, tokens } = await signIn(house);
    const info = await oidc.fetchUserInfo(config, tokens.access_token, "alice");
    expect(info).toEqual({ sub: "alice", email: "alice@acme.example", email_verified: true, name: "Alice" });
  });

  it("again when the agent asks for it, and not when it does not", async () => {
    const { browser, claims } = await signIn(house);
    const silent = await ask(house, { parameters: { prompt: "none" }, scope: "openid" });
    expect((await redeem(silent, await browser.go(silent.url.href))).claims()?.sid).toBe(claims.sid);
    const login = await ask(house, { parameters: { prompt: "login" } });
    const page = await browser.go(login.url.href);
    expect(page.left).toBeUndefined();
    expect(page.html).toContain("Sign in");
  });

  it("over TLS with a session cookie that no neighbouring host can write", async () => {
    const secure = await startHouse({ issuer: "https://login.acme.example" });
    // As a proxy in front would hand it on.
    const { url } = secure.listener;
    const browser = createUserAgent();
    const account = await browser.go(`${url}/account`);
    const authorize = await browser.go(account.left?.href.replace(secure.issuer, url) ?? "");
    const { left } = await typeIn(browser, authorize, "alice@acme.example");
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const done = await fetch(left?.href.replace(secure.issuer, url) ?? "", { headers: { cookie }, redirect: "manual" });
    const session = done.headers.getSetCookie().filter((line) => line.includes("credence_session"));
    expect(session).toHaveLength(2);
    for (const line of session) {
      expect(line).toMatch(/^__Host-credence_session(\.sig)?=/);
      expect(line).toMatch(/; path=\/;/);
      expect(line).toMatch(/; secure/);
      expect(line).not.toMatch(/domain/i);
    }
    const mine = session.map((line) => line.split(";", 1)[0]).join("; ");
    expect(await (await fetch(`${url}/account`, { headers: { cookie: mine } })).text()).toContain("alice@acme.example");
    const planted = mine.replaceAll("__Host-", "");
    expect((await fetch(`${url}/account`, { headers: { cookie: planted }, redirect: "manual" })).status).toBe(303);
    await secure.stop();
  });

  it("without offline_access and gets no refresh token", async () => {
    const { tokens } = await signIn(house, { scope: "openid email" });
    expect(tokens.refresh_token).toBeUndefined();
  });
});

describe("a redirect", () => {
  it.each([
    ["127.0.0.1", "assistant", "http://127.0.0.1:61234/callback"],
    ["[::1]", "v6", "http://[::1]:61234/callback"],
  ])("to %s may have any port", async (_name, id, redirectUri) => {
    const { claims } = await signIn(house, { id, redirectUri });
    expect(claims.sub).toBe("alice");
  });

  it.each([
    ["to another path", "assistant", "http://127.0.0.1:4999/elsewhere"],
    ["to a host that begins the same", "assistant", "http://127.0.0.1.evil.example:4999/callback"],
    ["to another host", "web", "https://evil.example/callback"],
    ["with a port that a web client did not register", "web", "https://assistant.example:8443/callback"],
    ["to localhost with another port", "named", "http://localhost:61234/callback"],
    ["to localhost in place of the address", "assistant", "http://localhost:4999/callback"],
    ["with user information", "assistant", "http://me@127.0.0.1:4999/callback"],
    ["over TLS where none was registered", "assistant", "https://127.0.0.1:4999/callback"],
  ])("%s is refused, on a page of ours", async (_name, id, redirectUri) => {
    const { url } = await ask(house, { id, redirectUri });
    const page = await createUserAgent().go(url.href);
    expect(page.left).toBeUndefined();
    expect(page.status).toBe(400);
    expect(page.html).toContain("somewhere unknown");
    expect(page.html).not.toContain("evil.example");
  });
});

describe("an authorization request is refused", () => {
  it.each([
    ["without PKCE", { code_challenge: "", code_challenge_method: "" }, "invalid_request"],
    ["with plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
    ["for the implicit flow", { response_type: "id_token", nonce: "n" }, "error=invalid_request"],
    ["in another response mode", { response_mode: "fragment" }, "invalid_request"],
    ["with a request object", { request: "e30.e30." }, "request_not_supported"],
    ["for silence when nobody is signed in", { prompt: "none" }, "login_required"],
  ])("%s", async (_name, parameters, error) => {
    const asked = await ask(house, { parameters });
    for (const [name, value] of Object.entries(parameters)) if (value === "") asked.url.searchParams.delete(name);
    const page = await createUserAgent().go(asked.url.href);
    const told = page.left === undefined ? page.html : page.left.href;
    expect(told).toContain(error);
    expect(told).not.toContain("code=");
  });

  it.each([["nobody"], ["off"]])("for the client %s, on a page of ours", async (id) => {
    const { url } = await ask(house, { id });
    const page = await createUserAgent().go(url.href);
    expect(page.status).toBe(400);
    expect(page.html).toContain("This agent is not known here");
    const reference = /<dd class="id">([\w-]{11})</.exec(page.html)?.[1];
    expect(house.faults.map((fault) => fault.reference)).toContain(reference);
  });
});

describe("a wrong sign-in", () => {
  it.each([
    ["a wrong password", "alice@acme.example", "Tr0ub4dor&3", "password-wrong"],
    ["an email that nobody has", "nobody@acme.example", PASSWORD, "person-unknown"],
    ["a disabled person's right password", "gone@acme.example", PASSWORD, "person-disabled"],
    ["a person without a password", "robot@acme.example", PASSWORD, "password-missing"],
    ["an empty password", "alice@acme.example", "", "password-wrong"],
    ["an endless password", "alice@acme.example", "x".repeat(5000), "password-wrong"],
  ])("with %s says the same, keeps the email, and is on record", async (_name, email, password, why) => {
    const asked = await ask(house);
    const browser = createUserAgent();
    const page = await typeIn(browser, await browser.go(asked.url.href), email, password);
    expect(page.status).toBe(422);
    expect(page.html).toContain("This email and password do not fit together.");
    expect(page.html).toContain(`<span class="email">${email}</span>`);
    expect(page.html).toContain('aria-describedby="problem"');
    expect(page.html).not.toContain(password === "" ? "undefined" : password);
    expect(house.events.at(-1)).toMatchObject({ type: "sign-in-failed", why, agentId: "assistant" });
    expect(JSON.stringify(house.events.at(-1))).not.toContain(email);
  });

  it("can be followed by a right one", async () => {
    const asked = await ask(house);
    const browser = createUserAgent();
    const again = await typeIn(browser, await browser.go(asked.url.href), "bob@acme.example", "no");
    const page = await browser.submit(again, { password: PASSWORD });
    expect((await redeem(asked, page)).claims()?.sub).toBe("bob");
  });

  it("repeated too often makes one wait, even with the right password", async () => {
    const quiet = await startHouse();
    const asked = await ask(quiet);
    const browser = createUserAgent();
    let page = await browser.submit(await browser.go(asked.url.href), { email: "alice@acme.example" });
    // The first wait is one second: time must not pass by itself.
    const stopped = quiet.now();
    quiet.clock.stopped = stopped;
    for (let i = 0; i < 5; i++) {
      page = await browser.submit(page, { password: `guess ${i}` });
      expect(page.status).toBe(422);
    }
    page = await browser.submit(page, { password: PASSWORD });
    expect(page.status).toBe(429);
    expect(Number(page.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(page.html).toContain("too many attempts");
    quiet.clock.stopped = stopped + 5;
    page = await browser.submit(page, { password: PASSWORD });
    expect(page.left?.searchParams.get("code")).toBeTruthy();
    await quiet.stop();
  });
});

describe("metadata", () => {
  it("is the same at both places, with the exact issuer", async () => {
    const [oidcMetadata, oauth] = await Promise.all(
      ["openid-configuration", "oauth-authorization-server"].map(async (name) =>
        (await fetch(`${house.issuer}/.well-known/${name}`)).json(),
      ),
    );
    expect(oauth).toEqual(oidcMetadata);
    expect(oauth).toMatchObject({
      issuer: house.issuer,
      authorization_endpoint: `${house.issuer}/authorize`,
      token_endpoint: `${house.issuer}/token`,
      grant_types_supported: expect.arrayContaining([
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:token-exchange",
      ]),
      identity_chaining_requested_token_types_supported: ["urn:ietf:params:oauth:token-type:id-jag"],
      authorization_response_iss_parameter_supported: true,
      code_challenge_methods_supported: ["S256"],
      response_types_supported: ["code"],
      id_token_signing_alg_values_supported: expect.arrayContaining(["ES256", "RS256"]),
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
    });
  });

  it("does not believe what a client says of the host", async () => {
    const headers = {
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "https",
      forwarded: "host=evil.example",
    };
    const answer = await fetch(`${house.issuer}/.well-known/openid-configuration`, { headers });
    expect(await answer.text()).not.toContain("evil.example");
  });

  it("of an issuer with a path stands below it and before it", async () => {
    const tenant = await startHouse({ path: "/acme" });
    const origin = new URL(tenant.issuer).origin;
    for (const url of [
      `${tenant.issuer}/.well-known/openid-configuration`,
      `${origin}/.well-known/oauth-authorization-server/acme`,
    ]) {
      expect(await (await fetch(url)).json()).toMatchObject({
        issuer: tenant.issuer,
        token_endpoint: `${tenant.issuer}/token`,
        jwks_uri: `${tenant.issuer}/jwks`,
      });
    }
    const { claims } = await signIn(tenant);
    expect(claims.iss).toBe(tenant.issuer);
    await tenant.stop();
  });

  it("shows public halves of keys alone", async () => {
    const config = await discover(house);
    const jwks = await (await fetch(config.serverMetadata().jwks_uri ?? "")).json();
    expect(jwks.keys).toHaveLength(2);
    for (const key of jwks.keys) expect(Object.keys(key)).not.toEqual(expect.arrayContaining(["d"]));
  });
});
