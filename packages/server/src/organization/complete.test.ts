import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Organization } from "../directory/types.ts";
import { exportOrganization } from "./export.ts";
import { planChanges } from "./plan.ts";
import { readOrganization } from "./read.ts";

const OPTIONS = { issuerIsLoopback: false, now: 1_800_000_000 };
const guide = readFileSync(new URL("../../../../docs/it-admin.md", import.meta.url), "utf8");
/** The file of the guide that has every key there is. */
const [, , whole = ""] = guide.split("```yaml organization\n").map((part) => part.split("\n```")[0] ?? "");

function read(text: string, current?: Organization): Organization {
  const result = readOrganization(text, current ? { ...OPTIONS, current } : OPTIONS);
  if (!result.ok) throw new Error(result.problems.map(({ message, line }) => `${line}: ${message}`).join("\n"));
  return result.organization;
}
const problems = (text: string) => {
  const result = readOrganization(text, OPTIONS);
  return (result.ok ? [] : result.problems).map(({ message }) => message);
};
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
    expect(agents[0]).toMatchObject({ dpopBound: false, offlineMaxAge: 30 * 86_400 });
    expect(apps[0]).toMatchObject({
      aliases: ["urn:acme:ledger"],
      audTenant: "acme",
      people: { alice: "4711" },
      samlNameId: { nameId: "email", nameQualifier: "acme" },
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
});

describe("a problem is told:", () => {
  it.each<[string, string, string, string]>([
    ["an alias that is no URN", "urn:acme:ledger", "ledger", "is not a URN"],
    ["an alias that is the issuer of an app", "[urn:acme:ledger]", '["urn:a:b", "urn:a:b"]', "has something twice"],
    ["a person that is not there", '{ alice: "4711" }', '{ alcie: "1" }', 'Did you mean "alice"?'],
    ["an actor that is not there", "actors: [worker]", "actors: [wroker]", 'Did you mean "worker"?'],
    ["a detail of a type that the app lacks", "[{ type: account,", "[{ type: acount,", 'Did you mean "account"?'],
    ["a detail with actions that are no list", "actions: [read] }", "actions: read }", "is no authorization detail"],
    ["a way to sign in that is unknown", "acr: urn:credence:acr:password", "acr: gold", "is no way to sign in"],
    [
      "a claim that can not be left out",
      "claims: [email, auth_time]",
      "claims: [sub]",
      "no claim that can be left out",
    ],
    ["the client id of an agent for an app", "client_id: ledger-sso", "client_id: assistant", "used a second time"],
    [
      "a document's agent whose id is no URL",
      "id: https://agent.example/client.json",
      "id: elsewhere",
      "not the URL of",
    ],
    [
      "neither keys nor where they are",
      ', jwks_uri: "https://batch.example/jwks"',
      "",
      "needs either jwks or jwks_uri",
    ],
    ["keys over plain http", "https://batch.example/jwks", "http://batch.example/jwks", "is not an https URL"],
    ["an app's secret in the file", "{ env: LEDGER_SSO_SECRET }", "s3cret", "not a secret's source"],
  ])("%s", (_, part, by, message) => {
    expect(problems(changed(part, by)).join("\n")).toContain(message);
  });
});

describe("a warning is given for", () => {
  it("two agents behind one client id", () => {
    const text = changed("worker: ledger-worker }", "worker: ledger-assistant }");
    expect(warnings(text).join("\n")).toContain('Another agent has the client id "ledger-assistant"');
  });
});
