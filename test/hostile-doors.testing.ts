/** The doors that hand out tokens, with requests that they would grant: the exchange of an IdP, the redemption of an app. */

import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import { buildTokenExchangeRequest } from "@credence/protocol/token-exchange";
import { expect, vi } from "vitest";
import { type House as App, basic, CLIENT, NOON, house as startApp } from "../packages/resource/src/house.testing.ts";
import { LEDGER, MCP } from "./exchange.testing.ts";
import { expectOAuthError, type HostileAnswer, type HostileHeaders, send } from "./hostile.testing.ts";
import { type House, SECRETS, startHouse } from "./house.testing.ts";

/** A token endpoint, with a request that it would grant. */
export interface Door {
  readonly url: string;
  /** Seconds since the epoch, as the door's clock has it. */
  now(): number;
  /** A good request of its own client. */
  good(): Promise<URLSearchParams>;
  readonly authorization: string;
  /** The exact reason, and what exactly, of what was refused last. */
  last(): { readonly reason: string | undefined; readonly detail: string | undefined };
  /** How much was granted so far. */
  granted(): number;
}

/** Both doors, open. */
export interface Doors extends AsyncDisposable {
  readonly idp: House;
  readonly app: App;
  /** Alice's, for the assistant. */
  readonly idToken: string;
  readonly exchange: Door;
  readonly redemption: Door;
}

interface Noted {
  readonly code?: string;
  readonly reason: string | undefined;
  readonly detail?: string | undefined;
}

/** Starts a real IdP and a real app, which sees ID-JAGs of an IdP of its own. */
export async function openDoors(): Promise<Doors> {
  const idp = await startHouse();
  const { idToken } = (await idp.signIn(idp.agent("assistant"))).signIn();
  const noted = watch(idp);
  const app = await startApp(() => ({ clients: [CLIENT, { clientId: "desktop", method: "none", dpopBound: true }] }));
  return {
    idp,
    app,
    idToken,
    exchange: {
      url: `${idp.issuer}/token`,
      now: () => Date.now() / 1_000,
      good: async () => buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: idToken }),
      authorization: basic("assistant", SECRETS.assistant ?? ""),
      last: () => ({ reason: noted.at(-1)?.reason, detail: noted.at(-1)?.detail }),
      granted: () => noted.filter(({ code }) => code === "exchange.permitted").length,
    },
    redemption: {
      url: `${app.url}/token`,
      now: () => NOON,
      good: async () => new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: await app.idJag() }),
      authorization: basic(CLIENT.clientId, CLIENT.clientSecret),
      last: () => ({ reason: app.events.at(-1)?.reason, detail: app.events.at(-1)?.detail }),
      granted: () => app.events.filter(({ outcome }) => outcome === "granted").length,
    },
    async [Symbol.asyncDispose]() {
      await idp[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

/** Sees each event and each count of an IdP's record, on its way there. */
export function watch({ server: { audit } }: House): readonly Noted[] {
  const noted: Noted[] = [];
  const { record, countFailure } = audit;
  vi.spyOn(audit, "record").mockImplementation((event) => {
    const [first] = event.reasons ?? [];
    // Keys live by the clock, whoever knocks.
    if (!event.code.startsWith("key.")) noted.push({ code: event.code, reason: first?.id, detail: first?.detail });
    return record(event);
  });
  vi.spyOn(audit, "countFailure").mockImplementation((failure) => {
    noted.push({ reason: failure.reason });
    countFailure(failure);
  });
  return noted;
}

export const FORM = "application/x-www-form-urlencoded";

/** Knocks with a good request that is changed a little. */
export async function knock(
  door: Door,
  {
    change,
    headers = {},
    body,
  }: { change?: (form: URLSearchParams) => void; headers?: HostileHeaders; body?: string | Uint8Array },
): Promise<HostileAnswer> {
  const form = await door.good();
  change?.(form);
  const all = { "content-type": FORM, authorization: door.authorization, ...headers };
  return send(door.url, all, body ?? form.toString());
}

/** Refused as OAuth has it, for exactly this reason, and nothing was granted. */
export async function expectReason(
  door: Door,
  sent: Promise<HostileAnswer>,
  error: string,
  reason: string,
): Promise<void> {
  const before = door.granted();
  const answer = await sent;
  expect({ error: expectOAuthError(answer), reason: door.last().reason }).toEqual({ error, reason });
  expect(answer.text).not.toContain(reason);
  expect(door.granted()).toBe(before);
}
