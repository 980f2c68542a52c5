import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";
import { exportOrganization } from "./export.ts";
import { organizationJsonSchemaText } from "./json-schema.ts";
import { ACME, acme, NOW } from "./organization.testing.ts";
import { planChanges } from "./plan.ts";
import { readOrganization } from "./read.ts";
import { renderPlan, renderProblems } from "./render.ts";

const EMPTY = { name: "", demo: false, people: [], agents: [], apps: [], connections: [] };

function reread(text: string) {
  const result = readOrganization(text, { issuerIsLoopback: true, now: NOW, current: acme() });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.organization;
}

describe("an export", () => {
  it("reads back into the same organization", () => {
    expect(planChanges(acme(), reread(exportOrganization(acme())))).toEqual([]);
    expect(planChanges(EMPTY, reread(exportOrganization(EMPTY)))).toEqual([]);
  });

  it("is the same text for the same organization, in whatever order", () => {
    const { people, connections, ...rest } = acme();
    const turned = {
      ...rest,
      people: people.map((person) => ({ ...person, groups: person.groups.toReversed() })).reverse(),
      connections: connections.toReversed(),
    };
    expect(exportOrganization(turned)).toBe(exportOrganization(acme()));
    expect(exportOrganization(reread(exportOrganization(acme())))).toBe(exportOrganization(acme()));
  });

  it("holds no secret, and keeps password hashes", () => {
    const text = exportOrganization(acme());
    expect(text).not.toContain("only for the demo");
    expect(text).toContain("unchanged: true");
    expect(text).toContain("$argon2id$");
  });

  it("names the schema for editors", () => {
    expect(exportOrganization(acme())).toMatch(/^# yaml-language-server: \$schema=/);
  });
});

describe("a plan", () => {
  it("adds everything to nothing, and removes it again", () => {
    expect(planChanges(EMPTY, acme()).map(({ action, kind, id }) => `${action} ${kind} ${id}`)).toEqual([
      "change organization organization",
      "add person alice",
      "add person bob",
      "add agent assistant",
      "add agent demo-agent",
      "add agent worker",
      "add app ledger",
      "add connection assistant-ledger",
      "add connection demo-ledger",
    ]);
    expect(
      planChanges(acme(), EMPTY)
        .slice(1)
        .every(({ action }) => action === "remove"),
    ).toBe(true);
  });

  it("names each field that differs, before and after", () => {
    const wanted = reread(ACME.replace("max_age: 8h", "max_age: 15m").replace("[everyone]", "[group:staff]"));
    expect(planChanges(acme(), wanted)).toEqual([
      {
        action: "change",
        kind: "connection",
        id: "assistant-ledger",
        fields: [{ field: "conditions", from: '{"max_age":"8h"}', to: '{"max_age":"15m"}' }],
      },
      {
        action: "change",
        kind: "connection",
        id: "demo-ledger",
        fields: [{ field: "people", from: "[everyone]", to: "[group:staff]" }],
      },
    ]);
  });

  it("notices another secret and another hash, and shows neither", () => {
    const wanted = reread(ACME.replace("only for the demo", "another s3cret").replace("$5WvAcz4", "$6WvAcz4"));
    const changes = planChanges(acme(), wanted);
    expect(changes.map(({ id, fields }) => [id, fields[0]?.field])).toEqual([
      ["alice", "password_hash"],
      ["demo-agent", "auth"],
    ]);
    expect(renderPlan(changes)).not.toMatch(/s3cret|for the demo|argon2/);
  });

  it("is empty when only the order of entries or of sets differs", () => {
    expect(planChanges(acme(), reread(ACME.replace("[finance, staff]", "[staff, finance]")))).toEqual([]);
  });

  it("reads like a list of what will happen", () => {
    const wanted = reread(
      ACME.replace("  - { id: bob", "  - { id: carol, email: c@acme.example, name: Carol }\n  - { id: bob").replace(
        "Worker",
        "Helper",
      ),
    );
    expect(renderPlan(planChanges(acme(), wanted))).toBe(
      [
        "+ person carol",
        "    email: c@acme.example",
        "    name: Carol",
        "~ agent worker",
        "    name: Worker -> Helper",
        "",
        "1 to add, 1 to change, 0 to remove.",
        "",
      ].join("\n"),
    );
    expect(renderPlan([])).toContain("Nothing to change");
  });

  it("says what a field means that the file leaves out, on either side", () => {
    const shorter = ACME.replace(/^ {4}resources: .*\n(?= {4}conditions)/m, "")
      .replace(/^ {4}(denial_error|conditions|lifetime|expires): .*\n/gm, "")
      .replace("name: Bob, enabled: false", "name: Bob");
    expect(renderPlan(planChanges(acme(), reread(shorter)))).toBe(
      [
        "~ person bob",
        "    enabled: false -> true",
        "~ agent assistant",
        "    denial_error: invalid_grant -> access_denied",
        "~ connection assistant-ledger",
        "    resources: [http://127.0.0.1:4001/mcp] -> (all of the app)",
        '    conditions: {"max_age":"8h"} -> (none)',
        "    lifetime: 5m -> (the server's)",
        "    expires: 2030-01-31T17:00:00Z -> (never)",
        "",
        "0 to add, 3 to change, 0 to remove.",
        "",
      ].join("\n"),
    );
    expect(renderPlan(planChanges(reread(shorter), acme()))).toContain("~ person bob\n    enabled: true -> false\n");
  });
});

describe("problems in a terminal", () => {
  it("stand at file:line:column, without control characters", () => {
    const problem = { line: 3, column: 7, path: "a", message: "bad \u001b[2J thing", mend: "Mend it." };
    expect(renderProblems("acme.yaml", [problem])).toBe("acme.yaml:3:7: a: bad �[2J thing\n    Mend it.\n");
  });
});

describe("a duration", () => {
  it.each([
    ["30s", 30],
    ["15m", 900],
    ["8h", 28_800],
    ["7d", 604_800],
  ] as const)("%s is %i seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
    expect(formatDuration(seconds)).toBe(text);
  });

  it.each(["", "8", "h", "0s", "-1s", "1.5h", "1w", " 1h", "1h ", "08h"])("is not %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("reads back from how it is written", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 10 ** 8 }), (s) => parseDuration(formatDuration(s)) === s));
  });
});

describe("the JSON schema for editors", () => {
  it("is current (node -C @credence/source packages/server/src/organization/write-json-schema.ts)", () => {
    const kept = readFileSync(new URL("../../organization.schema.json", import.meta.url), "utf8");
    expect(JSON.parse(kept)).toEqual(JSON.parse(organizationJsonSchemaText()));
  });
});
