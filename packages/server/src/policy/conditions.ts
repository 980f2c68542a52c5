import type { RefusalReason } from "@credence/protocol/reasons";
import type { Connection } from "../directory/types.ts";
import type { Facts } from "./facts.ts";

/** The conditions of a connection in the order in which they are told: who, what, whether, when, how signed in. */
export const CONDITIONS = [
  "person-not-covered",
  "resource-not-covered",
  "scope-not-covered",
  "connection-off",
  "connection-expired",
  "auth-time-missing",
  "sign-in-too-old",
] as const satisfies readonly RefusalReason[];

type Condition = (typeof CONDITIONS)[number];

/** What one connection says to one request. */
export interface Assessment {
  readonly connection: Connection;
  /** The scopes that it grants if all its conditions hold. */
  readonly scopes: readonly string[];
  /** The conditions that do not hold, in the order of {@link CONDITIONS}. */
  readonly failed: readonly Condition[];
}

/** Seconds by which a sign-in may seem to lie in the future before its time is not believed. */
const CLOCK_SKEW = 60;

/**
 * Holds one connection against a request.
 *
 * @param resource - The one resource that is meant; `undefined` when the app as a whole is.
 */
export function assess(connection: Connection, resource: string | undefined, facts: Facts): Assessment {
  const scopes = scopesMeant(connection, facts);
  const holds: Record<Condition, boolean> = {
    "person-not-covered": coversPerson(connection, facts.person),
    "resource-not-covered": coversResource(connection, resource),
    "scope-not-covered": scopes.length > 0,
    "connection-off": connection.enabled,
    // At the very second of its expiry a connection no longer counts.
    "connection-expired": connection.expires === undefined || facts.now < connection.expires,
    ...recentEnough(connection.conditions.maxAge, facts),
  };
  return { connection, scopes, failed: CONDITIONS.filter((condition) => !holds[condition]) };
}

/** Whether signing in again is all that is missing. */
export function isStepUpAway({ failed }: Assessment): boolean {
  return failed.length === 1 && (failed[0] === "sign-in-too-old" || failed[0] === "auth-time-missing");
}

/** Never more than the connection names and the app has, whatever a default or an old row says. */
function scopesMeant(connection: Connection, { asked, app }: Facts): readonly string[] {
  const meant = asked.scope && asked.scope.length > 0 ? asked.scope : connection.defaultScopes;
  return connection.scopes.filter((scope) => meant.includes(scope) && Object.hasOwn(app.scopes, scope));
}

function coversPerson({ people }: Connection, person: Facts["person"]): boolean {
  return people.some(
    (who) =>
      who === "everyone" ||
      who === `person:${person.id}` ||
      (who.startsWith("group:") && person.groups.includes(who.slice("group:".length))),
  );
}

/** A connection with a list of resources never covers the app as a whole: its ID-JAG would reach beyond the list. */
function coversResource({ resources }: Connection, resource: string | undefined): boolean {
  return resources === undefined || (resource !== undefined && resources.includes(resource));
}

function recentEnough(
  maxAge: number | undefined,
  { now, authentication: { authTime } }: Facts,
): { "auth-time-missing": boolean; "sign-in-too-old": boolean } {
  if (maxAge === undefined) return { "auth-time-missing": true, "sign-in-too-old": true };
  // A time that can not be is no time: a claim that a condition needs and that is missing is never a pass.
  const known = authTime !== undefined && Number.isFinite(authTime) && authTime <= now + CLOCK_SKEW;
  return { "auth-time-missing": known, "sign-in-too-old": !known || now - authTime <= maxAge };
}
