import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { codeOf, openAccount, setUpApp } from "../account.testing.ts";
import { agent, PASSWORD, startHouse, type TestHouse } from "../house.testing.ts";
import { ask, postToken, redeem, signIn, signInOnPage } from "../journeys.testing.ts";
import { createUserAgent, type Page, readForm, type UserAgent } from "../user-agent.testing.ts";

const ALICE = { email: "alice@acme.example", password: PASSWORD };
const BOB = { email: "bob@acme.example", password: PASSWORD };

let house: TestHouse;
beforeAll(async () => {
  house = await startHouse({
    agents: ["Reader", "Writer", "Keeper"].map((name) => agent(name.toLowerCase(), { name })),
  });
});
afterAll(() => house.stop());
beforeEach(async () => {
  house.clock.offset = 0;
  for (const id of ["alice", "bob"]) await house.store.removeFactors(id);
  house.events.splice(0);
});

const text = ({ html }: Page) => html.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ");
const cookies = (browser: UserAgent) => [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
const send = (browser: UserAgent, action: string, body: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(action, {
    method: "POST",
    body: new URLSearchParams(body),
    headers: { cookie: cookies(browser), ...headers },
    redirect: "manual",
  });

describe("the page of one's own account", () => {
  it("asks who comes to sign in, by the same steps, and says that it leads here and to no agent", async () => {
    const browser = createUserAgent();
    const page = await browser.go(`${house.issuer}/account`);
    expect(text(page)).toContain("You then come to your account.");
    const account = await openAccount(browser, house, ALICE);
    expect(account.url).toBe(`${house.issuer}/account`);
    expect(text(account)).toContain("alice@acme.example");
    expect(house.events).toMatchObject([{ type: "sign-in-succeeded", personId: "alice", methods: ["password"] }]);
  });

  it("is there at once for who is signed in in this browser", async () => {
    const { browser } = await signIn(house);
    expect(text(await browser.go(`${house.issuer}/account`))).toContain("Your account");
  });

  it("is over when the person is disabled", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, BOB);
    const enable = (enabled: boolean) =>
      house.change((document) => ({
        ...document,
        people: document.people.map((person) => (person.id === "bob" ? { ...person, enabled } : person)),
      }));
    await enable(false);
    expect(text(await browser.go(`${house.issuer}/account`))).toContain("Sign in");
    await enable(true);
  });

  it("leaves what it shows in no cache, frame or log, and runs no script", async () => {
    const browser = createUserAgent();
    const { headers } = await openAccount(browser, house, ALICE);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(headers.get("content-security-policy")).not.toContain("script-src");
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  });

  it.each(["again\r\nset-cookie: a=b", "__proto__", "constructor", "//evil.example"])(
    "goes on to no page but its own after a sign-in: %j",
    async (state) => {
      const url = `${house.issuer}/account/signed-in?${new URLSearchParams({ state })}`;
      const answer = await fetch(url, { redirect: "manual" });
      expect(answer.headers.get("location")).toBe("/account");
      expect(answer.headers.get("set-cookie")).toBeNull();
    },
  );

  it("is there below the path of an issuer that has one, and its forms, too", async () => {
    const below = await startHouse({ path: "/acme/idp" });
    const browser = createUserAgent();
    const page = await openAccount(browser, below, ALICE);
    expect(page.url).toBe(`${below.issuer}/account`);
    const { page: codes } = await setUpApp(browser, below);
    expect(text(codes)).toContain("Your recovery codes");
    const ended = await browser.submit(page, {}, undefined, "/end-all");
    expect(ended.url).toContain(`${below.issuer}/sign-in/`);
    await below.stop();
  });

  it("gives a code that nobody can redeem", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const authorize = new URL(`${house.issuer}/authorize`);
    const challenge = "x".repeat(43);
    const redirectUri = `${house.issuer}/account/signed-in`;
    authorize.search = new URLSearchParams({
      client_id: "_account",
      response_type: "code",
      redirect_uri: redirectUri,
      scope: "openid",
      code_challenge: challenge,
      code_challenge_method: "S256",
    }).toString();
    const answer = await fetch(authorize, { headers: { cookie: cookies(browser) }, redirect: "manual" });
    const code = new URL(answer.headers.get("location") ?? "").searchParams.get("code") ?? "";
    const form = { grant_type: "authorization_code", code, redirect_uri: redirectUri, code_verifier: "y".repeat(43) };
    const redeemed = await postToken(house, { ...form, client_id: "_account" }, { authorization: "" });
    expect(redeemed.status).toBe(400);
  });
});

describe("sessions on it", () => {
  it("say from where, since when and for which agents, and which is this one", async () => {
    const elsewhere = await signIn(house, { id: "reader" });
    const browser = createUserAgent();
    const page = await openAccount(browser, house, ALICE);
    expect(text(page)).toMatch(/Since \d+ \w+,? \d\d:\d\d UTC/);
    expect(text(page)).toContain("from 127.0.0.1");
    expect(text(page)).toContain("For Reader");
    expect(page.html.match(/class="badge"/g)).toHaveLength(1);
    expect(text(page)).not.toContain("_account");
    expect(await house.signIn.alive(String(elsewhere.claims.sid), "reader", house.now())).toMatchObject({
      alive: true,
    });
  });

  it("end one by one: what its ID tokens buy is over at once, and no other session is", async () => {
    const elsewhere = await signIn(house, { id: "writer" });
    const third = await signIn(house);
    const page = await third.browser.go(`${house.issuer}/account`);
    const item = page.html.split("<li").find((one) => one.includes("For Writer") && !one.includes("this one")) ?? "";
    const ended = await third.browser.submit({ ...page, html: item }, {}, undefined, "/sessions/end");
    expect(text(ended)).toContain("That sign-in is over");
    expect(await house.signIn.alive(String(elsewhere.claims.sid), "writer", house.now())).toEqual({ alive: false });
    expect(await house.signIn.alive(String(third.claims.sid), "assistant", house.now())).toMatchObject({ alive: true });
    expect(house.events.at(-1)).toMatchObject({ type: "session-ended", personId: "alice", source: "127.0.0.1" });
  });

  it("of somebody else can neither be seen nor ended", async () => {
    const bobs = await signIn(house, { email: BOB.email, id: "reader" });
    const theirs = await bobs.browser.go(`${house.issuer}/account`);
    const { values } = readForm(theirs, undefined, "/sessions/end");
    const browser = createUserAgent();
    const mine = await openAccount(browser, house, ALICE);
    expect(mine.html).not.toContain(values.key);
    await browser.submit(mine, { key: values.key ?? "" }, undefined, "/sessions/end");
    expect(await house.signIn.alive(String(bobs.claims.sid), "reader", house.now())).toMatchObject({ alive: true });
    expect(house.events.some(({ type }) => type === "session-ended")).toBe(false);
  });
});

describe("what may act for somebody without them", () => {
  it("is listed by agent, and can be taken back: the refresh token is worth nothing then", async () => {
    const { browser, tokens } = await signIn(house, { id: "keeper" });
    const page = await browser.go(`${house.issuer}/account`);
    const item = page.html.split("<li").find((one) => one.includes("/grants/end") && one.includes("Keeper")) ?? "";
    await browser.submit({ ...page, html: item }, {}, undefined, "/grants/end");
    expect(house.events.at(-1)).toMatchObject({ type: "grant-ended", personId: "alice", agentId: "keeper" });
    expect(await house.signIn.refreshTokenAlive(tokens.refresh_token ?? "")).toBeUndefined();
  });

  it("stays one entry however often it is renewed, and goes with everything else", async () => {
    const { browser, tokens, claims } = await signIn(house, { email: BOB.email });
    const entries = async () => (await browser.go(`${house.issuer}/account`)).html.match(/\/grants\/end/g)?.length ?? 0;
    const before = await entries();
    const form = { grant_type: "refresh_token", refresh_token: tokens.refresh_token ?? "" };
    const renewed = String((await postToken(house, form)).body.refresh_token);
    const page = await browser.go(`${house.issuer}/account`);
    expect(await entries()).toBe(before);
    const done = await browser.submit(page, {}, undefined, "/end-all");
    expect(text(done)).toContain("Sign in");
    expect(await house.signIn.refreshTokenAlive(renewed)).toBeUndefined();
    expect(await house.signIn.alive(String(claims.sid), "assistant", house.now())).toEqual({ alive: false });
    const types = house.events.map(({ type }) => type);
    expect(types.filter((type) => type === "grant-ended")).toHaveLength(before);
    expect(types).toContain("session-ended");
  });
});

describe("forms of the account", () => {
  const POSTS = [
    "/passkeys",
    "/passkeys/rename",
    "/passkeys/remove",
    "/authenticator",
    "/authenticator/remove",
    "/recovery-codes",
    "/sessions/end",
    "/grants/end",
    "/end-all",
  ];

  it.each(POSTS)("%s: change nothing without the token of this session", async (path) => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const other = createUserAgent();
    const { values } = readForm(await openAccount(other, house, BOB));
    const before = house.events.length;
    for (const token of ["", "x".repeat(90), values.token ?? ""]) {
      expect((await send(browser, `${house.issuer}/account${path}`, { token })).status).toBe(403);
    }
    expect(house.events).toHaveLength(before);
  });

  it.each([{ "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }, { origin: "https://evil.example" }])(
    "change nothing when they come from elsewhere: %j",
    async (headers) => {
      const browser = createUserAgent();
      const { values } = readForm(await openAccount(browser, house, ALICE), undefined, "/end-all");
      const answer = await send(browser, `${house.issuer}/account/end-all`, values, headers);
      expect(answer.status).toBe(403);
      expect(text(await browser.go(`${house.issuer}/account`))).toContain("Your account");
    },
  );

  it("are refused when they are too large, or too old", async () => {
    const browser = createUserAgent();
    const { values } = readForm(await openAccount(browser, house, ALICE), undefined, "/end-all");
    const large = await send(browser, `${house.issuer}/account/end-all`, { ...values, more: "x".repeat(20_000) });
    expect(large.status).toBe(413);
    house.clock.offset = 3_601;
    expect((await send(browser, `${house.issuer}/account/end-all`, values)).status).toBe(403);
  });

  it.each(POSTS)("%s: can not be sent by a link", async (path) => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const before = house.events.length;
    const page = await browser.go(`${house.issuer}/account${path}`);
    expect([200, 404]).toContain(page.status);
    expect(house.events).toHaveLength(before);
  });
});

describe("when nothing can be put on record", () => {
  it("nothing changes in how somebody signs in, and what they end is over all the same", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const asks = await browser.go(`${house.issuer}/account/authenticator`);
    const secret = (/class="id secret">([^<]+)</.exec(asks.html)?.[1] ?? "").replaceAll(" ", "");
    const page = await browser.go(`${house.issuer}/account`);
    house.broken.record = true;
    expect((await browser.submit(asks, { code: codeOf(secret, house, -1) })).status).toBe(500);
    const ended = await browser.submit(page, {}, undefined, "/end-all");
    house.broken.record = false;
    expect(await house.store.factorsOf("alice")).toEqual([]);
    expect(text(ended)).toContain("Sign in");
    expect(house.faults.at(-1)).toMatchObject({ code: "record_failed" });
    expect(text(await browser.go(`${house.issuer}/account`))).not.toContain("Your account");
  });
});

describe("an authenticator app", () => {
  it("counts once a code of it was typed, and is then asked for after the password", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const setup = await browser.go(`${house.issuer}/account/authenticator`);
    expect(setup.html).toContain("<svg");
    const wrong = await browser.submit(setup, { code: "000000" });
    expect(wrong).toMatchObject({ status: 422, html: expect.stringContaining("This code is not right") });
    expect((await house.store.factorsOf("alice")).length).toBe(0);
    const { page, secret, recoveryCodes } = await setUpApp(browser, house);
    expect(page).toMatchObject({ status: 200, html: expect.stringContaining("not shown again") });
    expect(new Set(recoveryCodes).size).toBe(10);
    expect(house.events.at(-1)).toMatchObject({ type: "factor-added", factor: "totp", personId: "alice" });

    const asked = await ask(house);
    const fresh = createUserAgent();
    const code = await signInOnPage(fresh, asked.url);
    expect(text(code)).toContain("Code from your authenticator app");
    const { claims } = {
      claims: (await redeem(asked, await fresh.submit(code, { code: codeOf(secret, house) }))).claims(),
    };
    expect(claims).toMatchObject({ acr: "urn:credence:acr:mfa", amr: ["pwd", "otp", "mfa"] });
    expect(house.events.at(-1)).toMatchObject({ type: "sign-in-succeeded", methods: ["password", "totp"] });
  });

  it("keeps its secret sealed, and recovery codes hashed", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const { secret, recoveryCodes } = await setUpApp(browser, house);
    const kept = JSON.stringify(await house.store.factorsOf("alice"));
    expect(kept).not.toContain(secret);
    for (const code of recoveryCodes) {
      expect(kept).not.toContain(code);
      expect(kept).not.toContain(code.replaceAll("-", ""));
    }
  });

  it("can be removed, and its recovery codes with it", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const { secret } = await setUpApp(browser, house);
    // The password alone is not the strongest any more.
    const page = await browser.go(`${house.issuer}/account`);
    const code = await browser.submit(page, {}, undefined, "/authenticator/remove");
    expect(text(code)).toContain("Code from your authenticator app");
    const again = await browser.submit(code, { code: codeOf(secret, house) });
    expect(text(again)).toContain("now do it once more");
    const removed = await browser.submit(again, {}, undefined, "/authenticator/remove");
    expect(text(removed)).toContain("no longer asked for");
    expect(await house.store.factorsOf("alice")).toEqual([]);
    expect(house.events.at(-1)).toMatchObject({ type: "factor-removed", factor: "totp" });
  });

  it("is not set up twice, and not by somebody who signed in a while ago", async () => {
    const browser = createUserAgent();
    house.clock.offset = -301;
    await openAccount(browser, house, ALICE);
    house.clock.offset = 0;
    const page = await browser.go(`${house.issuer}/account/authenticator`);
    expect(page.url).toContain("/sign-in/");
    const setup = await browser.submit(await browser.submit(page, { email: ALICE.email }), { password: PASSWORD });
    expect(setup.url).toBe(`${house.issuer}/account/authenticator`);
    const form = readForm(setup);
    const secret = (/class="id secret">([^<]+)</.exec(setup.html)?.[1] ?? "").replaceAll(" ", "");
    await browser.submit(setup, { code: codeOf(secret, house, -1) });
    const second = await send(browser, form.action, { ...form.values, code: codeOf(secret, house) });
    expect(second.status).toBe(303);
    expect((await house.store.factorsOf("alice")).filter(({ kind }) => kind === "totp")).toHaveLength(1);
  });

  it("does not take the secret of another session's page", async () => {
    const eve = createUserAgent();
    await openAccount(eve, house, BOB);
    const theirs = readForm(await eve.go(`${house.issuer}/account/authenticator`));
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const mine = await browser.go(`${house.issuer}/account/authenticator`);
    await browser.submit(mine, { note: theirs.values.note ?? "", code: "123456" });
    expect(await house.store.factorsOf("alice")).toEqual([]);
  });

  it("gives new recovery codes in place of the old ones", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const { secret, recoveryCodes } = await setUpApp(browser, house);
    const page = await browser.go(`${house.issuer}/account`);
    const code = await browser.submit(page, {}, undefined, "/recovery-codes");
    const again = await browser.submit(code, { code: codeOf(secret, house) });
    const renewed = await browser.submit(again, {}, undefined, "/recovery-codes");
    expect(text(renewed)).toContain("worth nothing now");
    const fresh = createUserAgent();
    const asked = await ask(house);
    const step = await signInOnPage(fresh, asked.url);
    const old = await fresh.submit(step, { code: recoveryCodes[0] ?? "" });
    expect(old.status).toBe(422);
    const [, next = ""] = /<li class="id">([\w-]+)</.exec(renewed.html) ?? [];
    expect((await fresh.submit(old, { code: next })).left).toBeDefined();
  });
});
