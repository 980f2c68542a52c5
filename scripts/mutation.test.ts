import { globSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { workFor } from "./mutation.parts.ts";
import { type Report, survivorsOf, tableOf, tally } from "./mutation.report.ts";
import { strykerPlugins } from "./mutation.sentences.mjs";

const ROOT = join(import.meta.dirname, "..");

describe("what is changed", () => {
  test("is every source file of the four parts, each in one unit, and each unit has tests", () => {
    const work = workFor(ROOT, []);
    const sources = globSync("packages/{protocol,issuer,resource,server/src/policy}/**/*.ts", {
      cwd: ROOT,
      exclude: (path) => /node_modules|dist/.test(path),
    }).filter((file) => /\/src\//.test(file) && !/\.(?:test|testing)\.ts$/.test(file));
    expect(work.flatMap((one) => one.sources).sort()).toEqual(sources.sort());
    expect(work.filter(({ tests }) => tests.length === 0)).toEqual([]);
  });

  test("is what the names say: parts, units, files", () => {
    expect(workFor(ROOT, ["policy"]).map(({ name }) => name)).toEqual(["policy"]);
    expect(workFor(ROOT, ["protocol"]).map(({ name }) => name)).toEqual(["protocol-fetch", "protocol-core"]);
    const [one, ...others] = workFor(ROOT, ["packages/protocol/src/form.ts"]);
    expect([one?.name, one?.sources, others]).toEqual(["protocol-core", ["packages/protocol/src/form.ts"], []]);
    expect(one?.all.length).toBeGreaterThan(10);
    expect(() => workFor(ROOT, ["packages/client"])).toThrow(/packages\/client is no part.*policy, protocol/);
  });
});

const mutant = (status: string, line = 1) => ({
  status,
  mutatorName: "StringLiteral",
  replacement: '""',
  location: { start: { line, column: 5 }, end: { line, column: 8 } },
});
const report: Report = {
  files: {
    "a.ts": {
      source: 'x = "a";\ny = "b";\n',
      mutants: ["Killed", "Timeout", "Survived", "NoCoverage", "Ignored", "RuntimeError"].map((one) => mutant(one)),
    },
    "b.ts": { source: "", mutants: [] },
  },
};

describe("what became of it", () => {
  test("counts what ran: an endless program is noticed, one that no test reaches is not, one that was left alone is neither", () => {
    const { mutants } = report.files["a.ts"] ?? { mutants: [] };
    expect(tally(mutants)).toEqual({ killed: 2, survived: 1, uncovered: 1, valid: 4, faults: 1, score: 50 });
    expect(tally([]).score).toBe(100);
  });

  test("is told file by file, and each survivor with what stood there and what took its place", () => {
    expect(
      tableOf(report)
        .split("\n")
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ["file", "%", "killed", "survived", "not reached"],
      ["a.ts", "50.0", "2", "1", "1"],
      ["b.ts", "100.0", "0", "0", "0"],
    ]);
    expect(survivorsOf(report)).toBe(
      'a.ts:1:5 StringLiteral\n    "a"  →  ""\na.ts:1:5 StringLiteral (not reached)\n    "a"  →  ""\n',
    );
  });
});

describe("sentences for people", () => {
  const literal = (value: string) => ({ node: { type: "StringLiteral", value } });
  const left = ({ node, parent }: { node: object; parent?: object }) =>
    strykerPlugins[0]?.value.shouldIgnore({ node, ...(parent ? { parent } : {}) }) !== undefined;

  test.each([
    ["The signing key does not fit", true],
    ["It is not https.", true],
    ["Bearer", false],
    ["DPoP", false],
    ["invalid_grant", false],
    ["too long", false],
    ["Basic realm", false],
    ["CREATE TABLE marks (key TEXT)", false],
  ])("%s: %s", (value, sentence) => {
    expect(left(literal(value))).toBe(sentence);
  });

  test("with something put in are sentences too; a reason's explanation is one, and its error is not", () => {
    const quasis = ["The URL is not fetched. ", ""].map((cooked) => ({ value: { cooked } }));
    expect(left({ node: { type: "TemplateLiteral", quasis } })).toBe(true);
    const member = (name: string) => ({
      node: { type: "ObjectProperty", key: { name }, ...{ value: literal("x").node } },
    });
    expect([left(member("mend")), left(member("section")), left(member("error"))]).toEqual([true, true, false]);
  });
});
