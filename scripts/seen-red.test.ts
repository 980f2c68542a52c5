import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apply, copyTree, onlyPlace, runTests, strayed, testKey } from "./seen-red.copy.ts";
import { withTable } from "./seen-red.docs.ts";
import { ROWS, type Tests } from "./seen-red.table.ts";
import { tool } from "./tool.ts";

const ROOT = join(import.meta.dirname, "..");

describe("the table of binding bugs", () => {
  it("names code that is there, exactly once", () => {
    const changes = ROWS.flatMap((row) => row.changes);
    expect(strayed(ROOT, changes)).toEqual([]);
  });

  it("names tests that are there", async () => {
    const tests = ROWS.flatMap((row) => row.tests);
    const unknown = lacking(tests, await listed(tests, "--static-parse"));
    // Suites that a function makes are found by running it.
    expect(lacking(unknown, await listed(unknown, "--no-static-parse"))).toEqual([]);
  }, 60_000);

  it("changes something and expects a test to fail, in each row; and no two rows are alike", () => {
    for (const { changes, tests } of ROWS) {
      expect(changes.every(({ find, replace }) => find !== replace)).toBe(true);
      expect(tests.flatMap(({ names }) => names)).not.toEqual([]);
    }
    expect(new Set(ROWS.map(({ changes }) => JSON.stringify(changes))).size).toBe(ROWS.length);
    expect(new Set(ROWS.map(({ bug }) => bug)).size).toBe(ROWS.length);
  });

  it("is what docs/binding-bugs.md says: `npm run seen-red -- --docs` writes it", () => {
    const page = readFileSync(join(ROOT, "docs", "binding-bugs.md"), "utf8");
    expect(withTable(page, ROWS)).toBe(page);
  });
});

describe("a copy of the working tree", () => {
  const file = "packages/protocol/src/metadata.ts";
  const change = { file, find: "if (metadata.issuer !== issuer) {", replace: 'if (metadata.issuer === "") {' };
  const client = {
    file: "packages/client/src/binding.test.ts",
    names: ["credentials stay with their issuer when > the IdP's metadata names another issuer"],
  };
  let copy: string;
  beforeAll(async () => {
    copy = await copyTree(ROOT, new Set());
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));
  const outcome = async (tests: Tests) => {
    const found = await runTests(copy, [tests], new AbortController().signal);
    return tests.names.map((name) => found.get(testKey(tests.file, name))?.status);
  };

  it("has packages that use each other's sources there: a check taken out of one fails the test of another", async () => {
    const original = readFileSync(join(ROOT, file), "utf8");
    expect(await outcome(client)).toEqual(["passed"]);
    const restore = apply(copy, [change]);
    expect(await outcome(client)).toEqual(["failed"]);
    restore();
    expect(readFileSync(join(copy, file), "utf8")).toBe(original);
    expect(readFileSync(join(ROOT, file), "utf8")).toBe(original);
  }, 60_000);

  it("does not take a test that does not exist, or does not load, for one that failed", async () => {
    expect(await outcome({ ...client, names: ["no such test"] })).toEqual([undefined]);
    const restore = apply(copy, [{ ...change, replace: "if (" }]);
    expect(await outcome(client)).toEqual([undefined]);
    restore();
  }, 60_000);

  it("is not changed by a snippet that stands there twice, or not at all", () => {
    const twice = { file, find: "issuer", replace: "" };
    const before = readFileSync(join(copy, file), "utf8");
    expect(strayed(copy, [change, twice, { ...twice, file: "none.ts" }])).toHaveLength(2);
    expect(() => apply(copy, [change, twice])).toThrow("exactly once");
    expect(readFileSync(join(copy, file), "utf8")).toBe(before);
    expect(onlyPlace("aXb", "X")).toBe(1);
  });
});

it("a document keeps what stands around its table", () => {
  const marks = ["<!-- table: npm run seen-red -- --docs -->", "<!-- end of table -->"];
  const written = withTable(`before\n${marks.join("\nold\n")}\nafter`, ROWS.slice(0, 1));
  expect(written).toMatch(/^before\n.*\| bug \|.*\nafter$/s);
  expect(written).not.toContain("old");
  expect(() => withTable("no marks", ROWS)).toThrow("The document has no");
});

/** Names of tests in the files, as vitest lists them: `%s` where a table of cases fills in. */
async function listed(tests: readonly Tests[], how: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const names = new Map<string, string[]>();
  if (tests.length === 0) return names;
  const folder = mkdtempSync(join(tmpdir(), "credence-tests-"));
  const report = join(folder, "list.json");
  writeFileSync(report, "[]");
  const files = [...new Set(tests.map(({ file }) => join(ROOT, file)))];
  await tool("vitest", "vitest.mjs", ["list", "--root", ROOT, `--json=${report}`, how, ...files]);
  const found = JSON.parse(readFileSync(report, "utf8")) as { name: string; file: string }[];
  rmSync(folder, { recursive: true });
  for (const { name, file } of found) names.set(file, [...(names.get(file) ?? []), name]);
  return names;
}

function lacking(tests: readonly Tests[], known: ReadonlyMap<string, readonly string[]>): readonly Tests[] {
  return tests.flatMap(({ file, names }) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    const templates = known.get(join(ROOT, file)) ?? [];
    const unknown = names.filter((name) => !templates.some((template) => isCaseOf(name, template, source)));
    return unknown.length === 0 ? [] : [{ file, names: unknown }];
  });
}

/** Whether a name is a template's, with texts in its places that stand in the file. */
function isCaseOf(name: string, template: string, source: string): boolean {
  const literal = template.split(/%[sid]/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const filled = new RegExp(`^${literal.join("(.+?)")}$`).exec(name)?.slice(1);
  return filled?.every((text) => source.includes(text)) ?? false;
}
