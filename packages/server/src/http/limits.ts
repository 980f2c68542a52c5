import { networkOf } from "../sign-in/source.ts";
import type { ConnectionLimits } from "./connections.ts";
import { createRateLimit, type RateLimit, UNLIMITED } from "./rate-limit.ts";

/** What a server takes. 0 is no limit, everywhere. */
export interface Limits extends RequestLimits, ConnectionLimits {
  /** Sign-ins that were begun, and in which nobody has typed anything yet, in each process: the oldest gives way. */
  readonly openSignIns: number;
  /** Denials of one client a minute that stand in the record one by one; further ones are counted. */
  readonly clientDenials: number;
  /** Megabytes of the store. The last tenth is for permits and what people and admins do: denials are counted then. */
  readonly storeMegabytes: number;
}

/** What holds where nothing is said: more than honest users need, in one process. */
export const DEFAULT_LIMITS: Limits = {
  clientRequests: 300_000,
  failedRequests: 1_200,
  signIns: 1_200,
  forms: 1_200,
  connections: 10_000,
  connectionsPerAddress: 1_000,
  openSignIns: 10_000,
  clientDenials: 600,
  storeMegabytes: 0,
};

/** Requests. Each a number a minute, in each process. */
export interface RequestLimits {
  /** Calls of one client that has proven who it is, at the token and revocation endpoints. */
  readonly clientRequests: number;
  /** Calls there from one address, by which no client has proven who it is. */
  readonly failedRequests: number;
  /** Sign-ins that are begun from one address. */
  readonly signIns: number;
  /** Forms of the sign-in and account pages from one address. */
  readonly forms: number;
}

/** What a request is counted as. */
export type Counted = "client" | "sign-in" | "form";

/** Holds floods back, before anything is done for them. Whole seconds to wait, or 0. */
export interface FloodGuard {
  /** Counts a request of an address, first of all. */
  admit(counted: Counted, source: string): number;
  /** The client of a request has proven who it is: its address pays nothing for it, the client does. */
  proven(source: string, clientId: string): number;
}

/**
 * Makes the guard. At the endpoints for clients an address pays for each request and has it back once the client has proven who it is: so
 * a stranger who sends anything soon waits, before any signature is checked, while a thousand agents behind one address do not. And
 * nobody can use up the allowance of a client but that client.
 *
 * An address of IPv6 counts with the others of its /64.
 *
 * @param now - Milliseconds of a clock that never goes back.
 * @see RFC 6585 §4
 */
export function createFloodGuard(limits: RequestLimits, now: () => number = () => performance.now()): FloodGuard {
  const clients = limitOf(limits.clientRequests);
  const addresses: Readonly<Record<Counted, RateLimit>> = {
    client: limitOf(limits.failedRequests),
    "sign-in": limitOf(limits.signIns),
    form: limitOf(limits.forms),
  };
  return {
    admit: (counted, source) => addresses[counted].take(networkOf(source), now()),
    proven(source, clientId) {
      const time = now();
      addresses.client.giveBack(networkOf(source), time);
      return clients.take(clientId, time);
    },
  };
}

function limitOf(perMinute: number): RateLimit {
  return perMinute === 0 ? UNLIMITED : createRateLimit(perMinute);
}
