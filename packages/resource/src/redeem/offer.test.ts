import { decodeJws } from "@credence/protocol/jws";
import { describe, expect, test } from "vitest";
import { CLIENT, expectRefused, house } from "../house.testing.ts";
import { offerOf, type Resources } from "./offer.ts";

const MCP = "https://ledger.example/mcp";
const API = "https://ledger.example/api";
const OTHER = "https://payroll.example/mcp";
const scopes = { read: "Read", write: "Write" };
const one: Resources = new Map([[MCP, { scopes }]]);
const two: Resources = new Map([
  [MCP, { scopes }],
  [API, { scopes, defaultScopes: ["read"] }],
]);
const scopeless: Resources = new Map([[MCP, { scopes: {} }]]);

interface Case {
  readonly claims?: { resource?: string | string[]; scope?: string };
  readonly asked?: { resource?: string[]; scope?: string[] };
  readonly resources?: Resources;
  readonly client?: { scopes?: string[] };
  readonly optional?: boolean;
}

function offer({ claims = {}, asked = {}, resources = one, client = {}, optional = false }: Case) {
  const jag = { iss: "i", sub: "s", aud: "a", client_id: "c", jti: "j", exp: 1, iat: 0, resource: MCP, scope: "read" };
  const { resource = [], scope } = asked;
  return offerOf({ ...jag, ...claims }, { resource, scope }, client, resources, !optional);
}

const foreign = (detail: string) => ({ reason: "resource-foreign", detail });

/** Takes a claim away. */
const none = undefined as unknown as string;

describe("what is offered", () => {
  test.each<[string, Case, string, string[]]>([
    ["what the ID-JAG carries", {}, MCP, ["read"]],
    ["less, when less is asked for", { claims: { scope: "read write" }, asked: { scope: ["write"] } }, MCP, ["write"]],
    ["without scopes that this resource lacks", { claims: { scope: "read fly" } }, MCP, ["read"]],
    [
      "without scopes that the client may not have",
      { claims: { scope: "read write" }, client: { scopes: ["write"] } },
      MCP,
      ["write"],
    ],
    [
      "one of several resources, as asked",
      { claims: { resource: [MCP, API] }, asked: { resource: [API] }, resources: two },
      API,
      ["read"],
    ],
    ["a resource named twice", { claims: { resource: [MCP, MCP] } }, MCP, ["read"]],
    ["the only resource, where none need be named", { claims: { resource: none }, optional: true }, MCP, ["read"]],
    [
      "default scopes, where the ID-JAG names none",
      { claims: { resource: API, scope: none }, resources: two },
      API,
      ["read"],
    ],
    ["no scope, where the resource has none", { claims: { scope: none }, resources: scopeless }, MCP, []],
  ])("%s", (_, given, resource, scope) => {
    expect(offer(given)).toEqual({ ok: true, value: { resource, scope, authorizationDetails: [] } });
  });
});

describe("what is not", () => {
  test.each<[string, Case, string]>([
    ["the resource of another app", { claims: { resource: OTHER } }, "resource-foreign"],
    ["the resource of another app beside ours", { claims: { resource: [MCP, OTHER] } }, "resource-foreign"],
    [
      "the resource of another app beside ours, when ours is asked for",
      { claims: { resource: [MCP, OTHER] }, asked: { resource: [MCP] } },
      "resource-foreign",
    ],
    ["a resource below ours", { claims: { resource: `${MCP}/admin` } }, "resource-foreign"],
    ["our resource with a trailing slash", { claims: { resource: `${MCP}/` } }, "resource-foreign"],
    ["a name that every object has", { claims: { resource: "constructor" } }, "resource-foreign"],
    ["a request for another of our resources", { asked: { resource: [API] }, resources: two }, "resource-foreign"],
    [
      "a request for that, where none need be named",
      { claims: { resource: none }, asked: { resource: [API] }, optional: true },
      "resource-foreign",
    ],
    ["two resources in one token", { claims: { resource: [MCP, API] }, resources: two }, "resources-several"],
    [
      "two resources, asked for",
      { claims: { resource: [MCP, API] }, asked: { resource: [MCP, API] }, resources: two },
      "resources-several",
    ],
    ["no resource", { claims: { resource: none } }, "resource-missing"],
    [
      "no resource, where there are two to choose from",
      { claims: { resource: none }, resources: two, optional: true },
      "resource-missing",
    ],
    ["a scope beyond the ID-JAG's", { asked: { scope: ["read", "write"] } }, "scope-beyond-grant"],
    [
      "a scope where the ID-JAG has none",
      { claims: { scope: none }, asked: { scope: ["read"] } },
      "scope-beyond-grant",
    ],
    [
      "a scope beyond the default ones",
      { claims: { resource: API, scope: none }, asked: { scope: ["write"] }, resources: two },
      "scope-beyond-grant",
    ],
    ["scopes that this resource lacks", { claims: { scope: "fly" } }, "nothing-granted"],
    ["scopes that the client may not have", { client: { scopes: ["write"] } }, "nothing-granted"],
    ["a scope named as every object's member", { claims: { scope: "constructor" } }, "nothing-granted"],
    ["no scope, where the resource has scopes and no default", { claims: { scope: none } }, "nothing-granted"],
    ["a scope, where the resource has none", { resources: scopeless }, "nothing-granted"],
    [
      "a scope by default, asked for, where the resource has none",
      {
        claims: { scope: none },
        asked: { scope: ["read"] },
        resources: new Map([[MCP, { scopes: {}, defaultScopes: ["read"] }]]),
      },
      "nothing-granted",
    ],
  ])("%s", (_, given, reason) => {
    expect(offer(given)).toMatchObject({ ok: false, refusal: { reason } });
  });

  test.each<[string, Case, object]>([
    [
      "which of the two named the foreign resource: the ID-JAG",
      { claims: { resource: OTHER } },
      foreign("in the ID-JAG"),
    ],
    [
      "which of the two named the foreign resource: the request",
      { asked: { resource: [API] } },
      foreign("in the request"),
    ],
    ["which claim can not be read", { claims: { scope: 'read "' } }, { reason: "id-jag-claim", detail: "scope" }],
  ])("and the reason says %s", (_, given, refusal) => {
    expect(offer(given)).toEqual({ ok: false, refusal });
  });
});

describe("over the wire", () => {
  test("resource of another app; scope widened by the request; and both as they should be", async () => {
    await using home = await house();
    const foreign = await home.redeem({ assertion: await home.idJag({ resource: OTHER }) });
    expectRefused(foreign, 400, "invalid_target", "resource-foreign");
    const elsewhere = await home.redeem({ resource: OTHER });
    expectRefused(elsewhere, 400, "invalid_target", "resource-foreign");
    const missing = await home.redeem({ assertion: await home.idJag({ resource: undefined }) });
    expectRefused(missing, 400, "invalid_target", "resource-missing");
    const wider = await home.redeem({ scope: "ledger.read ledger.write" });
    expectRefused(wider, 400, "invalid_scope", "scope-beyond-grant");
    const good = await home.redeem({ resource: home.resource, scope: "ledger.read" });
    expect(good.body).toMatchObject({ resource: home.resource, scope: "ledger.read" });
  });

  test("what is foreign provisions nobody", async () => {
    const made: string[] = [];
    const provision = ({ sub }: { sub: string }) => ({ id: made[made.push(sub) - 1] ?? sub });
    await using home = await house(() => ({ provision }), { jit: true });
    await home.redeem({ assertion: await home.idJag({ sub: "bob", resource: OTHER }) });
    expect(made).toEqual([]);
    await home.redeem({ assertion: await home.idJag({ sub: "bob" }) });
    expect(made).toEqual(["bob"]);
  });

  test("local policy narrows, and can not widen", async () => {
    const seen: unknown[] = [];
    await using home = await house(() => ({
      narrow: (input) => {
        seen.push({ ...input, client: input.client.clientId });
        return ["ledger.write", "admin"];
      },
    }));
    const both = await home.redeem({ assertion: await home.idJag({ scope: "ledger.read ledger.write" }) });
    expect(both.body.scope).toBe("ledger.write");
    expect(seen).toEqual([
      {
        client: CLIENT.clientId,
        customer: "acme",
        account: { id: "acme/alice", customer: "acme" },
        resource: home.resource,
        scope: ["ledger.read", "ledger.write"],
        authorizationDetails: [],
      },
    ]);
    const nothing = await home.redeem();
    expectRefused(nothing, 400, "invalid_scope", "nothing-granted");
    expect(nothing.event?.detail).toBe("by local policy");
  });

  test("a resource without scopes gives a token without any, that local policy has nothing to take from", async () => {
    await using home = await house(({ issuer }) => ({
      resources: { [`${issuer}/mcp`]: { scopes: {} } },
      narrow: () => [],
    }));
    const { status, body } = await home.redeem({ assertion: await home.idJag({ scope: undefined }) });
    expect([status, body.scope]).toEqual([200, undefined]);
    expect(decodeJws(String(body.access_token))?.payload).not.toHaveProperty("scope");
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text, in which a scope is part of another", "ledger.readonly"],
    ["a text for the scopes", { scope: "ledger.readonly" }],
    ["no scopes", {}],
    ["details that are no list", { scope: ["ledger.read"], authorizationDetails: "all" }],
    ["yes", true],
  ])("local policy that returns %s grants nothing: 503, and the record says whose fault it is", async (_, left) => {
    // As JavaScript would have it.
    await using home = await house(() => ({ narrow: () => left as never }));
    const answer = await home.redeem();
    expectRefused(answer, 503, "temporarily_unavailable", "internal-fault");
    const said = left === undefined || left === null ? "" : ": it returned something else than lists";
    expect(answer.event?.detail).toBe(`narrow failed${said}`);
  });
});
