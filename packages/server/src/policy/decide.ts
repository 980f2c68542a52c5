import type { Refusal } from "@credence/protocol";
import { type AuthorizationDetail, detailsWithin, narrowDetails } from "@credence/protocol/authorization-details";
import { errorOf, type RefusalReason } from "@credence/protocol/reasons";
import type { Connection } from "../directory/types.ts";
import { type Assessment, assess, CONDITIONS, isStepUpAway } from "./conditions.ts";
import type { Decision, DecisionReason, Denial, Granted, NearMiss, Permit } from "./decision.ts";
import type { Facts } from "./facts.ts";
import { afterSignIn, type Outlook, stepUp } from "./step-up.ts";

/**
 * May this agent reach this app for this person, now, and for what? Pure: the same facts give the same decision.
 *
 * In this order: are the parties on; does the app know the agent; is what was asked for the app's; what do the
 * connections grant at each resource; is a sign-in away what they do not. Nothing left is a denial, never an empty grant.
 *
 * @param facts - Everything that counts, times in seconds.
 * @returns permit, denial or step-up, with every reason. Never throws.
 * @see docs/decisions/0003-decide.md
 */
export function decide(facts: Facts): Decision {
  const refused = refusedParty(facts) ?? refusedRequest(facts);
  if (refused) return denial(facts, refused, [{ id: refused.reason }], []);
  const resources = resourcesMeant(facts);
  return resources.length === 1 ? decideAt(outlookAt(resources[0], facts), facts) : together(resources, facts);
}

/** What the connections say at one resource; `undefined`: at the app as a whole. */
function outlookAt(resource: string | undefined, facts: Facts): Outlook {
  const assessments = facts.connections
    .filter(({ agent, app }) => agent === facts.agent.id && app === facts.app.id)
    .map((connection) => assess(connection, resource, facts))
    .sort((a, b) => compare(a.connection.id, b.connection.id));
  const granting = assessments.filter(({ failed }) => failed.length === 0);
  const scopes = scopesOf(granting);
  const details = detailsOf(granting, facts);
  const away = assessments.filter(isStepUpAway);
  const missing = {
    scopes: scopesOf(away).filter((one) => !scopes.includes(one)),
    details: detailsOf([...granting, ...away], facts).filter((one) => !detailsWithin([one], details)),
  };
  const nothing = scopes.length === 0 && details.length === 0;
  // Where nothing is named, what is away is left out as long as something is left.
  const wanted = namesWhat(facts) || nothing ? missing : { scopes: [], details: [] };
  return { resource, assessments, granting, away, granted: { scopes, details }, missing: wanted };
}

/** What the connections grant at one resource. */
function decideAt(outlook: Outlook, facts: Facts): Decision {
  const { resource, assessments, granting, granted, missing } = outlook;
  const nearMisses = assessments.flatMap(nearMiss);
  if (missing.scopes.length > 0 || missing.details.length > 0) {
    const { needed, ...asked } = stepUp([outlook]);
    const reasons = needed.map((assessment) => reasonOf(asked.refusal.reason, assessment));
    return { effect: "step-up", id: facts.id, reasons, nearMisses, ...asked };
  }
  if (granted.scopes.length === 0 && granted.details.length === 0) {
    return denialByPolicy(facts, assessments, nearMisses);
  }
  const resources = resource === undefined ? [] : [resource];
  const what = { scope: granted.scopes, resources, authorizationDetails: granted.details };
  return permit(facts, granting, what, nearMisses);
}

/**
 * Several resources in one request are granted only when the same is granted at each: one token must not give the cross
 * product. What is denied at one of them is denied. One sign-in answers the step-ups of all of them, and none is asked for
 * where it would end in a denial.
 * @see ID-JAG draft §4.3.3, RFC 8707 §2.2
 */
function together(resources: readonly (string | undefined)[], facts: Facts): Decision {
  const outlooks = resources.map((resource) => outlookAt(resource, facts));
  const decisions = outlooks.map((outlook) => decideAt(outlook, facts));
  const denied = decisions.find(({ effect }) => effect === "deny");
  if (denied !== undefined) return denied;
  const waiting = decisions.find(({ effect }) => effect === "step-up");
  if (waiting === undefined) return asOne(decisions, facts);
  const { needed, ...asked } = stepUp(outlooks);
  const then = afterSignIn(asked, facts);
  const outcome = asOne(
    resources.map((resource) => decideAt(outlookAt(resource, then), then)),
    facts,
  );
  if (outcome.effect === "deny") return outcome;
  const reasons = onePerConnection(needed.map((assessment) => reasonOf(asked.refusal.reason, assessment)));
  return { effect: "step-up", id: facts.id, reasons, nearMisses: waiting.nearMisses, ...asked };
}

/** One permit for what is permitted at each of several resources. */
function asOne(decisions: readonly Decision[], facts: Facts): Permit | Denial {
  const permits = decisions.filter((one) => one.effect === "permit");
  const [first] = permits;
  if (first === undefined || !permits.every(({ granted }) => sameGrant(granted, first.granted))) return differ(facts);
  return {
    ...first,
    reasons: onePerConnection(permits.flatMap(({ reasons }) => reasons)),
    granted: {
      ...first.granted,
      resources: permits.flatMap(({ granted }) => granted.resources),
      lifetime: Math.min(...permits.map(({ granted }) => granted.lifetime)),
      connections: sorted(new Set(permits.flatMap(({ granted }) => granted.connections))),
    },
  };
}

function onePerConnection(reasons: readonly DecisionReason[]): readonly DecisionReason[] {
  return [...new Map(reasons.map((one) => [one.connection, one])).values()];
}

function differ(facts: Facts): Denial {
  return denial(facts, { reason: "resources-differ" }, [{ id: "resources-differ" }], []);
}

function sameGrant(a: Granted, b: Granted): boolean {
  const details = (one: Granted) => JSON.stringify(one.authorizationDetails);
  return a.scope.join(" ") === b.scope.join(" ") && details(a) === details(b);
}

/** Parties that are off, or do not know each other, whatever was asked for. */
function refusedParty({ agent, person, app }: Facts): Refusal | undefined {
  if (!agent.enabled) return { reason: "client-disabled" };
  if (!person.enabled) return { reason: "person-disabled" };
  if (!app.enabled) return { reason: "app-disabled" };
  if (!Object.hasOwn(app.clients, agent.id)) return { reason: "agent-unknown-to-app" };
  return undefined;
}

/** A request for what the app does not have. One unknown scope refuses all of it, even beside known ones. */
function refusedRequest({ asked, app }: Facts): Refusal | undefined {
  const { resource: resources, scope, authorizationDetails = [] } = asked;
  if (resources.some((resource) => !app.resources.includes(resource))) return { reason: "resource-unknown" };
  if (scope?.some((one) => !Object.hasOwn(app.scopes, one))) return { reason: "scope-unknown" };
  const types = app.authorizationDetailsTypes ?? {};
  if (authorizationDetails.some(({ type }) => !Object.hasOwn(types, type))) {
    return { reason: "authorization-details-unknown" };
  }
  // RFC 9396 §3: details are for the resources that the request names; none being named, for the app's.
  const places = resources.length > 0 ? resources : app.resources;
  if (authorizationDetails.some(({ locations }) => !locationsWithin(locations, places))) {
    return { reason: "authorization-details-differ", detail: "locations" };
  }
  return undefined;
}

function locationsWithin(locations: unknown, places: readonly string[]): boolean {
  return locations === undefined || (Array.isArray(locations) && locations.every((one) => places.includes(one)));
}

/** The resources asked for; none being asked for, the app's only one; else the app as a whole, which is `undefined`. */
function resourcesMeant({ asked, app }: Facts): readonly (string | undefined)[] {
  const named = [...new Set(asked.resource)];
  if (named.length > 0) return named;
  return [app.resources.length === 1 ? app.resources[0] : undefined];
}

/** Whether the request says by name what it wants. */
function namesWhat({ asked }: Facts): boolean {
  return (asked.scope !== undefined && asked.scope.length > 0) || asked.authorizationDetails !== undefined;
}

function permit(
  facts: Facts,
  granting: readonly Assessment[],
  what: Pick<Granted, "scope" | "resources" | "authorizationDetails">,
  nearMisses: readonly NearMiss[],
): Permit {
  return {
    effect: "permit",
    id: facts.id,
    reasons: granting.map((assessment) => reasonOf("connection-permits", assessment)),
    nearMisses,
    granted: {
      ...what,
      ...(facts.actor === undefined ? {} : { actor: facts.actor }),
      lifetime: Math.min(...granting.map(({ connection }) => lifetimeOf(connection, facts))),
      connections: granting.map(({ connection }) => connection.id),
      withheld: sorted(new Set(facts.asked.scope ?? [])).filter((asked) => !what.scope.includes(asked)),
    },
  };
}

/** Seconds; what a connection grants does not outlive it. */
function lifetimeOf({ lifetime, expires }: Connection, { defaultLifetime, now }: Facts): number {
  return Math.min(lifetime ?? defaultLifetime, expires === undefined ? Number.POSITIVE_INFINITY : expires - now);
}

/** Tells first of the connection that came furthest: the others are further from being what the admin looks for. */
function denialByPolicy(facts: Facts, assessments: readonly Assessment[], nearMisses: readonly NearMiss[]): Denial {
  const reasons = assessments
    .flatMap((assessment) => assessment.failed.slice(0, 1).map((first) => ({ first, assessment })))
    .sort((a, b) => CONDITIONS.indexOf(b.first) - CONDITIONS.indexOf(a.first))
    .map(({ first, assessment }) => ({ reason: first, told: reasonOf(first, assessment) }));
  const [nearest] = reasons;
  if (nearest === undefined) return denial(facts, { reason: "no-connection" }, [{ id: "no-connection" }], []);
  return denial(
    facts,
    { reason: nearest.reason },
    reasons.map(({ told }) => told),
    nearMisses,
  );
}

function denial(
  facts: Facts,
  refusal: Refusal,
  reasons: readonly DecisionReason[],
  nearMisses: readonly NearMiss[],
): Denial {
  // Some peers know no access_denied at a token endpoint; what is not policy keeps its own error for them, too.
  const renamed = facts.agent.denialError === "invalid_grant" && errorOf(refusal.reason) === "access_denied";
  return {
    effect: "deny",
    id: facts.id,
    reasons,
    nearMisses,
    refusal: renamed ? { ...refusal, error: "invalid_grant" } : refusal,
  };
}

function nearMiss({ connection, scopes, failed }: Assessment): NearMiss[] {
  const [reason, ...more] = failed;
  return reason !== undefined && more.length === 0
    ? [{ connection: connection.id, reason, scopes: sorted(scopes) }]
    : [];
}

function reasonOf(id: RefusalReason | "connection-permits", { connection, scopes }: Assessment): DecisionReason {
  return { id, connection: connection.id, ...(scopes.length > 0 ? { scopes: sorted(scopes) } : {}) };
}

/** What of the asked details some of the connections grant, each by the one that leaves most of it. */
function detailsOf(assessments: readonly Assessment[], { asked }: Facts): readonly AuthorizationDetail[] {
  const limits = assessments.flatMap(({ connection }) => connection.authorizationDetails ?? []);
  return narrowDetails(asked.authorizationDetails ?? [], limits);
}

function scopesOf(assessments: readonly Assessment[]): string[] {
  return sorted(new Set(assessments.flatMap(({ scopes }) => scopes)));
}

function sorted(values: Iterable<string>): string[] {
  return [...values].sort(compare);
}

/** By code units, the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
