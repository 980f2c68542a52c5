import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { agent, CALLBACK, PASSWORD, startHouse, type TestHouse } from "../house.testing.ts";
import { ask, redeem } from "../journeys.testing.ts";
import { createUserAgent, type Page, type UserAgent } from "../user-agent.testing.ts";

const ALICE = "alice@acme.example";

let house: TestHouse;
beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house.stop());
beforeEach(() => house.events.splice(0));

/** Goes to the first step, as an agent sends people there. */
async function toEmail(browser: UserAgent, parameters: Record<string, string> = {}, id = "assistant"): Promise<Page> {
  return browser.go((await ask(house, { id, parameters })).url.href);
}

/** Goes on to the second. */
async function toPassword(browser: UserAgent, email = ALICE): Promise<Page> {
  return browser.submit(await toEmail(browser), { email });
}

function post(page: Page, body: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(page.url, { method: "POST", body: new URLSearchParams(body), headers, redirect: "manual" });
}

function cookiesOf({ cookies }: UserAgent): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
}

describe.each([
  ["email", toEmail],
  ["password", toPassword],
])("the form for the %s", (_name, goTo) => {
  const typed = { email: ALICE, password: PASSWORD, intent: "go-on" };

  it("does not work without its cookie", async () => {
    const answer = await post(await goTo(createUserAgent()), typed);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("expired");
  });

  it("does not work in another browser, which is in a sign-in of its own", async () => {
    const page = await goTo(createUserAgent());
    const stranger = createUserAgent();
    await toPassword(stranger, "bob@acme.example");
    const cookie = cookiesOf(stranger);
    expect((await fetch(page.url, { headers: { cookie }, redirect: "manual" })).status).toBe(400);
    expect((await post(page, typed, { cookie })).status).toBe(400);
  });

  it.each(["cross-site", "same-site", "none"])("does not work when it comes from elsewhere: %s", async (site) => {
    const browser = createUserAgent();
    const page = await goTo(browser);
    const answer = await post(page, typed, { cookie: cookiesOf(browser), "sec-fetch-site": site });
    expect(answer.status).toBe(403);
    expect(house.events).toEqual([]);
  });

  it("refuses what is too large", async () => {
    const browser = createUserAgent();
    const page = await browser.submit(await goTo(browser), { ...typed, more: "x".repeat(20_000) });
    expect(page.status).toBe(413);
  });

  it("can be cancelled, and the agent is told", async () => {
    const browser = createUserAgent();
    const page = await browser.submit(await goTo(browser), {}, "cancel");
    expect(page.left?.searchParams.get("error")).toBe("access_denied");
  });

  it("is never kept, framed, or told on; and may lead to the agent alone", async () => {
    const { headers } = await goTo(createUserAgent());
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    const policy = headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain(`form-action 'self' ${new URL(CALLBACK).origin}`);
    expect(policy).not.toContain("unsafe");
  });

  it("is gone when the agent is", async () => {
    await house.change((document) => ({ ...document, agents: [...document.agents, agent("brief")] }));
    const browser = createUserAgent();
    const first = await toEmail(browser, {}, "brief");
    await browser.submit(first, { email: ALICE });
    await house.change((document) => ({ ...document, agents: document.agents.filter(({ id }) => id !== "brief") }));
    for (const url of [first.url, `${first.url}/password`]) {
      expect(await browser.go(url)).toMatchObject({ status: 400, html: expect.stringContaining("not known here") });
    }
  });
});

describe("the first step", () => {
  it("asks for the email alone, and fills in what the agent suggests", async () => {
    const page = await toEmail(createUserAgent(), { login_hint: "bob@acme.example" });
    expect(page.html).toContain('value="bob@acme.example"');
    expect(page.html).not.toContain('type="password"');
  });

  it("leads everybody to the same page, and looks nobody up", async () => {
    const lookUp = vi.spyOn(house.store, "personByEmail");
    const people = [ALICE, "nobody@acme.example", "gone@acme.example", "robot@acme.example"];
    const seen = await Promise.all(
      people.map(async (email) => {
        const { html, status, url } = await toPassword(createUserAgent(), email);
        expect(html).toContain(email);
        const uid = url.split("/").at(-2) ?? "";
        const reference = /class="id">([\w-]{11})</.exec(html)?.[1] ?? "";
        const page = html.replaceAll(email, "EMAIL").replaceAll(uid, "UID").replaceAll(reference, "REFERENCE");
        return { status, page };
      }),
    );
    expect(seen[0]?.status).toBe(200);
    for (const other of seen) expect(other).toEqual(seen[0]);
    expect(lookUp).not.toHaveBeenCalled();
    expect(house.events).toEqual([]);
  });

  it("takes no notice of a password, right or wrong", async () => {
    const browser = createUserAgent();
    const page = await browser.submit(await toEmail(browser), { email: ALICE, password: PASSWORD });
    expect(page).toMatchObject({ status: 200, html: expect.stringContaining('type="password"') });
    expect(page.html).not.toContain(PASSWORD);
    expect(house.events).toEqual([]);
  });

  it.each(["", "   "])("is shown again when %j is all that is typed, whatever the agent suggests", async (email) => {
    const browser = createUserAgent();
    const page = await browser.submit(await toEmail(browser, { login_hint: ALICE }), { email });
    expect(page).toMatchObject({ status: 422, html: expect.stringContaining("Type your email") });
    expect(page.html).not.toContain(ALICE);
    expect(page.html).not.toContain('type="password"');
  });

  it.each([
    [CALLBACK, true],
    ["http://localhost:4999/callback", true],
    ["com.acme.desktop:/callback", true],
    ["https://agent.example/callback", false],
  ])("says where a redirect stays on this computer, and what that means: %s", async (redirectUri, care) => {
    const id = `care-${redirectUri.length}`;
    const redirectUris = [redirectUri];
    await house.change((document) => ({ ...document, agents: [...document.agents, agent(id, { redirectUris })] }));
    const browser = createUserAgent();
    const first = await browser.go((await ask(house, { id, redirectUri })).url.href);
    const second = await browser.submit(first, { email: ALICE });
    for (const { html } of [first, second]) {
      expect(html.includes("Any program on this computer could be waiting there")).toBe(care);
    }
  });

  it("shows what others wrote as text, and no more than an email can have", async () => {
    const nasty = `"><script>alert(1)</script>`;
    await house.change((document) => ({ ...document, agents: [...document.agents, agent("nasty", { name: nasty })] }));
    const browser = createUserAgent();
    const first = await toEmail(browser, { login_hint: nasty + "x".repeat(1000) }, "nasty");
    const second = await browser.submit(first);
    for (const { html } of [first, second]) {
      expect(html).not.toContain("<script");
      expect(html.split("&lt;script&gt;").length).toBeGreaterThan(2);
      expect(html).not.toContain("x".repeat(320));
    }
  });
});

describe("the second step", () => {
  it("shows whose password it asks for, and a way back where that can be changed", async () => {
    const browser = createUserAgent();
    const first = await toEmail(browser, { login_hint: "bob@acme.example" });
    const second = await browser.submit(first, { email: ` ${ALICE} ` });
    expect(second.html).toContain(`<span class="email">${ALICE}</span>`);
    expect(second.html).toContain(`href="${new URL(first.url).pathname}"`);
    expect((await browser.go(first.url)).html).toContain(`value="${ALICE}"`);
  });

  it("takes whom the page shows, not an email that is posted with the password", async () => {
    const browser = createUserAgent();
    const asked = await ask(house);
    const second = await browser.submit(await browser.go(asked.url.href), { email: "bob@acme.example" });
    const done = await browser.submit(second, { email: ALICE, password: PASSWORD });
    expect((await redeem(asked, done)).claims()?.sub).toBe("bob");
  });

  it("leads back to the first when nobody has typed an email, and tries no password", async () => {
    const browser = createUserAgent();
    const first = await toEmail(browser);
    const back = await browser.go(`${first.url}/password`);
    expect(back).toMatchObject({ url: first.url, status: 200 });
    const posted = await post(
      { ...first, url: `${first.url}/password` },
      { email: ALICE, password: PASSWORD },
      {
        cookie: cookiesOf(browser),
      },
    );
    expect(posted.status).toBe(303);
    expect(posted.headers.get("location")).toBe(new URL(first.url).pathname);
    expect(house.events).toEqual([]);
  });

  it("counts no more once somebody starts over, before the agent has its answer", async () => {
    const browser = createUserAgent();
    const first = await toEmail(browser);
    const second = await browser.submit(first, { email: ALICE });
    const answer = await post(second, { password: PASSWORD }, { cookie: cookiesOf(browser) });
    expect(answer.status).toBe(303);
    await browser.submit(first, { email: "bob@acme.example" });
    const resumed = await browser.go(answer.headers.get("location") ?? "");
    expect(resumed.left).toBeUndefined();
    expect(resumed).toMatchObject({ status: 200, html: expect.stringContaining('value="bob@acme.example"') });
  });

  it("signs nobody in in another browser, though that one began it and its cookies were planted here", async () => {
    const eve = createUserAgent();
    const first = await toEmail(eve);
    const victim = createUserAgent();
    for (const [name, value] of eve.cookies) victim.cookies.set(name, value);
    const answer = await post(
      await victim.submit(first, { email: ALICE }),
      { password: PASSWORD },
      { cookie: cookiesOf(victim) },
    );
    const returnTo = new URL(answer.headers.get("location") ?? "").href;
    const stolen = await eve.go(returnTo);
    expect(stolen).toMatchObject({ status: 400, html: expect.stringContaining("expired") });
    expect((await eve.go(`${house.issuer}/account`)).url).toContain("/sign-in/");
    const [cookie = ""] = (answer.headers.getSetCookie()[0] ?? "").split(";");
    const back = await fetch(returnTo, { headers: { cookie: `${cookiesOf(victim)}; ${cookie}` }, redirect: "manual" });
    expect(new URL(back.headers.get("location") ?? "").searchParams.get("code")).toBeTruthy();
  });

  it.each([
    [295, true],
    [300, false],
  ])("signs in who comes back %d seconds after it: %s", async (later, good) => {
    const browser = createUserAgent();
    const now = house.now();
    house.clock.stopped = now;
    const answer = await post(await toPassword(browser), { password: PASSWORD }, { cookie: cookiesOf(browser) });
    const [cookie = ""] = (answer.headers.getSetCookie()[0] ?? "").split(";");
    house.clock.stopped = now + later;
    const headers = { cookie: `${cookiesOf(browser)}; ${cookie}` };
    const back = await fetch(answer.headers.get("location") ?? "", { headers, redirect: "manual" });
    delete house.clock.stopped;
    expect(back.headers.has("location")).toBe(good);
  });

  it("signs nobody in when that can not be put on record", async () => {
    const browser = createUserAgent();
    house.broken.record = true;
    const page = await browser.submit(await toPassword(browser), { password: PASSWORD });
    house.broken.record = false;
    expect(page).toMatchObject({ status: 500, html: expect.stringContaining("does not work at the moment") });
    expect(page.left).toBeUndefined();
    expect(await browser.go(`${house.issuer}/account`)).toMatchObject({ html: expect.stringContaining("Sign in") });
  });

  it("keeps the email out of URLs, and unreadable in the store", async () => {
    const email = "somebody.in.particular@acme.example";
    const page = await toPassword(createUserAgent(), email);
    expect(page.url).toMatch(/\/sign-in\/[\w-]+\/password$/);
    const directory = dirname(house.storeFile);
    const files = await Promise.all((await readdir(directory)).map((name) => readFile(join(directory, name))));
    expect(files.some((bytes) => bytes.includes("Interaction"))).toBe(true);
    expect(files.some((bytes) => bytes.includes(email))).toBe(false);
  });
});
