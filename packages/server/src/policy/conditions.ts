import { type AuthorizationDetail, narrowDetails } from "@credence/protocol/authorization-details";
import type { RefusalReason } from "@credence/protocol/reasons";
import { acrSatisfies, isAcr } from "../directory/acr.ts";
import type { Connection } from "../directory/types.ts";
import type { Facts } from "./facts.ts";

/** The conditions of a connection in the order in which they are told: who, what, whether, when, proven how, signed in how. */
export const CONDITIONS = [
  "person-not-covered",
  "resource-not-covered",
  "scope-not-covered",
  "details-not-covered",
  "actor-not-covered",
  "connection-off",
  "connection-expired",
  "binding-missing",
  "acr-too-weak",
  "auth-time-missing",
  "sign-in-too-old",
] as const satisfies readonly RefusalReason[];

type Condition = (typeof CONDITIONS)[number];

/** Those that a new sign-in mends. */
const MENDED_BY_SIGN_IN: ReadonlySet<Condition> = new Set(["acr-too-weak", "auth-time-missing", "sign-in-too-old"]);

/** What one connection says to one request, for one resource. */
export interface Assessment {
  readonly connection: Connection;
  /** The scopes that it grants if all its conditions hold. */
  readonly scopes: readonly string[];
  /** The authorization details that it grants if all its conditions hold. */
  readonly details: readonly AuthorizationDetail[];
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
  const { now, actor, binding, authentication, asked } = facts;
  const { acr: neededAcr, bound, maxAge } = connection.conditions;
  const scopes = scopesMeant(connection, facts);
  const details = narrowDetails(asked.authorizationDetails ?? [], connection.authorizationDetails ?? []);
  const grantsAny = scopes.length > 0 || details.length > 0;
  const holds: Record<Condition, boolean> = {
    "person-not-covered": coversPerson(connection, facts.person),
    "resource-not-covered": coversResource(connection, resource),
    "scope-not-covered": grantsAny || !wantsScopes(asked),
    "details-not-covered": grantsAny || wantsScopes(asked),
    "actor-not-covered": actor === undefined || (connection.actors?.includes(actor) ?? false),
    "connection-off": connection.enabled,
    // At the very second of its expiry a connection no longer counts.
    "connection-expired": connection.expires === undefined || now < connection.expires,
    "binding-missing": bound !== true || binding !== undefined,
    "acr-too-weak": neededAcr === undefined || acrSatisfies(authentication.acr, [neededAcr]),
    ...recentEnough(maxAge, facts),
  };
  return { connection, scopes, details, failed: CONDITIONS.filter((condition) => !holds[condition]) };
}

/** Whether signing in again is all that is missing; nobody can sign in in a way that is unknown here. */
export function isStepUpAway({ failed, connection: { conditions } }: Assessment): boolean {
  if (conditions.acr !== undefined && !isAcr(conditions.acr)) return false;
  return failed.length > 0 && failed.every((condition) => MENDED_BY_SIGN_IN.has(condition));
}

/** Whether scopes are asked for: by name, or, where nothing is named at all, by default. */
function wantsScopes({ scope, authorizationDetails }: Facts["asked"]): boolean {
  return (scope !== undefined && scope.length > 0) || authorizationDetails === undefined;
}

/** Never more than the connection names and the app has, whatever a default or an old row says. */
function scopesMeant(connection: Connection, { asked, app }: Facts): readonly string[] {
  if (!wantsScopes(asked)) return [];
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
