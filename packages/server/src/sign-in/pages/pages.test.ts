import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agent, CALLBACK, PASSWORD, startHouse, type TestHouse } from "../house.testing.ts";
import { ask } from "../journeys.testing.ts";
import {
  expectGoodLook,
  launchBrowser,
  listen,
  noBrowser,
  openContext,
  SCHEMES,
  type Scheme,
} from "./browser.testing.ts";

const LONG = "https://a-very-long-name-of-a-department.reporting.subsidiary.example/oauth/callback";
const LONG_EMAIL = "maximiliane.von-und-zu-hohenstein-langenfels@reporting.subsidiary.acme.example";

/** Each page that a person can meet, by how to get there. */
const PAGES: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  "sign-in": async (page) => page.goto((await ask(house)).url.href),
  "sign-in-missing": async (page) => {
    await page.goto((await ask(house)).url.href);
    // Else the browser itself asks for the email.
    await page.getByLabel("Email").evaluate((field) => field.removeAttribute("required"));
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("alert").waitFor();
  },
  "sign-in-password": (page) => toPassword(page, CALLBACK),
  "sign-in-wrong": async (page) => {
    await toPassword(page, CALLBACK);
    await page.getByLabel("Password").fill("not this one");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
  },
  "sign-in-long-names": async (page) => page.goto((await ask(house, { id: "long", redirectUri: LONG })).url.href),
  "sign-in-long-email": (page) => toPassword(page, CALLBACK, LONG_EMAIL),
  "error-agent-unknown": async (page) => page.goto((await ask(house, { id: "nobody" })).url.href),
  "error-expired": (page) => page.goto(`${house.issuer}/sign-in/long-gone`),
  "sign-out": async (page) => {
    await signIn(page);
    await page.goto(`${house.issuer}/sign-out`);
  },
  "signed-out": async (page) => {
    await signIn(page);
    await page.goto(`${house.issuer}/sign-out`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out").waitFor();
  },
  landing: (page) => page.goto(`${house.issuer}/`),
  "not-found": (page) => page.goto(`${house.issuer}/nothing`),
};

let house: TestHouse;
let browser: Browser;
let callback: Server;
let callbackUrl: string;

describe.skipIf(noBrowser)("the pages, in a browser", () => {
  beforeAll(async () => {
    callback = createServer((req, res) => res.end(`arrived at ${req.url}`));
    await new Promise<void>((resolve) => callback.listen(0, "127.0.0.1", resolve));
    callbackUrl = `http://127.0.0.1:${(callback.address() as AddressInfo).port}/callback`;
    const name = "Quarterly Reconciliation and Expense Reporting Assistant (European Subsidiaries)";
    house = await startHouse({ agents: [agent("long", { name, redirectUris: [LONG] })] });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await house?.stop();
    callback?.close();
  });

  describe.each(Object.keys(PAGES))("%s", (name) => {
    it.each(SCHEMES)("fits every screen in %s, and axe finds nothing", async (scheme) => {
      const context = await open(scheme);
      const page = await context.newPage();
      const complaints = listen(page);
      await PAGES[name]?.(page);
      await expectGoodLook(page, name, scheme);
      expect(complaints).toEqual([]);
      await context.close();
    });
  });

  it("a person signs in by keyboard alone, without script, and arrives at the agent", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const complaints = listen(page);
    await page.goto((await ask(house, { redirectUri: callbackUrl })).url.href);
    // The cursor is there by itself, a moment after the page.
    await page.locator("#email:focus").waitFor();
    await page.keyboard.type("alice@acme.example");
    await page.keyboard.press("Enter");
    await page.locator("#password:focus").waitFor();
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${callbackUrl}?**`);
    expect(new URL(page.url()).searchParams.get("code")).toBeTruthy();
    expect(complaints).toEqual([]);
    await context.close();
  });

  it("the tab key goes from the password to what comes next, and to the way back before it", async () => {
    const context = await open("light");
    const page = await context.newPage();
    await toPassword(page, CALLBACK);
    await page.locator("#password:focus").waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.textContent || document.activeElement?.id);
    const stops = [await focused()];
    for (const key of ["Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"]) {
      await page.keyboard.press(key);
      stops.push(await focused());
    }
    expect(stops).toEqual(["password", "Sign in", "Cancel", "Sign in", "password", "Change the email"]);
    await context.close();
  });

  it("the back button leads from step to step, and nothing has to be sent again", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const complaints = listen(page);
    await toPassword(page, callbackUrl, "bob@acme.example");
    await page.goBack();
    expect(await page.getByLabel("Email").inputValue()).toBe("bob@acme.example");
    await page.getByLabel("Email").fill("alice@acme.example");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByLabel("Password").fill("not this one");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.goBack();
    expect(await page.getByRole("alert").count()).toBe(0);
    await page.getByText("alice@acme.example").waitFor();
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${callbackUrl}?**`);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it("a password manager finds the email beside the password, where no eye, key or reader does", async () => {
    const context = await open("light");
    const page = await context.newPage();
    await toPassword(page, CALLBACK);
    const username = page.locator('form input[autocomplete="username"]');
    expect(await username.inputValue()).toBe("alice@acme.example");
    expect(await username.evaluate((field) => getComputedStyle(field).display)).not.toBe("none");
    expect(await username.boundingBox()).toMatchObject({ width: 1, height: 1 });
    expect(await page.getByRole("textbox").count()).toBe(1);
    await context.close();
  });
});

async function toPassword(page: Page, redirectUri: string, email = "alice@acme.example"): Promise<void> {
  await page.goto((await ask(house, { redirectUri })).url.href);
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Password").waitFor();
}

async function signIn(page: Page): Promise<void> {
  await toPassword(page, callbackUrl);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${callbackUrl}?**`);
}

const open = (scheme: Scheme): Promise<BrowserContext> => openContext(browser, scheme);
