import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import { describe, expect, it } from "vitest";
import { connection, facts, NOW } from "./decide.testing.ts";
import { decide } from "./decide.ts";
import type { Facts } from "./facts.ts";

const MCP = "https://ledger.example/mcp";
const FILES = "https://ledger.example/files";
const twoResources = { ...facts().app, resources: [MCP, FILES] };
const ask = (scope?: string[], resource: string[] = []) => ({ asked: { resource, ...(scope ? { scope } : {}) } });

type Case = readonly [holds: string, changes: Partial<Facts>, outcome: Record<string, unknown>];

const accounts = { ...facts().app, authorizationDetailsTypes: { account: "An account" } };
const askDetails = (authorizationDetails: AuthorizationDetail[], scope?: string[]) => ({
  asked: { resource: [MCP], authorizationDetails, ...(scope ? { scope } : {}) },
});
const reads = connection({ id: "reads", authorizationDetails: [{ type: "account", actions: ["read"] }] });

const permits: readonly Case[] = [
  [
    "two resources, the same at each",
    { ...ask(["read"], [MCP, FILES]), app: twoResources },
    { resources: [MCP, FILES], scope: ["read"] },
  ],
  ["one resource twice is one resource", { ...ask(["read"], [MCP, MCP]), app: twoResources }, { resources: [MCP] }],
  [
    "two resources by other connections at each: all of them, the shortest lifetime",
    {
      ...ask(["read"], [MCP, FILES]),
      app: twoResources,
      connections: [
        connection({ id: "a", resources: [FILES], lifetime: 60 }),
        connection({ id: "b", resources: [MCP], lifetime: 90 }),
      ],
    },
    { resources: [MCP, FILES], connections: ["a", "b"], lifetime: 60 },
  ],
  [
    "details, narrowed to what the connection grants, and no scope by default beside them",
    { app: accounts, connections: [reads], ...askDetails([{ type: "account", actions: ["read", "write"] }]) },
    { scope: [], authorizationDetails: [{ type: "account", actions: ["read"] }] },
  ],
  [
    "details and scopes, each by itself",
    { app: accounts, connections: [reads], ...askDetails([{ type: "account", actions: ["write"] }], ["read"]) },
    { scope: ["read"], authorizationDetails: [] },
  ],
  [
    "an actor that every connection used allows",
    { actor: "crawler", connections: [connection({ actors: ["crawler"] }), connection({ id: "c2" })] },
    { actor: "crawler", connections: ["c1"] },
  ],
  [
    "a proven key where the connection wants one",
    { binding: "dpop", connections: [connection({ conditions: { bound: true } })] },
    { scope: ["read"] },
  ],
  [
    "a sign-in that is stronger than needed",
    {
      authentication: { authTime: NOW, acr: "phr" },
      connections: [connection({ conditions: { acr: "urn:credence:acr:mfa" } })],
    },
    { scope: ["read"] },
  ],
  ["no longer than the connection itself", { connections: [connection({ expires: NOW + 30 })] }, { lifetime: 30 }],
  ["no scope named: the default scopes", {}, { scope: ["read"] }],
  ["an empty scope names none", ask([]), { scope: ["read"] }],
  ["a scope named twice is granted once", ask(["read", "read"]), { scope: ["read"], withheld: [] }],
  ["some of the scopes: narrower, and said so", ask(["write", "read"]), { scope: ["read"], withheld: ["write"] }],
  [
    "several connections give the union, scope by scope",
    { ...ask(["read", "write"]), connections: [connection(), connection({ id: "c0", scopes: ["write"] })] },
    { scope: ["read", "write"], connections: ["c0", "c1"] },
  ],
  ["by group", { connections: [connection({ people: ["group:finance"] })] }, { scope: ["read"] }],
  ["by name", { connections: [connection({ people: ["person:alice"] })] }, { scope: ["read"] }],
  ["the server's lifetime", {}, { lifetime: 300 }],
  [
    "the shortest lifetime of the connections used",
    {
      connections: [connection({ lifetime: 900 }), connection({ id: "c2", lifetime: 120 }), connection({ id: "c3" })],
    },
    { lifetime: 120 },
  ],
  [
    "an unused connection does not shorten the lifetime",
    { ...ask(["read"]), connections: [connection(), connection({ id: "c2", scopes: ["write"], lifetime: 5 })] },
    { lifetime: 300, connections: ["c1"] },
  ],
  ["the app's only resource is meant when none is asked for", {}, { resources: [MCP] }],
  [
    "no resource asked for, several in the app: the app as a whole, by connections without a list",
    { app: twoResources, connections: [connection(), connection({ id: "c2", scopes: ["write"], resources: [MCP] })] },
    { resources: [], connections: ["c1"] },
  ],
  [
    "a connection for the resource asked for",
    { ...ask(undefined, [FILES]), app: twoResources, connections: [connection({ resources: [FILES] })] },
    { resources: [FILES] },
  ],
  ["a sign-in exactly as old as allowed", { connections: [connection({ conditions: { maxAge: 60 } })] }, {}],
  [
    "a scope that another connection grants without a step-up needs none",
    { ...ask(["read"]), connections: [connection(), connection({ id: "c2", conditions: { maxAge: 1 } })] },
    { connections: ["c1"] },
  ],
  [
    "no scope named: what is one step-up away is left out while something is left",
    {
      connections: [
        connection(),
        connection({ id: "c2", scopes: ["write"], defaultScopes: ["write"], conditions: { maxAge: 1 } }),
      ],
    },
    { scope: ["read"], connections: ["c1"] },
  ],
  ["the second before it expires", { connections: [connection({ expires: NOW + 1 })] }, {}],
  [
    "a default that the connection does not name is not granted",
    { connections: [connection({ defaultScopes: ["read", "write"] })] },
    { scope: ["read"] },
  ],
];

const denials: readonly Case[] = [
  ["no connection", { connections: [] }, { reason: "no-connection" }],
  ["a connection of another agent", { connections: [connection({ agent: "other" })] }, { reason: "no-connection" }],
  ["a connection to another app", { connections: [connection({ app: "other" })] }, { reason: "no-connection" }],
  ["switched off", { connections: [connection({ enabled: false })] }, { reason: "connection-off" }],
  ["expired, at its very second", { connections: [connection({ expires: NOW })] }, { reason: "connection-expired" }],
  ["other people", { connections: [connection({ people: ["person:bob"] })] }, { reason: "person-not-covered" }],
  ["other groups", { connections: [connection({ people: ["group:legal"] })] }, { reason: "person-not-covered" }],
  [
    "a person with a group's name is not the group",
    { person: { id: "finance", groups: [], enabled: true }, connections: [connection({ people: ["group:finance"] })] },
    { reason: "person-not-covered" },
  ],
  ["nobody", { connections: [connection({ people: [] })] }, { reason: "person-not-covered" }],
  ["a scope that no connection names", ask(["write"]), { reason: "scope-not-covered" }],
  ["no default scopes", { connections: [connection({ defaultScopes: [] })] }, { reason: "scope-not-covered" }],
  [
    "another resource of the app",
    { ...ask(undefined, [FILES]), app: twoResources, connections: [connection({ resources: [MCP] })] },
    { reason: "resource-not-covered" },
  ],
  [
    "a connection with a list never covers the app as a whole",
    { app: twoResources, connections: [connection({ resources: [MCP, FILES] })] },
    { reason: "resource-not-covered" },
  ],
  ["person disabled", { person: { id: "alice", groups: [], enabled: false } }, { reason: "person-disabled" }],
  ["app disabled", { app: { ...facts().app, enabled: false } }, { reason: "app-disabled" }],
  ["agent unknown to the app", { app: { ...facts().app, clients: {} } }, { reason: "agent-unknown-to-app" }],
  [
    "an agent named like a member of every object",
    { agent: { id: "constructor", enabled: true, denialError: "access_denied" } },
    { reason: "agent-unknown-to-app" },
  ],
  [
    "agent disabled",
    { agent: { id: "assistant", enabled: false, denialError: "invalid_grant" } },
    { reason: "client-disabled" },
  ],
  ["a scope that the app lacks, beside one that is fine", ask(["read", "fly"]), { reason: "scope-unknown" }],
  ["a scope named like a member of every object", ask(["toString"]), { reason: "scope-unknown" }],
  ["a resource that the app lacks", ask(["read"], ["https://other.example/"]), { reason: "resource-unknown" }],
  ["a resource that differs by a slash", ask(["read"], [`${MCP}/`]), { reason: "resource-unknown" }],
  [
    "two resources with other scopes at each",
    {
      ...ask(["read", "write"], [MCP, FILES]),
      app: twoResources,
      connections: [connection(), connection({ id: "c2", scopes: ["write"], resources: [MCP] })],
    },
    { reason: "resources-differ" },
  ],
  [
    "two resources, one of which nothing covers",
    { ...ask(["read"], [MCP, FILES]), app: twoResources, connections: [connection({ resources: [MCP] })] },
    { reason: "resource-not-covered" },
  ],
  [
    "a detail of a type that the app does not have",
    { app: accounts, ...askDetails([{ type: "payment" }]) },
    { reason: "authorization-details-unknown" },
  ],
  [
    "a detail named like a member of every object",
    { app: accounts, ...askDetails([{ type: "toString" }]) },
    { reason: "authorization-details-unknown" },
  ],
  [
    "a detail at a place that is not asked for",
    { app: accounts, ...askDetails([{ type: "account", locations: [FILES] }]) },
    { reason: "authorization-details-differ" },
  ],
  [
    "a detail that no connection grants",
    { app: accounts, connections: [reads], ...askDetails([{ type: "account", actions: ["write"] }]) },
    { reason: "details-not-covered" },
  ],
  ["an actor that the connection does not name", { actor: "crawler" }, { reason: "actor-not-covered" }],
  [
    "no proof where the connection wants one",
    { connections: [connection({ conditions: { bound: true } })] },
    { reason: "binding-missing" },
  ],
  [
    "an acr that nobody can have: no step-up would help",
    { connections: [connection({ conditions: { acr: "gold" } })] },
    { reason: "acr-too-weak" },
  ],
  [
    "off and too old: a new sign-in would not help",
    { connections: [connection({ enabled: false, conditions: { maxAge: 1 } })] },
    { reason: "connection-off" },
  ],
  [
    "the connection that came furthest is the one to tell of",
    { connections: [connection({ id: "a", people: ["person:bob"] }), connection({ id: "b", enabled: false })] },
    { reason: "connection-off" },
  ],
  [
    "invalid_grant for an agent that knows no access_denied",
    { agent: { id: "assistant", enabled: true, denialError: "invalid_grant" }, connections: [] },
    { reason: "no-connection", error: "invalid_grant" },
  ],
];

const young = connection({ id: "c2", scopes: ["write"], defaultScopes: ["write"], conditions: { maxAge: 30 } });

const stepUps: readonly Case[] = [
  [
    "too weak",
    {
      authentication: { authTime: NOW, acr: "urn:credence:acr:password" },
      connections: [connection({ conditions: { acr: "phr" } })],
    },
    { acrValues: ["phr"] },
  ],
  [
    "too weak and too old: both in one sign-in",
    { connections: [connection({ conditions: { acr: "urn:credence:acr:mfa", maxAge: 10 } })] },
    { acrValues: ["urn:credence:acr:mfa"], maxAge: 10 },
  ],
  [
    "of two that give the same, the one that asks for less",
    {
      connections: [
        connection({ id: "a", conditions: { acr: "phr" } }),
        connection({ id: "b", conditions: { acr: "urn:credence:acr:mfa", maxAge: 10 } }),
      ],
    },
    { acrValues: ["urn:credence:acr:mfa"], maxAge: 10 },
  ],
  [
    "details that a stronger sign-in would give",
    {
      app: accounts,
      connections: [{ ...reads, conditions: { acr: "phr" } }],
      ...askDetails([{ type: "account", actions: ["read"] }]),
    },
    { acrValues: ["phr"] },
  ],
  ["too old by a second", { connections: [connection({ conditions: { maxAge: 59 } })] }, { maxAge: 59 }],
  [
    "a sign-in that does not say when",
    { authentication: {}, connections: [connection({ conditions: { maxAge: 8 * 3600 } })] },
    { maxAge: 8 * 3600, reason: "auth-time-missing" },
  ],
  [
    "a sign-in in the future is not believed",
    { authentication: { authTime: NOW + 3600 }, connections: [connection({ conditions: { maxAge: 60 } })] },
    { reason: "auth-time-missing" },
  ],
  ["one of the scopes named", { ...ask(["read", "write"]), connections: [connection(), young] }, { maxAge: 30 }],
  [
    "one of the scopes named, another denied",
    { ...ask(["write", "admin"]), connections: [young] },
    { maxAge: 30, reason: "sign-in-too-old" },
  ],
  ["no scope named, everything left", { connections: [young] }, { maxAge: 30 }],
  [
    "the most patient connection of a scope counts",
    { ...ask(["write"]), connections: [young, connection({ ...young, id: "c3", conditions: { maxAge: 45 } })] },
    { maxAge: 45 },
  ],
  [
    "the least patient of the scopes counts",
    { ...ask(["write", "admin"]), connections: [young, connection({ scopes: ["admin"], conditions: { maxAge: 5 } })] },
    { maxAge: 5 },
  ],
];

describe("decide permits", () => {
  it.each(permits)("%s", (_, changes, outcome) => {
    const decision = decide(facts(changes));
    expect(decision).toMatchObject({ effect: "permit", id: "decision-1" });
    if (decision.effect !== "permit") return;
    const told = Object.fromEntries(Object.entries(decision.granted).filter(([member]) => member in outcome));
    expect({ ...outcome, ...told }).toEqual(outcome);
    expect(Object.keys(told)).toEqual(
      expect.arrayContaining(Object.keys(outcome).filter((key) => outcome[key] !== undefined)),
    );
  });
});

describe("decide denies", () => {
  it.each(denials)("%s", (_, changes, outcome) => {
    const decision = decide(facts(changes));
    expect(decision).toMatchObject({ effect: "deny", refusal: outcome });
    expect(decision).toHaveProperty("reasons.0.id", outcome.reason);
    expect(decision).not.toHaveProperty("granted");
    if (!("error" in outcome)) expect(decision).not.toHaveProperty("refusal.error");
  });
});

describe("decide asks for a step-up", () => {
  it.each(stepUps)("%s", (_, changes, { maxAge, acrValues, reason }) => {
    const decision = decide(facts(changes));
    expect(decision).toMatchObject({ effect: "step-up" });
    if (decision.effect !== "step-up") return;
    if (maxAge !== undefined) expect(decision.maxAge).toBe(maxAge);
    if (reason !== undefined) expect(decision.refusal.reason).toBe(reason);
    expect(decision.acrValues).toEqual(acrValues);
    expect(decision.refusal.wire).toStrictEqual({
      ...(decision.maxAge === undefined ? {} : { max_age: decision.maxAge }),
      ...(decision.acrValues === undefined ? {} : { acr_values: decision.acrValues.join(" ") }),
    });
  });
});

describe("decide explains", () => {
  it("which connections permit what", () => {
    expect(decide(facts(ask(["read"]))).reasons).toEqual([
      { id: "connection-permits", connection: "c1", scopes: ["read"] },
    ]);
  });

  it("near misses: the one condition that stopped a connection", () => {
    const { nearMisses } = decide(
      facts({
        connections: [
          connection({ id: "a", enabled: false }),
          connection({ id: "b", people: ["person:bob"] }),
          connection({ id: "c", people: ["person:bob"], enabled: false }),
        ],
      }),
    );
    expect(nearMisses).toEqual([
      { connection: "a", reason: "connection-off", scopes: ["read"] },
      { connection: "b", reason: "person-not-covered", scopes: ["read"] },
    ]);
  });

  it("every connection's first obstacle, the furthest first", () => {
    const { reasons } = decide(
      facts({
        connections: [connection({ id: "a", people: [] }), connection({ id: "b", expires: NOW - 1 })],
      }),
    );
    expect(reasons.map(({ id, connection }) => [id, connection])).toEqual([
      ["connection-expired", "b"],
      ["person-not-covered", "a"],
    ]);
  });
});
