import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { codeOf, openAccount, setUpApp } from "../account.testing.ts";
import { PASSWORD, startHouse, type TestHouse } from "../house.testing.ts";
import { ask, redeem, signIn, signInOnPage, typeIn } from "../journeys.testing.ts";
import { createUserAgent, type Page, type UserAgent } from "../user-agent.testing.ts";

const MFA = "urn:credence:acr:mfa";
const ALICE = { email: "alice@acme.example", password: PASSWORD };
const BOB = { email: "bob@acme.example", password: PASSWORD };

let house: TestHouse;
beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house.stop());
beforeEach(async () => {
  house.clock.offset = 0;
  delete house.clock.stopped;
  for (const id of ["alice", "bob"]) await house.store.removeFactors(id);
  house.events.splice(0);
});

/** Alice, signed in by her password in a browser in which she then sets an app up. */
async function withApp(browser: UserAgent = createUserAgent()) {
  await openAccount(browser, house, ALICE);
  return { browser, ...(await setUpApp(browser, house)) };
}

/** An agent asks for more in this browser. */
async function asksMore(browser: UserAgent, parameters: Record<string, string> = { acr_values: MFA }) {
  const asked = await ask(house, { parameters });
  return { asked, page: await browser.go(asked.url.href) };
}

const post = (browser: UserAgent, url: string, body: Record<string, string>) =>
  fetch(url, {
    method: "POST",
    body: new URLSearchParams(body),
    headers: { cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
    redirect: "manual",
  });
const isFirstStep = ({ html }: Page) => html.includes('type="email" autocomplete="username" inputmode');

describe("a second step", () => {
  it.each(["code", "passkey", "unmet"])("can not be the first: /%s leads to the email", async (step) => {
    const browser = createUserAgent();
    const first = await browser.go((await ask(house)).url.href);
    expect(isFirstStep(await browser.go(`${first.url}/${step}`))).toBe(true);
    if (step === "unmet") return;
    const posted = await post(browser, `${first.url}/${step}`, { code: "123456", answer: "{}" });
    expect([303, 422]).toContain(posted.status);
    expect(house.events.some(({ type }) => type === "sign-in-succeeded")).toBe(false);
  });

  it("is not passed by the password alone: nobody is signed in before it", async () => {
    const { secret } = await withApp();
    house.events.splice(0);
    const browser = createUserAgent();
    const asked = await ask(house);
    const code = await signInOnPage(browser, asked.url);
    expect(code.url).toMatch(/\/code$/);
    expect(isFirstStep(await browser.go(`${house.issuer}/account`))).toBe(true);
    expect(house.events).toEqual([]);
    const done = await browser.submit(await browser.go(code.url).then(() => code), { code: codeOf(secret, house) });
    expect(done.status).toBe(400);
  });

  it("has to come within ten minutes of the first", async () => {
    const { secret } = await withApp();
    const browser = createUserAgent();
    const code = await signInOnPage(browser, (await ask(house)).url);
    house.clock.offset = 600;
    expect(isFirstStep(await browser.submit(code, { code: codeOf(secret, house) }))).toBe(true);
  });

  it("is forgotten when somebody starts over", async () => {
    const { secret } = await withApp();
    const browser = createUserAgent();
    const first = await browser.go((await ask(house)).url.href);
    const code = await typeIn(browser, first, ALICE.email);
    await browser.submit(first, { email: "bob@acme.example" });
    expect(isFirstStep(await browser.submit(code, { code: codeOf(secret, house) }))).toBe(true);
  });

  it("takes a code once: who looks over a shoulder comes too late", async () => {
    const { secret } = await withApp();
    const code = codeOf(secret, house);
    const [first, second] = [createUserAgent(), createUserAgent()];
    const mine = await signInOnPage(first, (await ask(house)).url);
    const theirs = await signInOnPage(second, (await ask(house)).url);
    expect((await first.submit(mine, { code })).left).toBeDefined();
    const late = await second.submit(theirs, { code });
    expect(late).toMatchObject({ status: 422, html: expect.stringContaining("used already") });
    expect(house.events.at(-1)).toMatchObject({ type: "sign-in-failed", why: "code-used", personId: "alice" });
  });
});

describe("more for somebody who is signed in", () => {
  it("is the missing factor alone, and the same session has it", async () => {
    const { browser, claims } = await signIn(house);
    const { secret } = await setUpApp(browser, house);
    const { asked, page } = await asksMore(browser);
    expect(page.url).toMatch(/\/code$/);
    expect(page.html).toContain(ALICE.email);
    const stronger = (await redeem(asked, await browser.submit(page, { code: codeOf(secret, house) }))).claims();
    expect(stronger).toMatchObject({ acr: MFA, sid: claims.sid });
    expect(await house.signIn.alive(String(claims.sid), "assistant", house.now())).toMatchObject({ acr: MFA });
  });

  it("is everything, when the first factor has become too old on the way", async () => {
    const { browser, secret } = await withApp();
    const { page } = await asksMore(browser, { acr_values: MFA, max_age: "60" });
    expect(page.url).toMatch(/\/code$/);
    house.clock.offset = 61;
    expect(isFirstStep(await browser.submit(page, { code: codeOf(secret, house) }))).toBe(true);
    expect(house.events.filter(({ type }) => type === "sign-in-succeeded")).toHaveLength(1);
  });

  it("is nothing, when the session was ended on the way", async () => {
    const { browser, secret } = await withApp();
    const { page } = await asksMore(browser);
    const tab = createUserAgent();
    for (const [name, value] of browser.cookies) tab.cookies.set(name, value);
    await tab.submit(await tab.go(`${house.issuer}/account`), {}, undefined, "/end-all");
    const after = await browser.submit(page, { code: codeOf(secret, house) });
    expect(after).toMatchObject({ status: 400, html: expect.stringContaining("This sign-in has expired") });
  });

  it("begins with the first step, when the person is disabled on the way", async () => {
    const { browser } = await withApp();
    const { page } = await asksMore(browser);
    const enable = (enabled: boolean) =>
      house.change((organization) => ({
        ...organization,
        people: organization.people.map((one) => (one.id === "alice" ? { ...one, enabled } : one)),
      }));
    await enable(false);
    expect(isFirstStep(await browser.go(page.url))).toBe(true);
    await enable(true);
  });

  it("is nothing for who is somebody else: they sign in, and the session that there was is over", async () => {
    const { browser, claims } = await signIn(house);
    await setUpApp(browser, house);
    const bob = createUserAgent();
    await openAccount(bob, house, BOB);
    const { secret } = await setUpApp(bob, house);
    const { asked, page } = await asksMore(browser);
    const other = /href="([^"]*as=somebody-else)"/.exec(page.html)?.[1] ?? "";
    const first = await browser.go(new URL(other, house.issuer).href);
    const code = await typeIn(browser, first, BOB.email);
    expect(await house.signIn.alive(String(claims.sid), "assistant", house.now())).toMatchObject({ alive: true });
    const done = await redeem(asked, await browser.submit(code, { code: codeOf(secret, house) }));
    expect(done.claims()).toMatchObject({ sub: "bob", acr: MFA });
    expect(await house.signIn.alive(String(claims.sid), "assistant", house.now())).toEqual({ alive: false });
  });

  it("can be had after setting it up: the page of the sign-in goes on where it was", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const { asked, page } = await asksMore(browser);
    expect(page.url).toMatch(/\/unmet$/);
    const { secret } = await setUpApp(browser, house);
    const code = await browser.go(page.url.replace(/\/unmet$/, ""));
    expect(code.url).toMatch(/\/code$/);
    const done = await browser.submit(code, { code: codeOf(secret, house) });
    expect((await redeem(asked, done)).claims()).toMatchObject({ acr: MFA });
  });
});

describe("guessing codes", () => {
  it("makes who guesses wait, though they know the password", async () => {
    const bob = createUserAgent();
    await openAccount(bob, house, BOB);
    await setUpApp(bob, house);
    const browser = createUserAgent();
    // So that no second passes, in which the next could be tried.
    house.clock.stopped = house.now();
    let last = await signInOnPage(browser, (await ask(house)).url, BOB.email);
    const code = last;
    for (let n = 0; n < 7; n++) last = await browser.submit(code, { code: "000000" });
    expect(last).toMatchObject({ status: 429, html: expect.stringContaining("too many attempts") });
    expect(last.headers.get("retry-after")).toMatch(/^\d+$/);
    // The right password again does not make the count start anew.
    const again = await signInOnPage(createUserAgent(), (await ask(house)).url, BOB.email);
    expect((await browser.submit(code, { code: "000000" })).status).toBe(429);
    expect(again.url).toMatch(/\/code$/);
  });
});
