import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Organization } from "../directory/types.ts";
import { exportOrganization } from "./export.ts";
import { planChanges } from "./plan.ts";
import { readOrganization } from "./read.ts";

const OPTIONS = { issuerIsLoopback: false, now: 1_800_000_000 };
const guide = readFileSync(new URL("../../../../docs/it-admin.md", import.meta.url), "utf8");
/** The file of the guide that has every key there is, also the one that is warned of. */
const [, , shown = ""] = guide.split("```yaml organization\n").map((part) => part.split("\n```")[0] ?? "");
const whole = shown.replace("# former_secret:", "former_secret:");

function read(text: string, current?: Organization): Organization {
  const result = readOrganization(text, current ? { ...OPTIONS, current } : OPTIONS);
  if (!result.ok) throw new Error(result.problems.map(({ message, line }) => `${line}: ${message}`).join("\n"));
  return result.organization;
}
const warnings = (text: string) => {
  const result = readOrganization(text, OPTIONS);
  return (result.ok ? result.warnings : []).map(({ message }) => message);
};
const changed = (part: string, by: string) => {
  expect(whole.split(part)).toHaveLength(2);
  return whole.replace(part, by);
};

describe("the file with every key", () => {
  it("reads into the nouns of the directory", () => {
    const { tenant, agents, apps, connections } = read(whole);
    expect(tenant).toBe("acme");
    expect(agents.map(({ auth }) => auth.method)).toContain("client_id_metadata_document");
    expect(agents.find(({ id }) => id === "batch")?.auth).toEqual({
      method: "private_key_jwt",
      jwksUri: "https://batch.example/jwks",
    });
    expect(agents[0]).toMatchObject({
      auth: { secret: { env: "ASSISTANT_SECRET" }, formerSecret: { env: "ASSISTANT_SECRET_BEFORE" } },
      dpopBound: false,
      offlineMaxAge: 30 * 86_400,
    });
    expect(apps[0]).toMatchObject({
      aliases: ["urn:acme:ledger"],
      audTenant: "acme",
      people: { alice: "4711" },
      samlNameId: { nameId: "id", nameQualifier: "acme" },
      sso: { clientId: "ledger-sso" },
    });
    expect(connections[0]).toMatchObject({
      conditions: { maxAge: 28_800, acr: "urn:credence:acr:password", bound: false },
      authorizationDetails: [{ type: "account", actions: ["read"] }],
      actors: ["worker"],
    });
  });

  it("comes back from an export, and a plan of it shows nothing", () => {
    const organization = read(whole);
    const again = read(exportOrganization(organization), organization);
    expect(planChanges(organization, again)).toEqual([]);
    expect(exportOrganization(again)).toBe(exportOrganization(organization));
  });

  it("shows no secret of an app in a plan", () => {
    const before = read(whole);
    const after = read(changed("LEDGER_SSO_SECRET", "OTHER_SECRET"));
    expect(JSON.stringify(planChanges(before, after))).toContain("sso");
  });

  it("keeps literal secrets that the server has, the one before among them, and prints neither", () => {
    const [first, ...agents] = read(whole).agents;
    const auth = {
      method: "client_secret_basic",
      secret: { literal: "n3w" },
      formerSecret: { literal: "0ld" },
    } as const;
    const organization: Organization = {
      ...read(whole),
      demo: true,
      agents: first ? [{ ...first, auth }, ...agents] : [],
    };
    const text = exportOrganization(organization);
    expect(text).toContain("former_secret:\n        unchanged: true");
    expect(text).not.toMatch(/n3w|0ld/);
    const again = readOrganization(text, { ...OPTIONS, issuerIsLoopback: true, current: organization });
    expect(again.ok && planChanges(organization, again.organization)).toEqual([]);
    const plan = JSON.stringify(planChanges(read(whole), organization));
    expect(plan).toContain("the one before (hidden)");
    expect(plan).not.toMatch(/n3w|0ld/);
  });
});

/** Line and column of a part of a text, from 1. */
function placeOf(text: string, part: string): { line: number; column: number } {
  expect(text.split(part)).toHaveLength(2);
  const before = text.slice(0, text.indexOf(part)).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

describe("a problem is told, with line and column:", () => {
  // What is replaced, by what; where the problem is; what is said of it.
  it.each<[string, string, string, string, string]>([
    ["a tenant that is empty", "\ntenant: acme ", '\ntenant: "" ', '""', "is empty"],
    [
      "the secret before, as nothing that can be read",
      "{ env: ASSISTANT_SECRET_BEFORE }",
      "{ url: x }",
      "{ url: x }",
      "is not a secret's source",
    ],
    [
      "the secret before to keep, where there is none",
      "{ env: ASSISTANT_SECRET_BEFORE }",
      "{ unchanged: true }",
      "{ unchanged: true } # only",
      "no secret to keep",
    ],
    [
      "the secret before, in the open",
      "{ env: ASSISTANT_SECRET_BEFORE }",
      "0ld",
      "0ld",
      "only with demo: true and a loopback issuer",
    ],
    [
      "a switch that is neither on nor off",
      "dpop_bound_access_tokens: false",
      "dpop_bound_access_tokens: no",
      "no #",
      "should be true or false",
    ],
    ["a time without the person that is none", "offline_max_age: 30d", "offline_max_age: 30", "30  ", "should be text"],
    [
      "a time without the person out of bounds",
      "offline_max_age: 30d",
      "offline_max_age: 999d",
      "999d",
      "out of bounds",
    ],
    [
      "a document's agent whose id is no URL",
      "id: https://agent.example/client.json",
      "id: elsewhere",
      "elsewhere #",
      "not the URL of",
    ],
    [
      "neither keys nor where they are",
      ', jwks_uri: "https://batch.example/jwks"',
      "",
      "{ method: private_key_jwt }",
      "needs either jwks or jwks_uri",
    ],
    [
      "keys over plain http",
      "https://batch.example/jwks",
      "http://batch.example/jwks",
      '"http://batch.example/jwks"',
      "is not an https URL",
    ],
    ["a name of people that is none", "subject: id ", "subject: name ", "name  ", "is no name of people"],
    ["a person that is not there", '{ alice: "4711" }', '{ alcie: "1" }', 'alcie: "1"', 'Did you mean "alice"?'],
    ["an app's own id that is empty", '{ alice: "4711" }', '{ alice: "" }', '"" }', "is empty"],
    ["an alias that is no URN", "urn:acme:ledger", "ledger.alias", "ledger.alias", "is not a URN"],
    [
      "an alias that stands twice",
      "[urn:acme:ledger]",
      "[urn:ab:c, urn:ab:c]",
      "[urn:ab:c, urn:ab:c]",
      "has something twice",
    ],
    [
      "an alias that is another app's name",
      "connections:",
      "  - { id: w, name: W, issuer: https://w.example, aliases: [urn:xy:z, urn:acme:ledger ] }\nconnections:",
      "urn:acme:ledger ]",
      "used a second time",
    ],
    [
      "a tenant at the app that is too long",
      "aud_tenant: acme",
      `aud_tenant: ${"a".repeat(256)}`,
      "a".repeat(256),
      "is too long",
    ],
    [
      "a claim that can not be left out",
      "claims: [email, auth_time]",
      "claims: [email, sub]",
      "sub]",
      "no claim that can be left out",
    ],
    ["a NameID without the IdP's entity id", "issuer: https://saml.acme.example", 'issuer: ""', '""', "issuer"],
    ["a NameID that is no name of people", "name_id: id ", "name_id: mail ", "mail  ", "is no name of people"],
    [
      "a NameID's member that is nearly one",
      "      name_qualifier: acme",
      "      name_qualifer: acme",
      "name_qualifer",
      "Did you mean",
    ],
    [
      "a type of details that is empty",
      "authorization_details_types: { account: Single accounts }",
      'authorization_details_types: { "": Single accounts }',
      '"": Single',
      "The key",
    ],
    [
      "the client id of an agent for an app",
      "client_id: ledger-sso",
      "client_id: assistant",
      "assistant\n      auth",
      "used a second time",
    ],
    ["an app's secret in the file", "{ env: LEDGER_SSO_SECRET }", "s3cret", "s3cret", "not a secret's source"],
    [
      "an app's client without a redirect",
      'redirect_uris: ["https://ledger.example/callback"]',
      "redirect_uris: []",
      "[]",
      "is empty",
    ],
    [
      "an app's redirect in the open",
      "https://ledger.example/callback",
      "http://ledger.example/callback",
      '"http://ledger.example/callback"',
      "is not a redirect URI",
    ],
    ["a way to sign in that is unknown", "acr: urn:credence:acr:password", "acr: gold", "gold", "is no way to sign in"],
    ["a condition of another kind", "bound: false", "bound: dpop", "dpop  ", "should be true or false"],
    [
      "a detail of a type that the app lacks",
      "[{ type: account,",
      "[{ type: acount,",
      "{ type: acount",
      'Did you mean "account"?',
    ],
    [
      "a detail with actions that are no list",
      "actions: [read] }",
      "actions: read }",
      "{ type: account",
      "is no authorization detail",
    ],
    ["a detail without a type", "[{ type: account, actions", "[{ actions", "{ actions", "type is missing"],
    ["an actor that is not there", "actors: [worker]", "actors: [wroker]", "wroker", 'Did you mean "worker"?'],
  ])("%s", (_, part, by, at, message) => {
    const text = changed(part, by);
    const result = readOrganization(text, OPTIONS);
    const [found, ...more] = result.ok ? [] : result.problems;
    expect(found).toMatchObject({ ...placeOf(text, at), message: expect.stringContaining(message) });
    expect(more).toEqual([]);
  });
});

describe("a warning is given for", () => {
  it("two agents behind one client id", () => {
    const text = changed("worker: ledger-worker }", "worker: ledger-assistant }");
    expect(warnings(text).join("\n")).toContain('Another agent has the client id "ledger-assistant"');
  });

  it("people who are known to an app by addresses, which are reassigned: by name, or by NameID", () => {
    expect(warnings(changed("subject: id ", "subject: email ")).join("\n")).toContain("addresses are reassigned");
    expect(warnings(changed("name_id: id ", "name_id: email ")).join("\n")).toContain("NameID is their address");
  });

  it("people whom an app knows by its own ids, and who have none", () => {
    const text = changed("subject: id ", "subject: own ").replace('people: { alice: "4711" }', "people: {}");
    expect(warnings(text).join("\n")).toContain("has no own id of 1 of the people");
  });

  it("an actor that has no key to prove itself with", () => {
    expect(warnings(changed("actors: [worker]", "actors: [helpdesk]")).join("\n")).toContain('"helpdesk" has no key');
    expect(warnings(whole).join("\n")).not.toContain("has no key");
  });

  it("password hashes of another cost, whose time would tell who exists", () => {
    const hashed = (cost: string) => `name: Acme
people:
  - id: alice
    email: alice@acme.example
    name: Alice
    password_hash: $argon2id$v=19$${cost}$c29tZXNhbHRzb21lc2FsdA$${"A".repeat(43)}
`;
    expect(warnings(hashed("m=19456,t=2,p=1"))).toEqual([]);
    for (const cost of ["m=8,t=1,p=1", "m=65536,t=2,p=1", "m=19456,t=3,p=1", "m=19456,t=2,p=2"]) {
      expect(warnings(hashed(cost)).join("\n")).toContain("of 1 of the people has another cost");
    }
  });

  it("a secret that was replaced, and still counts", () => {
    expect(warnings(whole).join("\n")).toContain("still counts");
    const before =
      "      former_secret: { env: ASSISTANT_SECRET_BEFORE } # only while the secret is replaced: both count\n";
    expect(warnings(changed(before, "")).join("\n")).not.toContain("still counts");
  });
});
