import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import { describe, expect, it } from "vitest";
import { connection, facts, NOW } from "./decide.testing.ts";
import { decide } from "./decide.ts";
import type { Facts } from "./facts.ts";

const MCP = "https://ledger.example/mcp";
const FILES = "https://ledger.example/files";
const ELSEWHERE = "https://other.example/";
const app = {
  ...facts().app,
  resources: [MCP, FILES],
  authorizationDetailsTypes: { account: "An account", report: "A report" },
};
const account: AuthorizationDetail = { type: "account", actions: ["read"] };
const report: AuthorizationDetail = { type: "report" };

function ask(authorizationDetails: AuthorizationDetail[], more: Partial<Facts["asked"]> = {}) {
  return { app, asked: { resource: [MCP], authorizationDetails, ...more } };
}

type Case = readonly [holds: string, changes: Partial<Facts>, decision: Record<string, unknown>];

const gives = (...authorizationDetails: AuthorizationDetail[]) => connection({ authorizationDetails });

describe("authorization details are granted", () => {
  it.each<Case>([
    [
      "without the scopes by default, beside an empty scope as beside none",
      { ...ask([account], { scope: [] }), connections: [gives(account)] },
      { scope: [], authorizationDetails: [account] },
    ],
    [
      "at places that the request names",
      {
        ...ask([{ ...account, locations: [MCP, FILES] }], { resource: [MCP, FILES] }),
        connections: [gives(account)],
      },
      { authorizationDetails: [{ ...account, locations: [MCP, FILES] }] },
    ],
    [
      "at any place of the app when the request names none",
      { ...ask([{ ...account, locations: [FILES] }], { resource: [] }), connections: [gives(account)] },
      { authorizationDetails: [{ ...account, locations: [FILES] }], resources: [] },
    ],
    [
      "at several resources, where they are the same at each",
      {
        ...ask([account], { resource: [MCP, FILES] }),
        connections: [
          { ...gives(account), id: "a", resources: [MCP] },
          { ...gives(account), id: "b", resources: [FILES] },
        ],
      },
      { authorizationDetails: [account], resources: [MCP, FILES], connections: ["a", "b"] },
    ],
  ])("%s", (_, changes, granted) => {
    expect(decide(facts(changes))).toMatchObject({ effect: "permit", granted });
  });
});

describe("authorization details are refused", () => {
  const differ = { reason: "authorization-details-differ", detail: "locations" };
  it.each<Case>([
    [
      "where one of their places is not asked for",
      ask([{ ...account, locations: [MCP, FILES] }], { resource: [MCP] }),
      differ,
    ],
    ["where none of their places is asked for", ask([{ ...account, locations: [FILES] }]), differ],
    [
      "at a place that is not the app's, though the request names no resource",
      ask([{ ...account, locations: [ELSEWHERE] }], { resource: [] }),
      differ,
    ],
    ["where the places are no list", ask([{ ...account, locations: MCP }]), differ],
    ["where one of several differs", ask([account, { ...report, locations: [FILES] }]), differ],
    [
      "where each resource would give others: one token must not give the cross product",
      {
        ...ask([account, report], { resource: [MCP, FILES] }),
        connections: [
          { ...gives(account), id: "a", resources: [MCP] },
          { ...gives(report), id: "b", resources: [FILES] },
        ],
      },
      { reason: "resources-differ" },
    ],
  ])("%s", (_, changes, refusal) => {
    expect(decide(facts({ connections: [gives(account, report)], ...changes }))).toMatchObject({
      effect: "deny",
      refusal,
    });
  });
});

describe("authorization details that a new sign-in would give", () => {
  const fresh = { ...gives(report), id: "fresh", conditions: { maxAge: 10 } };
  const strong = { ...gives(account), id: "strong", conditions: { acr: "phr" } };

  it.each<Case>([
    [
      "are asked for even where another detail is granted, for both are named",
      { ...ask([account, report]), connections: [gives(account), fresh] },
      { maxAge: 10 },
    ],
    [
      "take the connection that gives them, not one that gives something else",
      { ...ask([report]), connections: [fresh, strong] },
      { maxAge: 10 },
    ],
    [
      "take, each of them, what their own connection wants",
      { ...ask([account, report]), connections: [fresh, strong] },
      { maxAge: 10, acrValues: ["phr"] },
    ],
    [
      "take the most patient connection of a detail",
      { ...ask([report]), connections: [fresh, { ...fresh, id: "patient", conditions: { maxAge: 20 } }] },
      { maxAge: 20 },
    ],
    [
      "take no connection whose details are granted already",
      { ...ask([account, report]), connections: [gives(account), strong, fresh] },
      { maxAge: 10, reason: "sign-in-too-old" },
    ],
  ])("%s", (_, changes, { maxAge, acrValues, reason = expect.anything() }) => {
    const decision = decide(facts({ authentication: { authTime: NOW - 60 }, ...changes }));
    expect(decision).toMatchObject({ effect: "step-up", refusal: { reason } });
    expect({ acrValues: undefined, maxAge: undefined, ...decision }).toMatchObject({ maxAge, acrValues });
  });
});
