import type { Refusal } from "@credence/protocol";
import { errorOf, type RefusalReason } from "@credence/protocol/reasons";
import { type Assessment, assess, CONDITIONS, isStepUpAway } from "./conditions.ts";
import type { Decision, DecisionReason, Denial, NearMiss, Permit, StepUp } from "./decision.ts";
import type { Facts } from "./facts.ts";

/**
 * May this agent reach this app for this person, now, and for what? Pure: the same facts give the same decision.
 *
 * In this order: are the parties on; does the app know the agent; is what was asked for the app's; what do the
 * connections grant; is a sign-in away what they do not. Nothing left is a denial, never an empty grant.
 *
 * @param facts - Everything that counts, times in seconds.
 * @returns permit, denial or step-up, with every reason. Never throws.
 * @see docs/decisions/0003-decide.md
 */
export function decide(facts: Facts): Decision {
  const refused = refusedParty(facts) ?? refusedRequest(facts);
  if (refused) return denial(facts, refused, [{ id: refused.reason }], []);

  const resource = resourceMeant(facts);
  const assessments = facts.connections
    .filter(({ agent, app }) => agent === facts.agent.id && app === facts.app.id)
    .map((connection) => assess(connection, resource, facts))
    .sort((a, b) => compare(a.connection.id, b.connection.id));
  const granting = assessments.filter(({ failed }) => failed.length === 0);
  const granted = scopesOf(granting);
  const away = assessments.filter(isStepUpAway);
  const missing = scopesOf(away).filter((scope) => !granted.includes(scope));
  const nearMisses = assessments.flatMap(nearMiss);

  if (missing.length > 0 && (namesScopes(facts) || granted.length === 0)) {
    return stepUp(facts, away, missing, nearMisses);
  }
  if (granted.length === 0) return denialByPolicy(facts, assessments, nearMisses);
  return permit(facts, granting, granted, resource, nearMisses);
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
  const [resource, ...more] = asked.resource;
  if (more.length > 0) return { reason: "resources-several" };
  if (resource !== undefined && !app.resources.includes(resource)) return { reason: "resource-unknown" };
  if (asked.scope?.some((scope) => !Object.hasOwn(app.scopes, scope))) return { reason: "scope-unknown" };
  return undefined;
}

/** The resource asked for; none being asked for, the app's only one; else the app as a whole. */
function resourceMeant({ asked, app }: Facts): string | undefined {
  return asked.resource[0] ?? (app.resources.length === 1 ? app.resources[0] : undefined);
}

function namesScopes({ asked }: Facts): boolean {
  return asked.scope !== undefined && asked.scope.length > 0;
}

function permit(
  facts: Facts,
  granting: readonly Assessment[],
  scope: readonly string[],
  resource: string | undefined,
  nearMisses: readonly NearMiss[],
): Permit {
  const lifetime = Math.min(...granting.map(({ connection }) => connection.lifetime ?? facts.defaultLifetime));
  const withheld = sorted(new Set(facts.asked.scope ?? [])).filter((asked) => !scope.includes(asked));
  return {
    effect: "permit",
    id: facts.id,
    reasons: granting.map((assessment) => reasonOf("connection-permits", assessment)),
    nearMisses,
    granted: {
      scope,
      ...(resource === undefined ? {} : { resource }),
      lifetime,
      connections: granting.map(({ connection }) => connection.id),
      withheld,
    },
  };
}

/**
 * Each missing scope needs a sign-in as recent as the most patient of its connections wants; all of them together, as
 * recent as the least patient of the scopes wants. So one new sign-in is always enough.
 */
function stepUp(
  facts: Facts,
  away: readonly Assessment[],
  missing: readonly string[],
  nearMisses: readonly NearMiss[],
): StepUp {
  const needed = away.filter(({ scopes }) => scopes.some((scope) => missing.includes(scope)));
  const patience = missing.map((scope) =>
    Math.max(...needed.filter(({ scopes }) => scopes.includes(scope)).map(({ connection }) => maxAgeOf(connection))),
  );
  const maxAge = Math.min(...patience);
  const reason = needed.some(({ failed }) => failed[0] === "sign-in-too-old") ? "sign-in-too-old" : "auth-time-missing";
  return {
    effect: "step-up",
    id: facts.id,
    reasons: needed.map((assessment) => reasonOf(reason, assessment)),
    nearMisses,
    maxAge,
    refusal: { reason, wire: { max_age: maxAge } },
  };
}

function maxAgeOf({ conditions }: Assessment["connection"]): number {
  return conditions.maxAge ?? Number.POSITIVE_INFINITY;
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
