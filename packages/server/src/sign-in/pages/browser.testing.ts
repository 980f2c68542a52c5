import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

/** Our pages in a real browser: what each of them must be like, in light and dark, on every screen. */

const CHROMIUM = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const SCREENSHOTS = fileURLToPath(new URL("../../../../../test/screenshots/", import.meta.url));
const here = existsSync(CHROMIUM);
if (!here && !process.env.CI) {
  console.warn(
    `Skipped: there is no browser at ${CHROMIUM}. Get it with: apt-get install chromium (or set CHROMIUM_PATH).`,
  );
}

/** Whether tests that need a browser are skipped: where there is none, but never in CI. */
export const noBrowser: boolean = !here && !process.env.CI;

const SCREENS = {
  desktop: { width: 1280, height: 860 },
  phone: { width: 390, height: 844 },
  narrow: { width: 360, height: 640 },
} as const;

export const SCHEMES = ["light", "dark"] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Starts the browser. */
export async function launchBrowser(): Promise<Browser> {
  await mkdir(SCREENSHOTS, { recursive: true });
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
}

/** Opens a window of its own: no cookies. */
export async function openContext(browser: Browser, colorScheme: Scheme): Promise<BrowserContext> {
  const context = await browser.newContext({ colorScheme, viewport: SCREENS.desktop, reducedMotion: "reduce" });
  // Sooner than the test's own end, so that what was waited for is named.
  context.setDefaultTimeout(10_000);
  return context;
}

/** A page in our own type that fits every screen, and in which axe finds nothing; pictures of it are kept. */
export async function expectGoodLook(page: Page, name: string, scheme: Scheme, fullPage = false): Promise<void> {
  await page.evaluate(() => document.fonts.ready);
  expect(await page.evaluate(() => document.fonts.check('14px "Inter"'))).toBe(true);
  for (const [device, viewport] of Object.entries(SCREENS)) {
    await page.setViewportSize(viewport);
    await page.screenshot({ path: `${SCREENSHOTS}${name}-${device}-${scheme}.png`, fullPage });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow, device).toBeLessThanOrEqual(0);
  }
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => ({ id, html: nodes.map((node) => node.html) }))).toEqual([]);
}

/** What the browser itself complains of: blocked by the content security policy, not found. */
export function listen(page: Page): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    const expected = /status of (4\d\d)/.test(message.text());
    if (message.type() === "error" && !expected) complaints.push(message.text());
  });
  page.on("requestfailed", (request) => complaints.push(`${request.url()} ${request.failure()?.errorText}`));
  return complaints;
}
