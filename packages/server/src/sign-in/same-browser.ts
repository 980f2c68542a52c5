import { randomBytes } from "node:crypto";
import type { Provider } from "oidc-provider";
import { hashed } from "./artifacts.ts";

/**
 * A sign-in ends in the browser in which it took place.
 *
 * Whoever can write cookies for our host (a neighbouring subdomain can) can lead somebody else through the steps of a sign-in
 * that they began themselves: they would only have to come back first, and be signed in as who typed the password. So the last
 * step leaves a cookie in the browser that took it, for the way back alone, and nobody comes back without it.
 *
 * @see RFC 6265 §8.6 (weak integrity)
 */

const COOKIE = "credence_last_step";
/** Seconds; a sign-in that is not over by then begins anew anyway. */
const LIFETIME = 3_600;

/** What the last step leaves: in the browser, and with the sign-in. */
export interface LastStep {
  readonly ticket: string;
  /** Its hash, for the result of the sign-in. */
  readonly mark: string;
}

/** Makes the ticket of a last step. */
export function lastStep(): LastStep {
  const ticket = randomBytes(32).toString("base64url");
  return { ticket, mark: hashed(ticket) };
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

/** Whether who comes back from a sign-in that has succeeded was there at its last step. */
export async function tookLastStep(provider: Provider, cookies: Cookies): Promise<boolean> {
  const uid = cookies.get(provider.cookieName("resume"), { signed: true });
  const interaction = uid === undefined ? undefined : await provider.Interaction.find(uid);
  // Whom oidc-provider does not know either, it refuses; who cancelled is nobody.
  if (interaction?.result?.login === undefined) return true;
  const ticket = cookies.get(COOKIE, { signed: false });
  return ticket !== undefined && interaction.result.browser === hashed(ticket);
}
