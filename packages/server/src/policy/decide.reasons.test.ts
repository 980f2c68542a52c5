import { describe, expect, it } from "vitest";
import { connection, facts, NOW } from "./decide.testing.ts";
import { decide } from "./decide.ts";
import type { Facts } from "./facts.ts";

const MCP = "https://ledger.example/mcp";
const FILES = "https://ledger.example/files";
const twoResources = { ...facts().app, resources: [MCP, FILES] };
const atBoth = (...scope: string[]) => ({ app: twoResources, asked: { resource: [MCP, FILES], scope } });

/** A connection that gives `write` to a sign-in of at most 30 seconds' age; the tests' is a minute old. */
const young = connection({ id: "young", scopes: ["write"], defaultScopes: ["write"], conditions: { maxAge: 30 } });

describe("a permit tells", () => {
  it("of each connection that was used at several resources, once", () => {
    const decision = decide(
      facts({
        ...atBoth("read"),
        connections: [
          connection({ id: "both" }),
          connection({ id: "files", resources: [FILES] }),
          connection({ id: "mcp", resources: [MCP] }),
        ],
      }),
    );
    expect(decision).toMatchObject({ effect: "permit", granted: { connections: ["both", "files", "mcp"] } });
    expect(decision.reasons.map((reason) => reason.connection).sort()).toEqual(["both", "files", "mcp"]);
    expect(new Set(decision.reasons.map(({ id }) => id))).toEqual(new Set(["connection-permits"]));
  });

  it("of no scopes where details alone are granted", () => {
    const account = { type: "account" };
    const decision = decide(
      facts({
        app: { ...facts().app, authorizationDetailsTypes: { account: "An account" } },
        asked: { resource: [], authorizationDetails: [account] },
        connections: [connection({ authorizationDetails: [account] })],
      }),
    );
    expect(decision.reasons).toStrictEqual([{ id: "connection-permits", connection: "c1" }]);
  });

  it("of no near miss, no withheld scope and no actor where there was none", () => {
    const decision = decide(facts());
    expect(decision).toMatchObject({ effect: "permit", nearMisses: [], granted: { withheld: [] } });
    expect(decision).not.toHaveProperty("granted.actor");
  });
});

describe("a denial tells", () => {
  it.each<readonly [string, Partial<Facts>]>([
    ["one refused for its parties", { person: { id: "alice", groups: [], enabled: false } }],
    ["one refused for what it asks for", { asked: { resource: [], scope: ["fly"] } }],
    ["one that nobody connected", { connections: [] }],
    [
      "one that would get something else at each resource",
      {
        ...atBoth("read", "write"),
        connections: [connection(), connection({ id: "c2", scopes: ["write"], resources: [MCP] })],
      },
    ],
  ])("of its reason alone, no connection having nearly permitted it: %s", (_, changes) => {
    const decision = decide(facts(changes));
    expect(decision).toMatchObject({ effect: "deny", nearMisses: [] });
    expect(decision.reasons).toHaveLength(1);
    expect(decision).not.toHaveProperty("reasons.0.connection");
  });
});

describe("a step-up tells", () => {
  it("of the connections that a new sign-in would open, and what each would give", () => {
    // It gives what is granted already: it says nothing about the sign-in that is needed.
    const stronger = connection({ id: "stronger", scopes: ["read"], conditions: { acr: "phr" } });
    const asked = { resource: [], scope: ["read", "write"] };
    const decision = decide(facts({ asked, connections: [connection(), stronger, young] }));
    expect(decision).toMatchObject({ effect: "step-up", maxAge: 30, refusal: { reason: "sign-in-too-old" } });
    expect(decision.reasons).toEqual([{ id: "sign-in-too-old", connection: "young", scopes: ["write"] }]);
    expect(decision).not.toHaveProperty("acrValues");
  });

  it("that the sign-in is too weak, where it is too old as well", () => {
    const weak = connection({ id: "weak", scopes: ["admin"], conditions: { acr: "phr" } });
    const decision = decide(facts({ asked: { resource: [], scope: ["write", "admin"] }, connections: [young, weak] }));
    expect(decision).toMatchObject({ effect: "step-up", refusal: { reason: "acr-too-weak" }, maxAge: 30 });
  });

  it("a sign-in by which nothing is lost that is granted already", () => {
    const passkey = connection({ id: "passkey", conditions: { acr: "phr", maxAge: 3_600 } });
    const recent = { ...young, conditions: { acr: "urn:credence:acr:mfa", maxAge: 30 } };
    const asked = { resource: [], scope: ["read", "write"] };
    const authentication = { authTime: NOW - 60, acr: "phr" };
    // A code would do for `write`, but take `read` away: the next request would want a passkey again.
    const decision = decide(facts({ authentication, asked, connections: [passkey, recent] }));
    expect(decision).toMatchObject({ effect: "step-up", acrValues: ["phr"], maxAge: 30 });
  });

  it("the strongest way to sign in that any of the scopes takes", () => {
    const wants = (id: string, scope: string, acr: string) => connection({ id, scopes: [scope], conditions: { acr } });
    const decision = decide(
      facts({
        asked: { resource: [], scope: ["read", "write", "admin"] },
        connections: [
          wants("a", "read", "urn:credence:acr:mfa"),
          wants("b", "write", "phr"),
          wants("c", "admin", "urn:credence:acr:password"),
        ],
      }),
    );
    expect(decision).toMatchObject({ effect: "step-up", acrValues: ["phr"] });
  });
});

describe("several resources", () => {
  it("of which one needs a newer sign-in: all of them wait for it", () => {
    const decision = decide(
      facts({
        ...atBoth("read"),
        connections: [
          connection({ id: "a", resources: [MCP] }),
          connection({ id: "b", resources: [FILES], conditions: { maxAge: 30 } }),
        ],
      }),
    );
    expect(decision).toMatchObject({ effect: "step-up", maxAge: 30 });
  });

  it("each of which needs another sign-in: one that meets both", () => {
    const connections = [
      connection({ id: "a", resources: [MCP], conditions: { acr: "phr" } }),
      connection({ id: "b", resources: [FILES], conditions: { maxAge: 30 } }),
    ];
    const decision = decide(facts({ ...atBoth("read"), connections }));
    expect(decision).toMatchObject({ effect: "step-up", acrValues: ["phr"], maxAge: 30 });
    expect(decision.reasons.map((reason) => reason.connection)).toEqual(["a", "b"]);
  });

  it("of which one would give more after a new sign-in: nobody is sent to sign in for a denial", () => {
    const connections = [connection(), { ...young, resources: [FILES] }];
    const decision = decide(facts({ ...atBoth("read", "write"), connections }));
    expect(decision).toMatchObject({ effect: "deny", refusal: { reason: "resources-differ" } });
  });

  it("with the same two scopes at each", () => {
    const decision = decide(
      facts({
        ...atBoth("write", "read"),
        connections: [
          connection({ id: "a", scopes: ["read", "write"], resources: [MCP] }),
          connection({ id: "b", scopes: ["write", "read"], resources: [FILES] }),
        ],
      }),
    );
    expect(decision).toMatchObject({
      effect: "permit",
      granted: { scope: ["read", "write"], resources: [MCP, FILES] },
    });
  });
});

describe("conditions", () => {
  it("an empty scope names none: what is one step-up away is left out while something is left", () => {
    const decision = decide(facts({ asked: { resource: [], scope: [] }, connections: [connection(), young] }));
    expect(decision).toMatchObject({ effect: "permit", granted: { scope: ["read"], connections: ["c1"] } });
  });

  it("a group that is named like the end of a person's reference is not that person", () => {
    const person = { id: "alice", groups: [":bob", "son:bob", "bob"], enabled: true };
    const decision = decide(facts({ person, connections: [connection({ people: ["person:bob"] })] }));
    expect(decision).toMatchObject({ effect: "deny", refusal: { reason: "person-not-covered" } });
  });

  it.each([
    ["no number", Number.NaN],
    ["before all time", Number.NEGATIVE_INFINITY],
    ["after all time", Number.POSITIVE_INFINITY],
    ["more than a minute ahead of the clock", NOW + 61],
  ])("a sign-in whose time is %s does not say when it was", (_, authTime) => {
    const connections = [connection({ conditions: { maxAge: 60 } })];
    const decision = decide(facts({ authentication: { authTime }, connections }));
    expect(decision).toMatchObject({ effect: "step-up", refusal: { reason: "auth-time-missing" } });
  });

  it("a sign-in a minute ahead of the clock is believed: clocks differ", () => {
    const connections = [connection({ conditions: { maxAge: 60 } })];
    expect(decide(facts({ authentication: { authTime: NOW + 60 }, connections })).effect).toBe("permit");
  });
});
