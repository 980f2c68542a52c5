import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openAccount, passkeyOptions, setUpApp } from "../account.testing.ts";
import {
  type AskedOptions,
  type Behaviour,
  type SoftAuthenticator,
  softAuthenticator,
} from "../authenticator.testing.ts";
import { PASSWORD, startHouse, type TestHouse } from "../house.testing.ts";
import { ask, redeem, signInOnPage } from "../journeys.testing.ts";
import { createUserAgent, type Page, readForm, type UserAgent } from "../user-agent.testing.ts";

const ALICE = { email: "alice@acme.example", password: PASSWORD };
const BOB = { email: "bob@acme.example", password: PASSWORD };

let house: TestHouse;
beforeAll(async () => {
  house = await startHouse({ host: "localhost" });
});
afterAll(() => house.stop());
beforeEach(async () => {
  house.clock.offset = 0;
  delete house.clock.stopped;
  for (const id of ["alice", "bob"]) await house.store.removeFactors(id);
  house.events.splice(0);
});

// Made by the library on our page: the authenticator looks at these members alone.
const optionsOf = (page: Page) => passkeyOptions(page) as unknown as AskedOptions;

/** Enrols a passkey for somebody; gives what signs with it. */
async function enrol(
  who = ALICE,
  behaviour: Behaviour = {},
  browser: UserAgent = createUserAgent(),
): Promise<SoftAuthenticator & { readonly page: Page }> {
  const authenticator = softAuthenticator(house.issuer);
  await openAccount(browser, house, who);
  const asks = await browser.go(`${house.issuer}/account/passkeys/new`);
  const answer = authenticator.create(optionsOf(asks), behaviour);
  return { ...authenticator, page: await browser.submit(asks, { name: "My phone", answer }) };
}

/** The first page of a sign-in, and what it asks of passkeys. */
async function firstStep(parameters: Record<string, string> = {}) {
  const browser = createUserAgent();
  const asked = await ask(house, { parameters });
  const page = await browser.go(asked.url.href);
  return { browser, asked, page };
}

/** Answers a page with what a passkey signed. */
const answerWith = (browser: UserAgent, page: Page, answer: string) =>
  browser.submit(page, { answer }, undefined, "/passkey");

const failures = () => house.events.flatMap((event) => (event.type === "sign-in-failed" ? [event] : []));

describe("a passkey", () => {
  it("is made on the page of one's own account, for this server and this person, verified", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const page = await browser.go(`${house.issuer}/account/passkeys/new`);
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
    expect(page.html).toMatch(/<script src="\/assets\/passkeys-[\w-]+\.js" defer><\/script>/);
    const options = passkeyOptions(page);
    expect(options).toMatchObject({
      rp: { id: "localhost", name: "Acme" },
      user: { name: "alice@acme.example", displayName: "Alice" },
      attestation: "none",
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
    });
    expect(JSON.stringify(options)).not.toContain(Buffer.from("alice").toString("base64url"));
  });

  it.each([
    [true, "phr", ["swk", "user", "mfa"], "passkey"],
    [false, "phrh", ["hwk", "user", "mfa"], "device-bound-passkey"],
  ])("signs somebody in without email or password; backed up: %s", async (backupEligible, acr, amr, method) => {
    const { page: account, ...passkey } = await enrol(ALICE, { backupEligible });
    expect(account.html).toContain("The passkey is yours");
    const { browser, asked, page } = await firstStep();
    const done = await answerWith(browser, page, passkey.get(optionsOf(page), { backupEligible }));
    expect((await redeem(asked, done)).claims()).toMatchObject({ sub: "alice", acr, amr });
    expect(house.events.filter(({ type }) => type !== "sign-in-succeeded")).toMatchObject([
      { type: "factor-added", factor: "passkey", personId: "alice" },
    ]);
    expect(house.events.at(-1)).toMatchObject({ type: "sign-in-succeeded", personId: "alice", methods: [method] });
  });

  it("is asked of everybody alike in the first step: the page says nothing of who has any", async () => {
    await enrol();
    const { page, browser } = await firstStep({ login_hint: ALICE.email });
    expect(passkeyOptions(page).allowCredentials).toEqual([]);
    const password = await browser.submit(page, { email: ALICE.email });
    expect(password.html).not.toContain("data-passkey");
    const nobody = await firstStep({ login_hint: "nobody@acme.example" });
    expect(nobody.page.html.match(/data-passkey="get"/g)).toHaveLength(1);
  });

  it("can stand in for the app's code, after the password", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const asks = await browser.go(`${house.issuer}/account/passkeys/new`);
    const passkey = softAuthenticator(house.issuer);
    await setUpApp(browser, house);
    // Enrolled by hand: the app is the stronger of the two by now.
    expect((await browser.submit(asks, { name: "Key", answer: passkey.create(optionsOf(asks)) })).url).toContain(
      "/code",
    );
    const other = await enrol(BOB);
    const fresh = createUserAgent();
    const asked = await ask(house, { parameters: { acr_values: "phr" } });
    const step = await signInOnPage(fresh, asked.url, BOB.email);
    expect(step.url).toMatch(/\/passkey$/);
    expect(passkeyOptions(step).allowCredentials).toMatchObject([{ id: other.id }]);
    const done = await answerWith(fresh, step, other.get(optionsOf(step)));
    expect((await redeem(asked, done)).claims()).toMatchObject({ sub: "bob", acr: "phr" });
  });

  it("can be renamed, and removed: then it signs nobody in", async () => {
    const browser = createUserAgent();
    const passkey = await enrol(ALICE, {}, browser);
    // From now on nothing weaker than the passkey changes anything.
    const step = await browser.submit(passkey.page, { name: "The blue one" }, undefined, "/passkeys/rename");
    expect(step.url).toMatch(/\/passkey$/);
    const again = await answerWith(browser, step, passkey.get(optionsOf(step)));
    const renamed = await browser.submit(again, { name: "The blue one" }, undefined, "/passkeys/rename");
    expect(renamed.html).toContain("The blue one");
    const removed = await browser.submit(renamed, {}, undefined, "/passkeys/remove");
    expect(removed.html).toContain("no longer signs you in");
    expect(house.events.map(({ type }) => type).slice(-2)).toEqual(["factor-changed", "factor-removed"]);
    const { browser: later, page } = await firstStep();
    expect((await answerWith(later, page, passkey.get(optionsOf(page)))).status).toBe(422);
    expect(failures()).toMatchObject([{ why: "passkey-unknown" }]);
  });

  it("of a disabled person signs nobody in", async () => {
    const passkey = await enrol(BOB);
    const enable = (enabled: boolean) =>
      house.change((document) => ({
        ...document,
        people: document.people.map((person) => (person.id === "bob" ? { ...person, enabled } : person)),
      }));
    await enable(false);
    const { browser, page } = await firstStep();
    expect((await answerWith(browser, page, passkey.get(optionsOf(page)))).status).toBe(422);
    expect(failures()).toMatchObject([{ why: "person-disabled", personId: "bob" }]);
    await enable(true);
  });
});

describe("a passkey's answer is refused", () => {
  it.each<[string, Behaviour, string]>([
    ["from another origin", { origin: "https://evil.example" }, "origin"],
    ["for another server", { rpId: "evil.example" }, "RP ID"],
    ["to a challenge that we did not give", { challenge: Buffer.from("guess").toString("base64url") }, "challenge"],
    ["without user verification", { userVerified: false }, "verification"],
    ["of another kind", { type: "webauthn.create" }, "type"],
    ["with a signature over something else", { forged: true }, "signature"],
    ["for somebody else's account", { userHandle: Buffer.from("bob").toString("base64url") }, "user handle"],
    ["by a passkey that can be backed up no more", { backupEligible: false }, "backup eligibility"],
  ])("%s", async (_, behaviour, detail) => {
    const passkey = await enrol();
    const { browser, page } = await firstStep();
    const refused = await answerWith(browser, page, passkey.get(optionsOf(page), behaviour));
    expect(refused).toMatchObject({ status: 422, html: expect.stringContaining("was not accepted") });
    expect(failures()).toMatchObject([{ why: "passkey-refused", personId: "alice" }]);
    expect(failures()[0]?.detail).toContain(detail);
    expect(failures()[0]?.detail).not.toContain("evil");
  });

  it("when it comes a second time, and in another sign-in", async () => {
    const passkey = await enrol();
    const { browser, page } = await firstStep();
    const answer = passkey.get(optionsOf(page));
    const other = await firstStep();
    expect((await answerWith(other.browser, other.page, answer)).status).toBe(422);
    expect((await answerWith(browser, page, answer)).left).toBeDefined();
    const again = await firstStep();
    expect((await answerWith(again.browser, again.page, answer)).status).toBe(422);
    expect(failures()).toHaveLength(2);
  });

  it("when the same challenge is answered twice in one sign-in", async () => {
    const passkey = await enrol();
    const { browser, page } = await firstStep();
    const wrong = passkey.get(optionsOf(page), { forged: true });
    expect((await answerWith(browser, page, wrong)).status).toBe(422);
    expect((await answerWith(browser, page, passkey.get(optionsOf(page)))).status).toBe(422);
  });

  it("when the page was open for too long", async () => {
    const passkey = await enrol();
    const { browser, page } = await firstStep();
    // Somebody has typed something: else the sign-in itself would be over.
    await browser.submit(page, { email: ALICE.email });
    house.clock.offset = 901;
    expect((await answerWith(browser, page, passkey.get(optionsOf(page)))).status).toBe(422);
  });

  it("when its counter does not rise: there may be a copy of it", async () => {
    const passkey = await enrol(ALICE, { counter: 7 });
    for (const [counter, taken] of [
      [8, true],
      [8, false],
      [3, false],
      [0, false],
      [9, true],
    ] as const) {
      const { browser, page } = await firstStep();
      const done = await answerWith(browser, page, passkey.get(optionsOf(page), { counter }));
      expect([counter, done.left !== undefined]).toEqual([counter, taken]);
    }
    expect(failures().map(({ why }) => why)).toEqual(["passkey-counter", "passkey-counter", "passkey-counter"]);
  });

  it("when it is another person's than the one whose password was typed", async () => {
    await enrol(ALICE);
    const bobs = await enrol(BOB);
    const browser = createUserAgent();
    const asked = await ask(house, { parameters: { acr_values: "phr" } });
    const step = await signInOnPage(browser, asked.url, ALICE.email);
    expect((await answerWith(browser, step, bobs.get(optionsOf(step)))).status).toBe(422);
    expect(failures()).toMatchObject([{ why: "passkey-refused", personId: "bob", detail: "another person" }]);
  });

  it.each(["", "{", "[]", '{"id":"x"}', JSON.stringify({ id: "x".repeat(9_000) })])(
    "as nonsense: %.20s",
    async (text) => {
      const { browser, page } = await firstStep();
      expect((await answerWith(browser, page, text)).status).toBe(422);
      expect(failures()).toMatchObject([{ why: "passkey-refused", detail: "malformed" }]);
    },
  );

  it("more and more slowly from one sign-in", async () => {
    const { browser, page } = await firstStep();
    house.clock.stopped = house.now();
    let last = page;
    for (let n = 0; n < 8; n++) last = await answerWith(browser, page, "{}");
    expect(last).toMatchObject({ status: 429, html: expect.stringContaining("too many attempts") });
  });
});

describe("enrolling a passkey is refused", () => {
  it.each<[string, Behaviour]>([
    ["from another origin", { origin: "https://evil.example" }],
    ["for another server", { rpId: "evil.example" }],
    ["to another challenge", { challenge: Buffer.from("guess").toString("base64url") }],
    ["without user verification", { userVerified: false }],
    ["with what signs people in", { type: "webauthn.get" }],
  ])("%s", async (_, behaviour) => {
    const { page } = await enrol(ALICE, behaviour);
    expect(page).toMatchObject({ status: 422, html: expect.stringContaining("not what was asked for") });
    expect(await house.store.factorsOf("alice")).toEqual([]);
  });

  it("without a name, and a second time", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const asks = await browser.go(`${house.issuer}/account/passkeys/new`);
    const answer = softAuthenticator(house.issuer).create(optionsOf(asks));
    expect((await browser.submit(asks, { name: " ", answer })).status).toBe(422);
    expect((await browser.submit(asks, { name: "Key", answer })).html).toContain("The passkey is yours");
  });

  it("when somebody has that very passkey already", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const authenticator = softAuthenticator(house.issuer);
    const asks = await browser.go(`${house.issuer}/account/passkeys/new`);
    await browser.submit(asks, { name: "Key", answer: authenticator.create(optionsOf(asks)) });
    const bob = createUserAgent();
    await openAccount(bob, house, BOB);
    const theirs = await bob.go(`${house.issuer}/account/passkeys/new`);
    const page = await bob.submit(theirs, { name: "Key", answer: authenticator.create(optionsOf(theirs)) });
    expect(page).toMatchObject({ status: 422, html: expect.stringContaining("in use already") });
    expect(await house.store.factorsOf("bob")).toEqual([]);
  });

  it("by an answer to another session's page", async () => {
    const bob = createUserAgent();
    await openAccount(bob, house, BOB);
    const theirs = await bob.go(`${house.issuer}/account/passkeys/new`);
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const mine = await browser.go(`${house.issuer}/account/passkeys/new`);
    const answer = softAuthenticator(house.issuer).create(optionsOf(theirs));
    expect((await browser.submit(mine, { name: "Key", answer })).status).toBe(422);
    expect(await house.store.factorsOf("alice")).toEqual([]);
  });

  it("when the sign-in is older than five minutes", async () => {
    const browser = createUserAgent();
    await openAccount(browser, house, ALICE);
    const asks = await browser.go(`${house.issuer}/account/passkeys/new`);
    const form = readForm(asks);
    house.clock.offset = 301;
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const body = new URLSearchParams({
      ...form.values,
      name: "Key",
      answer: softAuthenticator(house.issuer).create(optionsOf(asks)),
    });
    const answer = await fetch(form.action, { method: "POST", body, headers: { cookie }, redirect: "manual" });
    expect(answer.headers.get("location")).toContain("/authorize?");
    expect(await house.store.factorsOf("alice")).toEqual([]);
  });
});

describe("where the server has an address and no name", () => {
  it("there are no passkeys, and the account says why", async () => {
    const bare = await startHouse();
    const browser = createUserAgent();
    const account = await openAccount(browser, bare, ALICE);
    expect(account.html).toContain("passkeys need a server with a name");
    const page = await browser.go(`${bare.issuer}/account/passkeys/new`);
    expect(page.html).toContain("This server has only an address");
    const first = await createUserAgent().go((await ask(bare)).url.href);
    expect(first.html).not.toContain("<script");
    expect(first.html).not.toContain("passkey");
    await bare.stop();
  });
});
