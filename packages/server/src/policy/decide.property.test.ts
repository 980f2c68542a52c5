import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACR_VALUES } from "../directory/acr.ts";
import type { Connection, PeopleRef } from "../directory/types.ts";
import { NOW } from "./decide.testing.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import type { Facts } from "./facts.ts";

const SCOPES = ["read", "write", "admin"];
const RESOURCES = ["urn:r:1", "urn:r:2"];

const connections: fc.Arbitrary<Connection[]> = fc.uniqueArray(
  fc
    .record(
      {
        id: fc.constantFrom("c1", "c2", "c3", "c4", "c5"),
        enabled: fc.oneof({ arbitrary: fc.constant(true), weight: 4 }, { arbitrary: fc.constant(false), weight: 1 }),
        agent: fc.constant("assistant"),
        app: fc.constant("ledger"),
        people: fc.subarray<PeopleRef>(["everyone", "person:alice", "person:bob", "group:finance", "group:legal"]),
        scopes: fc.subarray(SCOPES, { minLength: 1 }),
        defaultScopes: fc.subarray(SCOPES),
        resources: fc.subarray(RESOURCES, { minLength: 1 }),
        conditions: fc.record(
          {
            maxAge: fc.constantFrom(10, 100, 1000),
            acr: fc.constantFrom(...ACR_VALUES, "gold"),
            bound: fc.boolean(),
          },
          { requiredKeys: [] },
        ),
        actors: fc.subarray(["crawler", "other"]),
        lifetime: fc.constantFrom(60, 120, 600),
        expires: fc.constantFrom(NOW - 1, NOW, NOW + 1),
      },
      { requiredKeys: ["id", "enabled", "agent", "app", "people", "scopes", "defaultScopes", "conditions"] },
    )
    .map((connection) => ({
      ...connection,
      defaultScopes: connection.defaultScopes.filter((scope) => connection.scopes.includes(scope)),
    })),
  { selector: ({ id }) => id, maxLength: 5 },
);

const rarely = fc.oneof({ arbitrary: fc.constant(true), weight: 15 }, { arbitrary: fc.constant(false), weight: 1 });

const requests: fc.Arbitrary<Facts> = fc.record(
  {
    id: fc.constant("decision"),
    now: fc.constant(NOW),
    defaultLifetime: fc.constant(300),
    agent: fc.record({
      id: fc.constant("assistant"),
      enabled: rarely,
      denialError: fc.constant("access_denied" as const),
    }),
    person: fc.record({ id: fc.constant("alice"), groups: fc.subarray(["finance", "staff"]), enabled: rarely }),
    authentication: fc.record(
      {
        authTime: fc.constantFrom(NOW, NOW - 10, NOW - 50, NOW - 500, NOW - 5000, NOW + 61),
        acr: fc.constantFrom(...ACR_VALUES, "gold"),
      },
      { requiredKeys: [] },
    ),
    app: fc.record({
      id: fc.constant("ledger"),
      enabled: rarely,
      resources: fc.subarray(RESOURCES),
      scopes: fc.constant({ read: "", write: "", admin: "" }),
      clients: fc.constantFrom<Record<string, string>>({ assistant: "x" }, { assistant: "y" }, { other: "z" }),
    }),
    connections,
    binding: fc.constantFrom("dpop" as const, "certificate" as const),
    actor: fc.constant("crawler"),
    asked: fc.record(
      {
        resource: fc.oneof(fc.constant([]), fc.subarray([...RESOURCES, "urn:r:3"], { maxLength: 2 })),
        scope: fc.subarray([...SCOPES, "fly"]),
      },
      { requiredKeys: ["resource"] },
    ),
  },
  {
    requiredKeys: ["id", "now", "defaultLifetime", "agent", "person", "authentication", "app", "connections", "asked"],
  },
);

/**
 * The text once more, sentence by sentence and scope by scope, with no thought for reasons or speed: which scopes does
 * some connection give with all its conditions true, and which would one give but for the age of the sign-in?
 */
interface Essence {
  effect: Decision["effect"];
  scope?: string[];
  maxAge?: number;
  acrValues?: string[];
  lifetime?: number;
}

function naive(f: Facts): Essence {
  const deny: Essence = { effect: "deny" };
  if (!(f.agent.enabled && f.person.enabled && f.app.enabled && f.agent.id in f.app.clients)) return deny;
  for (const resource of f.asked.resource) if (new Set(f.app.resources).has(resource) === false) return deny;
  for (const scope of f.asked.scope ?? []) if (!Object.keys(f.app.scopes).includes(scope)) return deny;
  const only = f.app.resources.length === 1 ? f.app.resources[0] : undefined;
  const targets = f.asked.resource.length === 0 ? [only] : f.asked.resource;
  const all = targets.map((target) => naiveAt(f, target));
  if (all.some(({ effect }) => effect === "deny")) return deny;
  if (all.some(({ effect }) => effect === "step-up")) {
    const maxAge = Math.min(...all.map((one) => one.needs.maxAge));
    const acr = ACR_VALUES[Math.max(...all.map((one) => one.needs.strength))];
    const signedIn = {
      ...f.authentication,
      ...(Number.isFinite(maxAge) ? { authTime: f.now - maxAge } : {}),
      ...(acr ? { acr } : {}),
    };
    // Nobody is sent to sign in for a denial.
    if (naive({ ...f, authentication: signedIn }).effect !== "permit") return deny;
    return {
      effect: "step-up",
      ...(Number.isFinite(maxAge) ? { maxAge } : {}),
      ...(acr ? { acrValues: [acr] } : {}),
    };
  }
  const [first] = all;
  if (!first || !all.every(({ scope }) => scope?.join() === first.scope?.join())) return deny;
  return {
    effect: "permit",
    scope: first.scope ?? [],
    lifetime: Math.min(...all.map(({ lifetime = -1 }) => lifetime)),
  };
}

/** With what a sign-in must be like to keep all that is granted, and to get what is one step-up away. */
type At = Essence & { needs: { maxAge: number; strength: number } };

function naiveAt(f: Facts, target: string | undefined): At {
  const byName = (f.asked.scope ?? []).length > 0;
  const me = new Set<string>(["everyone", `person:${f.person.id}`, ...f.person.groups.map((g) => `group:${g}`)]);
  const order: readonly string[] = ACR_VALUES;
  const { authTime, acr = "" } = f.authentication;
  const age = authTime === undefined || authTime > f.now + 60 ? Number.POSITIVE_INFINITY : f.now - authTime;

  const granted: string[] = [];
  const lifetimes: number[] = [];
  const kept: At["needs"][] = [];
  const away: At["needs"][] = [];
  for (const scope of Object.keys(f.app.scopes)) {
    if (byName && !f.asked.scope?.includes(scope)) continue;
    let given = false;
    let best: At["needs"] | undefined;
    for (const c of f.connections) {
      if (!c.enabled || (c.expires ?? Number.POSITIVE_INFINITY) <= f.now) continue;
      if (![...c.people].some((who) => me.has(who))) continue;
      if (c.resources && !(target && c.resources.includes(target))) continue;
      if (!(byName ? c.scopes : c.defaultScopes).includes(scope)) continue;
      if (f.actor && !c.actors?.includes(f.actor)) continue;
      if (c.conditions.bound && !f.binding) continue;
      const maxAge = c.conditions.maxAge ?? Number.POSITIVE_INFINITY;
      const strength = c.conditions.acr === undefined ? -1 : order.indexOf(c.conditions.acr);
      const strongEnough = c.conditions.acr === undefined || (strength >= 0 && order.indexOf(acr) >= strength);
      if (age <= maxAge && strongEnough) {
        given = true;
        lifetimes.push(Math.min(c.lifetime ?? f.defaultLifetime, (c.expires ?? Number.POSITIVE_INFINITY) - f.now));
      }
      if (c.conditions.acr !== undefined && strength < 0) continue;
      const better = !best || strength < best.strength || (strength === best.strength && maxAge > best.maxAge);
      if (better) best = { maxAge, strength };
    }
    if (given) granted.push(scope);
    if (best) (given ? kept : away).push(best);
  }
  const everythingLeftIsAway = granted.length === 0 && away.length > 0;
  const wait = byName ? away.length > 0 : everythingLeftIsAway;
  const counted = wait ? [...kept, ...away] : kept;
  const needs = {
    maxAge: Math.min(...counted.map((one) => one.maxAge)),
    strength: Math.max(...counted.map((one) => one.strength)),
  };
  if (wait) return { effect: "step-up", needs };
  if (granted.length === 0) return { effect: "deny", needs };
  return { effect: "permit", scope: granted.sort(), lifetime: lifetimes.sort((a, b) => a - b)[0] ?? -1, needs };
}

function essence(decision: Decision): Essence {
  if (decision.effect === "deny") return { effect: "deny" };
  if (decision.effect === "step-up") {
    const { maxAge, acrValues } = decision;
    return {
      effect: "step-up",
      ...(maxAge === undefined ? {} : { maxAge }),
      ...(acrValues === undefined ? {} : { acrValues: [...acrValues] }),
    };
  }
  return { effect: "permit", scope: [...decision.granted.scope], lifetime: decision.granted.lifetime };
}

const RUNS = { numRuns: 3000 };

describe("the algebra of a decision", () => {
  it("agrees with a second implementation written from the text", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(requests, (facts) => {
        const decision = essence(decide(facts));
        seen.add(decision.effect);
        expect(decision).toEqual(naive(facts));
      }),
      RUNS,
    );
    // Requests that all end alike would show nothing.
    expect(seen).toEqual(new Set(["permit", "deny", "step-up"]));
  });

  it("does not depend on the order of the connections", () => {
    fc.assert(
      fc.property(requests, fc.infiniteStream(fc.nat()), (facts, random) => {
        const shuffled = facts.connections
          .map((connection) => ({ connection, at: random.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ connection }) => connection);
        expect(decide({ ...facts, connections: shuffled })).toEqual(decide(facts));
      }),
      RUNS,
    );
  });

  it("one connection more never takes a scope away where one resource is meant; at most it asks for a step-up", () => {
    fc.assert(
      fc.property(requests, (facts) => {
        // At several, one more may make what is granted differ: then nothing is.
        if (facts.asked.resource.length > 1) return;
        const fewer = decide({ ...facts, connections: facts.connections.slice(1) });
        if (fewer.effect !== "permit") return;
        const more = decide(facts);
        expect(more.effect).not.toBe("deny");
        if (more.effect === "permit") {
          expect(more.granted.scope).toEqual(expect.arrayContaining([...fewer.granted.scope]));
          expect(more.granted.resources).toEqual(fewer.granted.resources);
        }
      }),
      RUNS,
    );
  });

  it("switching a connection off never adds a scope that was not granted or one step-up away", () => {
    fc.assert(
      fc.property(requests, (facts) => {
        if (facts.asked.resource.length > 1) return;
        const off = decide({
          ...facts,
          connections: facts.connections.map((c, i) => (i === 0 ? { ...c, enabled: false } : c)),
        });
        if (off.effect !== "permit") return;
        const on = decide(facts);
        if (on.effect === "permit") expect(on.granted.scope).toEqual(expect.arrayContaining([...off.granted.scope]));
        else expect(on.effect).toBe("step-up");
      }),
      RUNS,
    );
  });

  it("disabling the agent, the person or the app denies whatever was permitted", () => {
    fc.assert(
      fc.property(requests, fc.constantFrom("agent", "person", "app"), (facts, party) => {
        expect(decide({ ...facts, [party]: { ...facts[party as "agent"], enabled: false } }).effect).toBe("deny");
      }),
      RUNS,
    );
  });

  it("a new sign-in answers every step-up", () => {
    fc.assert(
      fc.property(requests, (facts) => {
        const decision = decide(facts);
        if (decision.effect !== "step-up") return;
        // As recent and as strong as was asked for, and no more than that.
        const { maxAge = 1_000_000, acrValues: [acr = facts.authentication.acr] = [] } = decision;
        const authentication = { authTime: facts.now - maxAge, ...(acr === undefined ? {} : { acr }) };
        expect(decide({ ...facts, authentication }).effect).toBe("permit");
      }),
      RUNS,
    );
  });

  it("grants nothing beyond what was asked for, and only what the app has", () => {
    fc.assert(
      fc.property(requests, (facts) => {
        const decision = decide(facts);
        if (decision.effect !== "permit") return;
        expect(Object.keys(facts.app.scopes)).toEqual(expect.arrayContaining([...decision.granted.scope]));
        if (facts.asked.scope?.length)
          expect(facts.asked.scope).toEqual(expect.arrayContaining([...decision.granted.scope]));
      }),
      RUNS,
    );
  });
});
