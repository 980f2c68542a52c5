import type { AuditCode, AuditEvent } from "./event.ts";
import type { Failure } from "./failures.ts";

/**
 * What callers are told that are known, and that nothing is given by. It is on record one by one as long as that is a reasonable
 * number, and counted beyond: nobody fills the disk by asking in vain.
 */
const DENIALS: ReadonlySet<AuditCode> = new Set([
  "exchange.denied",
  "exchange.step-up",
  "exchange.refused",
  "grant.refused",
  "client.refused",
  "sign-in.failed",
]);

/** Whether an event tells of a denial: permits, and what people and admins do, come before it. */
export function isDenial({ code }: AuditEvent): boolean {
  return DENIALS.has(code);
}

/** A denial, to be counted: per client and reason. */
export function countedDenial({ code, agent, client, reasons, decisionId }: AuditEvent): Failure {
  const who = agent ?? client;
  return {
    reason: reasons?.[0]?.id ?? code,
    ...(who === undefined ? {} : { agent: who }),
    ...(decisionId === undefined ? {} : { sample: decisionId }),
  };
}

/**
 * So many a minute for each client. The minute is the clock's: what it takes is one number for each client that was denied
 * something in it.
 *
 * @param perMinute - 0 is no limit.
 * @param now - Seconds since the epoch.
 */
export function createDenialBound(perMinute: number, now: () => number): (event: AuditEvent) => boolean {
  let taken = new Map<string, number>();
  let minute = 0;
  return ({ agent, client }) => {
    const who = agent ?? client ?? "";
    if (perMinute === 0) return true;
    const current = Math.floor(now() / 60);
    if (current !== minute) [taken, minute] = [new Map(), current];
    const before = taken.get(who) ?? 0;
    if (before >= perMinute) return false;
    taken.set(who, before + 1);
    return true;
  };
}
