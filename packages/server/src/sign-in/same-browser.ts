import { randomBytes } from "node:crypto";
import type { Provider } from "oidc-provider";
import { hashed } from "./artifacts.ts";

/**
 * A sign-in ends in the browser in which it took place, and at once.
 *
 * Whoever can write cookies for our host (a neighbouring subdomain can) can lead somebody else through the steps of a sign-in
 * that they began themselves: they would only have to come back first, and be signed in as who typed the password. So the last
 * step leaves a cookie in the browser that took it, for the way back alone, and nobody comes back without it. Nor does anybody
 * later: what somebody keeps in reserve would outlive that its owner ends everything.
 *
 * @see RFC 6265 §8.6 (weak integrity)
 */

const COOKIE = "credence_last_step";
/** Seconds for the way back; the page that asks whether somebody else shall be signed out lies on it. */
const LIFETIME = 300;

/** What the last step leaves: in the browser, and with the sign-in. */
export interface LastStep {
  readonly ticket: string;
  /** For the result of the sign-in. */
  readonly mark: { readonly browser: string; readonly until: number };
}

/** Makes the ticket of a last step. @param now - Seconds since the epoch. */
export function lastStep(now: number): LastStep {
  const ticket = randomBytes(32).toString("base64url");
  return { ticket, mark: { browser: hashed(ticket), until: now + LIFETIME } };
}

/** The cookie that holds a ticket. @param returnTo - URL at which oidc-provider goes on. */
export function lastStepCookie({ ticket }: LastStep, returnTo: string): string {
  const { pathname, protocol } = new URL(returnTo);
  const secure = protocol === "https:" ? "; Secure" : "";
  return `${COOKIE}=${ticket}; Path=${pathname}; Max-Age=${LIFETIME}; HttpOnly; SameSite=Lax${secure}`;
}

/** Cookies of a request, as Koa reads them. */
interface Cookies {
  get(name: string, options: { readonly signed: boolean }): string | undefined;
}

/** Whether who comes back from a sign-in that has succeeded was there at its last step, a moment ago. */
export async function tookLastStep(provider: Provider, cookies: Cookies, now: number): Promise<boolean> {
  const uid = cookies.get(provider.cookieName("resume"), { signed: true });
  const interaction = uid === undefined ? undefined : await provider.Interaction.find(uid);
  // Whom oidc-provider does not know either, it refuses; who cancelled is nobody.
  if (interaction?.result?.login === undefined) return true;
  const { browser, until } = interaction.result;
  const ticket = cookies.get(COOKIE, { signed: false });
  return ticket !== undefined && browser === hashed(ticket) && typeof until === "number" && now < until;
}
