/** What a web application has to see to: whose sign-in it is, and who may end it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { json } from "../../../packages/client/src/testing/http.testing.ts";
import { startWorld, type World, walk } from "../../../packages/client/src/testing/world.testing.ts";
import { createWebAgent } from "./app.ts";

const origin = "https://assistant.example";
let world: World;
let app: ReturnType<typeof createWebAgent>;
beforeEach(async () => {
  world = await startWorld();
  app = createWebAgent({ agent: world.agent(), origin, api: world.url, cookieSecret: "a secret of the application" });
});
afterEach(() => world.close());

/** A browser with one cookie. */
function openBrowser() {
  let cookie = "";
  const load = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const response = await app.request(`${origin}${path}`, { ...init, headers: { ...init.headers, cookie } });
    const [set] = response.headers.getSetCookie();
    if (set) cookie = set.split(";")[0] ?? "";
    return response;
  };
  return {
    load,
    cookie: () => cookie,
    /** To the IdP and back: the path that the browser comes back to. */
    async goToIdp(): Promise<string> {
      const { pathname, search } = new URL(await walk((await load("/sign-in")).headers.get("location") ?? ""));
      return pathname + search;
    },
  };
}

async function signedIn() {
  const browser = openBrowser();
  expect((await browser.load(await browser.goToIdp())).headers.get("location")).toBe("/entries");
  return browser;
}

describe("the web application", () => {
  it("signs a person in and shows what the app gives, escaped", async () => {
    world.app.serve = () => json({ text: "<script>alert(1)</script>" });
    const answer = await (await signedIn()).load("/entries");
    const text = await answer.text();
    expect([answer.status, text.includes("<script>")]).toEqual([200, false]);
    expect(text).toContain("&lt;script&gt;");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("shows a denial with its decision, and offers no other way", async () => {
    world.idp.refuse = () => json({ error: "access_denied", decision_id: "d-1" }, 400);
    const answer = await (await signedIn()).load("/entries");
    const text = await answer.text();
    expect(answer.status).toBe(403);
    expect(text).toContain("decision d-1");
    expect(text).not.toContain("/sign-in");
  });

  it("carries a step-up into the next sign-in", async () => {
    const body = { error: "insufficient_user_authentication", max_age: 60, acr_values: "urn:mfa" };
    world.idp.refuse = () => json(body, 400);
    const browser = await signedIn();
    expect((await browser.load("/entries")).status).toBe(401);
    const asked = new URL((await browser.load("/sign-in")).headers.get("location") ?? "").searchParams;
    expect([asked.get("max_age"), asked.get("acr_values")]).toEqual(["60", "urn:mfa"]);
  });

  it("takes no callback of a sign-in that another browser began", async () => {
    const [mine, theirs] = [openBrowser(), openBrowser()];
    const callback = await theirs.goToIdp();
    expect((await mine.load(callback)).status).toBe(400);
    await mine.goToIdp();
    expect((await mine.load(callback)).status).toBe(502);
    expect(world.idp.counts.code).toBe(0);
  });

  it("gives each sign-in a cookie of its own, so that a planted one is worth nothing after it", async () => {
    const browser = openBrowser();
    const callback = await browser.goToIdp();
    const planted = browser.cookie();
    await browser.load(callback);
    expect(browser.cookie()).not.toBe(planted);
    const answer = await app.request(`${origin}/entries`, { headers: { cookie: planted } });
    expect(answer.headers.get("location")).toBe("/");
  });

  it("takes no cookie that it has not signed", async () => {
    const browser = await signedIn();
    const forged = browser.cookie().replace(/\.[^.]*$/, ".AAAA");
    expect((await app.request(`${origin}/entries`, { headers: { cookie: forged } })).headers.get("location")).toBe("/");
  });
});

describe("signing out", () => {
  it("is a form of the application's own, and ends the session here and at the IdP", async () => {
    const browser = await signedIn();
    expect(await (await browser.load("/sign-out")).text()).toContain('method="post"');
    expect((await browser.load("/entries")).status).toBe(200);
    const answer = await browser.load("/sign-out", { method: "POST", headers: { origin } });
    expect([answer.status, answer.headers.get("location")]).toEqual([
      303,
      expect.stringContaining(`${world.idp.issuer}/signed-out?`),
    ]);
    expect(world.idp.counts.revoked).toHaveLength(1);
    expect((await browser.load("/entries")).headers.get("location")).toBe("/");
  });

  it.each([["https://evil.example"], ["null"], [undefined]])("is not done for a form of %s", async (from) => {
    const browser = await signedIn();
    const answer = await browser.load("/sign-out", { method: "POST", headers: from ? { origin: from } : {} });
    expect(answer.status).toBe(403);
    expect((await browser.load("/entries")).status).toBe(200);
  });
});
