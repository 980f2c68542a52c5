import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { codeOf } from "../account.testing.ts";
import { agent, PASSWORD, startHouse, type TestHouse } from "../house.testing.ts";
import { ask, signIn } from "../journeys.testing.ts";
import { expectGoodLook, launchBrowser, listen, noBrowser, openContext, SCHEMES } from "./browser.testing.ts";

const EMAIL = "alice@acme.example";

let house: TestHouse;
let browser: Browser;
let callback: Server;
let callbackUrl: string;

describe.skipIf(noBrowser)("passkeys, authenticator apps and the account, in a browser", () => {
  beforeAll(async () => {
    callback = createServer((req, res) => res.end(`arrived at ${req.url}`));
    await new Promise<void>((resolve) => callback.listen(0, "127.0.0.1", resolve));
    callbackUrl = `http://127.0.0.1:${(callback.address() as AddressInfo).port}/callback`;
    const name = "Quarterly Reconciliation and Expense Reporting Assistant (European Subsidiaries)";
    house = await startHouse({ host: "localhost", agents: [agent("long", { name })] });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await house?.stop();
    callback?.close();
  });
  beforeEach(async () => {
    await house.store.removeFactors("alice");
  });

  describe.each(Object.keys(PAGES))("%s", (name) => {
    it.each(SCHEMES)("fits every screen in %s, and axe finds nothing", async (scheme) => {
      const context = await openContext(browser, scheme);
      const page = await context.newPage();
      const complaints = listen(page);
      await PAGES[name]?.(page, context);
      await expectGoodLook(page, name, scheme, true);
      expect(complaints).toEqual([]);
      await context.close();
    });
  });

  it("somebody makes a passkey, and signs in with it alone", async () => {
    const context = await openContext(browser, "light");
    const page = await context.newPage();
    const complaints = listen(page);
    const authenticator = await addAuthenticator(page, context);
    await openAccount(page);
    await authenticator.present(true);
    await page.getByRole("link", { name: "Add a passkey" }).click();
    await page.getByLabel("What do you call it?").fill("My phone");
    await page.getByRole("button", { name: "Make the passkey" }).click();
    await page.getByText("The passkey is yours").waitFor();
    await page.locator(".name", { hasText: "My phone" }).waitFor();

    await page.goto(`${house.issuer}/sign-out`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out").waitFor();
    // A browser that offers nothing by itself: else it may sign in before the button is pressed.
    await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
    await page.goto((await ask(house, { redirectUri: callbackUrl })).url.href);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.waitForURL(`${callbackUrl}?**`);
    expect(new URL(page.url()).searchParams.get("code")).toBeTruthy();
    expect(house.events.at(-1)).toMatchObject({ type: "sign-in-succeeded", personId: "alice" });
    expect(complaints).toEqual([]);
    await context.close();
  });

  it("the browser offers the passkey where the email is typed, and no button has to be pressed", async () => {
    const context = await openContext(browser, "light");
    const page = await context.newPage();
    const authenticator = await addAuthenticator(page, context);
    await enrolPasskey(page);
    await page.context().clearCookies();
    // As if they chose it where the browser offers it, beneath the field.
    await authenticator.present(true);
    await page.goto((await ask(house, { redirectUri: callbackUrl })).url.href, { waitUntil: "commit" });
    await page.waitForURL(`${callbackUrl}?**`);
    expect(house.events.at(-1)).toMatchObject({ type: "sign-in-succeeded", methods: ["device-bound-passkey"] });
    await context.close();
  });

  it("a passkey that is cancelled changes nothing, says so, and the password still works", async () => {
    const context = await openContext(browser, "light");
    const page = await context.newPage();
    const authenticator = await addAuthenticator(page, context);
    await enrolPasskey(page);
    await authenticator.verify(false);
    await page.context().clearCookies();
    await page.goto((await ask(house, { redirectUri: callbackUrl })).url.href);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText("Nothing was done. You can try again.").waitFor();
    await page.getByLabel("Email").fill(EMAIL);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${callbackUrl}?**`);
    await context.close();
  });

  it("everything but passkeys works without script: an authenticator app is set up, used and removed", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await openAccount(page);
    const secret = await setUpApp(page);
    await page.getByRole("link", { name: "I have kept them" }).click();
    await page.getByText("10 recovery codes are left").waitFor();
    await page.locator("summary").first().click();
    await page.getByRole("button", { name: "Remove the app" }).click();
    await page.getByLabel("Code from your authenticator app").fill(codeOf(secret, house));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("now do it once more").waitFor();
    await page.locator("summary").first().click();
    await page.getByRole("button", { name: "Remove the app" }).click();
    await page.getByText("no longer asked for").waitFor();
    await context.close();
  });
});

/** Each page that a person can meet, by how to get there. */
const PAGES: Readonly<Record<string, (page: Page, context: BrowserContext) => Promise<unknown>>> = {
  "sign-in-with-passkey": async (page) => page.goto((await ask(house, { redirectUri: callbackUrl })).url.href),
  "sign-in-code": async (page) => {
    await openAccount(page);
    await setUpApp(page);
    await toCode(page);
  },
  "sign-in-code-wrong": async (page) => {
    await openAccount(page);
    await setUpApp(page);
    await toCode(page);
    await page.getByLabel("Code from your authenticator app").fill("123 456");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
  },
  "sign-in-passkey-step": async (page, context) => {
    const authenticator = await addAuthenticator(page, context);
    await enrolPasskey(page);
    await authenticator.present(false);
    await context.clearCookies();
    await typePassword(
      page,
      (await ask(house, { redirectUri: callbackUrl, parameters: { acr_values: "phr" } })).url.href,
    );
    await page.getByRole("button", { name: "Use your passkey" }).waitFor();
  },
  "sign-in-unmet": async (page) => {
    await typePassword(
      page,
      (await ask(house, { redirectUri: callbackUrl, parameters: { acr_values: "phr" } })).url.href,
    );
    await page.getByText("Not strong enough yet").waitFor();
  },
  account: async (page) => openAccount(page),
  "account-full": async (page, context) => {
    await signIn(house, { id: "long" });
    await addAuthenticator(page, context);
    await openAccount(page);
    await setUpApp(page);
    await enrolPasskey(page, "The blue security key that hangs on my key ring");
    await page.locator("summary").first().click();
  },
  "account-new-passkey": async (page) => {
    await openAccount(page);
    await page.goto(`${house.issuer}/account/passkeys/new`);
    await page.getByRole("button", { name: "Make the passkey" }).waitFor();
  },
  "account-authenticator": async (page) => {
    await openAccount(page);
    await page.goto(`${house.issuer}/account/authenticator`);
  },
  "account-recovery-codes": async (page) => {
    await openAccount(page);
    await setUpApp(page);
  },
  "account-nothing-changed": (page) => page.goto(`${house.issuer}/account/signed-in?error=access_denied`),
};

async function addAuthenticator(page: Page, context: BrowserContext) {
  const session = await context.newCDPSession(page);
  await session.send("WebAuthn.enable");
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    /** Whether somebody touches it as soon as it is asked: also where the browser only offers it beneath a field. */
    present: (enabled: boolean) =>
      session.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled }),
    verify: (isUserVerified: boolean) => session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
  };
}

async function typePassword(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByLabel("Email").fill(EMAIL);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function openAccount(page: Page): Promise<void> {
  await typePassword(page, `${house.issuer}/account`);
  await page.getByRole("heading", { name: "Your account" }).waitFor();
}

/** Makes a passkey on the account's page: after the app's code, where one is set up, the sign-in is strong enough. */
async function enrolPasskey(page: Page, name = "My phone"): Promise<void> {
  if (!page.url().startsWith(`${house.issuer}/account`)) await openAccount(page);
  await page.goto(`${house.issuer}/account/passkeys/new`);
  if (page.url().endsWith("/code")) {
    await page.getByLabel("Code from your authenticator app").fill(codeOf(secretOf.get(house) ?? "", house));
    await page.getByRole("button", { name: "Sign in" }).click();
  }
  await page.getByLabel("What do you call it?").fill(name);
  await page.getByRole("button", { name: "Make the passkey" }).click();
  await page.getByText("The passkey is yours").waitFor();
}

const secretOf = new Map<TestHouse, string>();

async function setUpApp(page: Page): Promise<string> {
  await page.goto(`${house.issuer}/account/authenticator`);
  const secret = (await page.locator(".secret").innerText()).replaceAll(" ", "");
  secretOf.set(house, secret);
  await page.getByLabel("Code from the app").fill(codeOf(secret, house, -1));
  await page.getByRole("button", { name: "Turn it on" }).click();
  await page.getByText("Your recovery codes").waitFor();
  return secret;
}

async function toCode(page: Page): Promise<void> {
  await page.context().clearCookies();
  await typePassword(page, (await ask(house, { redirectUri: callbackUrl })).url.href);
  await page.getByLabel("Code from your authenticator app").waitFor();
}
