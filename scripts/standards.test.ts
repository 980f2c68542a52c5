import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkRan, checkStandards, STANDARDS } from "./standards.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "credence-standards-"));
  mkdirSync(join(root, "docs"));
  writeFileSync(join(root, "a.ts"), "export {};\n");
  writeFileSync(
    join(root, "a.test.ts"),
    [
      "// a comment names what is not tested",
      "/**",
      " * neither is what is told 'in a docstring'",
      " */",
      'test("is refused, with \\"quotes\\"", () => {});',
      'test.each([["a case of a table", 1]])("%s", () => {});',
    ].join("\n"),
  );
});
afterEach(() => rmSync(root, { recursive: true }));

const GOOD = '| IDJAG-4.3-1 | Do it. | MUST | IdP | done | `a.ts` | `a.test.ts` › "is refused" |';
const ONE_DONE = "1 requirements: 1 done, 0 differs, 0 later, 0 not ours.";

/** A map with these rows below §4.3 of the draft. */
function map(rows: readonly string[], summary: string = ONE_DONE): readonly string[] {
  return [
    "# Standards",
    summary,
    "| another | table |",
    "## IDJAG: the draft",
    "### §4.3 Token exchange",
    "| id | requirement | level | role | state | where | test |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
  ];
}

async function problemsOf(lines: readonly string[]): Promise<readonly string[]> {
  writeFileSync(join(root, STANDARDS), lines.join("\n"));
  return checkStandards(root);
}

describe("the map of the standards", () => {
  it("of this repository is true", async () => {
    expect(await checkStandards(join(import.meta.dirname, ".."))).toEqual([]);
  });

  it.each(["IDJAG", "EMA", "RFC7523", "RFC8693", "RFC8705", "RFC8707", "RFC9207", "RFC9449", "RFC9728"])(
    "of this repository has requirements of %s",
    (text) => {
      const markdown = readFileSync(join(import.meta.dirname, "..", STANDARDS), "utf8");
      expect(markdown).toMatch(new RegExp(`^## ${text}: `, "m"));
      expect(markdown).toMatch(new RegExp(`^\\| ${text}-[\\d.]+-1 \\|`, "m"));
    },
  );

  it.each([
    ["a requirement with its file and its test", [GOOD], ONE_DONE],
    ["a case of a table", [GOOD.replace("is refused", "a case of a table")], ONE_DONE],
    [
      "several files and tests",
      [GOOD.replace("`a.ts`", "`a.ts`<br>`a.test.ts`").replace(/ \|$/, '<br>`a.test.ts` › "a case" |')],
      ONE_DONE,
    ],
    ["a section below the heading's", [GOOD.replace("4.3-1", "4.3.4.1-1")], ONE_DONE],
    ["several roles", [GOOD.replace("IdP", "IdP, resource AS")], ONE_DONE],
    ["the sections of an RFC", ["## RFC9449: DPoP", "### §4.3 Proofs", GOOD.replace("IDJAG", "RFC9449")], ONE_DONE],
    [
      "what is not done yet, or not ours, without a test",
      [
        GOOD,
        "| IDJAG-4.3-3 | Do it. | REQUIRED | resource AS | later: the issue of identity (SAML) | | |",
        "| IDJAG-4.3-4 | Do it. | MUST NOT | resource server | not ours: somebody else's | | |",
        GOOD.replace("4.3-1", "4.3-5").replace("done", "done, differently: for a reason"),
      ],
      "4 requirements: 1 done, 1 differs, 1 later, 1 not ours.",
    ],
  ])("may have %s", async (_, rows, summary) => {
    expect(await problemsOf(map(rows, summary))).toEqual([]);
  });
});

describe("a problem is named by its line:", () => {
  it.each([
    ["an id twice", [GOOD, GOOD], "IDJAG-4.3-1 stands in line 8 already"],
    ["another section's id", [GOOD.replace("4.3-1", "4.4-1")], "IDJAG-4.4-1 does not belong below IDJAG-4.3"],
    ["a section that only begins alike", [GOOD.replace("4.3-1", "4.33-1")], "does not belong below"],
    ["another draft's id", [GOOD.replace("IDJAG", "EMA")], "EMA-4.3-1 does not belong below IDJAG-4.3"],
    ["an id without number", [GOOD.replace("4.3-1", "4.3")], "does not belong below"],
    ["a level that is none", [GOOD.replace("MUST", "MIGHT")], "MIGHT is no level"],
    ["a role that is none", [GOOD.replace("IdP", "IdP, person")], "IdP, person is no role"],
    ["a state that is none", [GOOD.replace("done", "nearly done")], '"nearly done" is no state'],
    ["an open one", [GOOD.replace("done", "open: nobody looks")], '"open: nobody looks" is no state'],
    ["a later one of no subject", [GOOD.replace("done", "later: the issue of identity")], "is no state"],
    ["a file that is not there", [GOOD.replace("`a.ts`", "`b.ts`")], "names b.ts, which is not there"],
    ["a file in another form", [GOOD.replace("`a.ts`", "a.ts")], "in another form than `path`"],
    ["no file", [GOOD.replace("`a.ts`", "")], "names no file that implements it"],
    ["no test", [GOOD.replace(/`a\.test.*"/, "")], "names no test that holds it"],
    [
      "a deviation that no test holds",
      [GOOD.replace("done", "done, differently: so").replace(/`a\.test.*"/, "")],
      "names no test that holds it",
    ],
    ["a test in another form", [GOOD.replace(" › ", " ")], "names a test in another form"],
    ["a test file that is not there", [GOOD.replace("a.test.ts", "b.test.ts")], "names b.test.ts, which is not there"],
    ["a test in a file without tests", [GOOD.replace("`a.test.ts`", "`a.ts`")], "names a.ts, which holds no tests"],
    ["a test of another name", [GOOD.replace("is refused", "is accepted")], "does not have: is accepted"],
    ["a name that only a comment has", [GOOD.replace("is refused", "a comment names")], "does not have"],
    ["a name that only a docstring has", [GOOD.replace("is refused", "in a docstring")], "does not have"],
    ["a column too few", [GOOD.replace("| MUST ", "")], "has not the 7 columns"],
    ["a column too many", [`${GOOD} more |`], "has not the 7 columns"],
  ])("%s", async (_, rows, problem) => {
    const problems = await problemsOf(map(rows, "1 requirements: 1 done"));
    const line = 7 + rows.length;
    expect(problems.filter((one) => one.startsWith(`docs/standards.md:${line}: `)).join("\n")).toContain(problem);
  });

  it("a requirement below no section", async () => {
    expect(await problemsOf([...map([GOOD]), "## Else", GOOD])).toEqual([
      "docs/standards.md:10: a requirement stands below no section",
    ]);
  });

  it("a summary that is out of date", async () => {
    expect(await problemsOf(map([GOOD], ONE_DONE.replace("1 done", "2 done")))).toEqual([
      `docs/standards.md does not say: ${ONE_DONE}`,
    ]);
  });

  it("no map, or an empty one", async () => {
    expect(await checkStandards(root)).toEqual(["docs/standards.md is missing"]);
    expect(await problemsOf(["# Standards"])).toContain("docs/standards.md has no requirements");
  });
});

describe("a test that a row names", () => {
  const report = (fullName: string, status = "passed", file = "a.test.ts") => ({
    testResults: [{ name: join(root, file), assertionResults: [{ fullName, status }] }],
  });
  beforeEach(() => writeFileSync(join(root, STANDARDS), map([GOOD.replace("is refused", "%s is refused")]).join("\n")));

  it("ran and passed, under its name with the values of its table", () => {
    expect(checkRan(root, report("a describe block a case is refused"))).toEqual([]);
  });

  it.each<[string, () => unknown, string]>([
    ["did not run", () => report("something else"), "did not run"],
    ["ran in another file only", () => report("a case is refused", "passed", "b.test.ts"), "did not run"],
    ["failed", () => report("a case is refused", "failed"), "did not pass"],
    ["was skipped", () => report("a case is refused", "pending"), "did not pass"],
    ["has no report", () => undefined, "run npm test before"],
  ])("is a problem when it %s", (_, made, problem) => {
    expect(checkRan(root, made()).join()).toContain(problem);
  });
});
