import { Secret, TOTP } from "otpauth";
import { attribute, type Page, type UserAgent } from "./user-agent.testing.ts";

/** An IdP at whose account page somebody is. */
export interface AccountHouse {
  readonly issuer: string;
  /** Seconds since the epoch. */
  now(): number;
}

/** The code of an authenticator app, some steps of 30 seconds from now. */
export function codeOf(secret: string, house: AccountHouse, steps = 0): string {
  waitForNextStep(house);
  const timestamp = (house.now() + STEP * steps) * 1_000;
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp });
}

/** Seconds for which a code counts, before and after its neighbours do. */
const STEP = 30;

/** At the end of a step: a code that was made before it would be looked at after it, and one of the step before not count. */
function waitForNextStep({ now }: AccountHouse): void {
  const left = STEP - (now() % STEP);
  if (left <= 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, left * 1_000);
}

/** Signs in at the page of one's own account, as far as a password goes. */
export async function openAccount(
  browser: UserAgent,
  house: AccountHouse,
  { email, password }: { email: string; password: string },
): Promise<Page> {
  const page = await browser.go(`${house.issuer}/account`);
  return browser.submit(await browser.submit(page, { email }), { password });
}

/** Sets an authenticator app up, by somebody who has just signed in. The step before the present one is used by it. */
export async function setUpApp(
  browser: UserAgent,
  house: AccountHouse,
): Promise<{ readonly page: Page; readonly secret: string; readonly recoveryCodes: readonly string[] }> {
  const setup = await browser.go(`${house.issuer}/account/authenticator`);
  const secret = (/class="id secret">([^<]+)</.exec(setup.html)?.[1] ?? "").replaceAll(" ", "");
  const page = await browser.submit(setup, { code: codeOf(secret, house, -1) });
  const recoveryCodes = [...page.html.matchAll(/<li class="id">([\w-]+)</g)].map(([, code = ""]) => code);
  return { page, secret, recoveryCodes };
}

/** The JSON in which a page tells the browser what to do with a passkey. */
export function passkeyOptions(page: Page): Record<string, unknown> {
  const form = [...page.html.matchAll(/<form\b([^>]*data-passkey[^>]*)>/g)].map(([, attributes = ""]) => attributes)[0];
  return JSON.parse(attribute(form ?? "", "data-options") ?? "{}");
}
