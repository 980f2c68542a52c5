/**
 * `docs/standards.md` says of every requirement of the drafts where it is implemented and which test holds it. This check
 * keeps it true as far as a program can: the files are there, the tests are called so, no requirement stands twice.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** The map, from the repository's folder. */
export const STANDARDS = "docs/standards.md";

/** One requirement of a draft, as the map has it. */
interface Row {
  /** Line in the map, from 1. */
  readonly line: number;
  /** Text and section of the heading above, such as `IDJAG-4.3.3` or `RFC8693-2.1`. */
  readonly section: string;
  readonly id: string;
  readonly level: string;
  readonly role: string;
  readonly state: string;
  readonly where: string;
  readonly test: string;
}

interface Standards {
  readonly rows: readonly Row[];
  readonly problems: readonly string[];
}

const HEADER = "| id | requirement | level | role | state | where | test |";
const COLUMNS = 7;
const ID = /^([A-Z]+\d*-\d+(?:\.\d+)*)-\d+$/;
/** `rule`: a processing rule that the draft states without a key word. */
const LEVELS: ReadonlySet<string> = new Set([
  "MUST",
  "MUST NOT",
  "REQUIRED",
  "SHALL",
  "SHALL NOT",
  "SHOULD",
  "SHOULD NOT",
  "RECOMMENDED",
  "NOT RECOMMENDED",
  "rule",
]);
const ROLES: ReadonlySet<string> = new Set(["IdP", "resource AS", "resource server", "client"]);
/** Kinds of state, in the order of the summary, each with its form. There is none for what is left open. */
const STATES: Readonly<Record<string, RegExp>> = {
  done: /^done$/,
  differs: /^done, differently: \S/,
  later: /^later: the issue of [^()]+ \([^)]+\)$/,
  "not ours": /^not ours: \S/,
};
/** These claim that something is there, and that a test would notice if it were not. */
const HELD: ReadonlySet<string> = new Set(["done", "differs"]);
/** What a report of vitest says of one test, as far as it is read. */
interface Ran {
  readonly file: string;
  readonly name: string;
  readonly passed: boolean;
}
const FILE = /^`([^`]+)`$/;
const TEST = /^`([^`]+)` › "(.+)"$/;

/**
 * Checks the map of the standards.
 *
 * @param root - The repository's folder.
 * @returns what is wrong, by line of the map; empty when nothing is.
 */
export async function checkStandards(root: string): Promise<string[]> {
  const path = join(root, STANDARDS);
  if (!existsSync(path)) return [`${STANDARDS} is missing`];
  const markdown = readFileSync(path, "utf8");
  const { rows, problems } = parse(markdown);
  const found = [
    ...problems,
    ...doubled(rows),
    ...rows.flatMap((row) => [...malformed(row), ...unfounded(row, root)].map((what) => at(row.line, what))),
  ];
  const summary = summaryOf(rows);
  return markdown.includes(summary) ? found : [...found, `${STANDARDS} does not say: ${summary}`];
}

/**
 * Checks that the tests that the map names did run, and passed.
 *
 * @param root - The repository's folder.
 * @param report - What vitest's JSON reporter wrote of the whole suite, parsed.
 * @returns what is wrong, by line of the map; empty when nothing is.
 */
export function checkRan(root: string, report: unknown): string[] {
  const ran = ranTests(report, root);
  if (ran.length === 0) return [`${STANDARDS}: no test ran; run npm test before`];
  const { rows } = parse(readFileSync(join(root, STANDARDS), "utf8"));
  return rows.flatMap(({ line, id, test }) =>
    entriesOf(test).flatMap((entry) => {
      const [, path = "", title = ""] = TEST.exec(entry) ?? [];
      const name = titlePattern(title);
      // A suite that several stores pass runs from their own files.
      const same = ran.filter((one) => (path.endsWith(".testing.ts") || one.file === path) && name.test(one.name));
      if (same.length === 0) return [at(line, `${id} names a test that did not run: ${entry}`)];
      return same.every(({ passed }) => passed) ? [] : [at(line, `${id} names a test that did not pass: ${entry}`)];
    }),
  );
}

function ranTests(report: unknown, root: string): readonly Ran[] {
  // The reporter's own form; what is not there is read as nothing.
  const { testResults = [] } = (report ?? {}) as {
    testResults?: readonly { name: string; assertionResults: readonly { fullName: string; status: string }[] }[];
  };
  return testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status }) => ({
      file: relative(root, name).split(sep).join("/"),
      name: fullName,
      passed: status === "passed",
    })),
  );
}

/** A title as it stands in the source: `%s`, `$name` and `${…}` are filled when the test runs. */
function titlePattern(title: string): RegExp {
  const literal = title.split(/%[sdifjo]|\$\{[^}]*\}|\$[\w.]+/).map((part) => part.replace(/\\(["'`])/g, "$1"));
  return new RegExp(literal.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*"));
}

/** Reads the tables below headings such as `### §4.3 Token exchange`, which stand below one such as `## IDJAG: …`. */
function parse(markdown: string): Standards {
  const rows: Row[] = [];
  const problems: string[] = [];
  let draft = "";
  let section = "";
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    const line = index + 1;
    const heading = /^(#+) (?:([A-Z]+\d*): |§(\d+(?:\.\d+)*) )?/.exec(text);
    if (heading) {
      const [, hashes = "", named, numbered] = heading;
      if (hashes.length === 2) draft = named ?? "";
      section = numbered === undefined ? "" : `${draft}-${numbered}`;
    } else if (/^\| [A-Z]+\d*-\d/.test(text) && section === "") {
      problems.push(at(line, "a requirement stands below no section"));
    } else if (text.startsWith("|") && section !== "" && text !== HEADER && !/^[|\s:-]+$/.test(text)) {
      const row = rowOf(text, line, section);
      if (row === undefined) problems.push(at(line, `a row has not the ${COLUMNS} columns of ${HEADER}`));
      else rows.push(row);
    }
  }
  return { rows, problems: rows.length === 0 ? [...problems, `${STANDARDS} has no requirements`] : problems };
}

function rowOf(text: string, line: number, section: string): Row | undefined {
  const cells = text.split(/(?<!\\)\|/).map((cell) => cell.trim());
  const [before, id, requirement, level, role, state, where, test, after, ...more] = cells;
  if (before !== "" || after !== "" || more.length > 0) return undefined;
  if (!id || !requirement || !level || !role || !state || where === undefined || test === undefined) return undefined;
  return { line, section, id, level, role, state, where, test };
}

function doubled(rows: readonly Row[]): readonly string[] {
  const first = new Map<string, number>();
  return rows.flatMap(({ id, line }) => {
    const before = first.get(id);
    if (before === undefined) first.set(id, line);
    return before === undefined ? [] : [at(line, `${id} stands in line ${before} already`)];
  });
}

/** What is wrong with a row in itself. */
function malformed({ id, section, level, role, state }: Row): readonly string[] {
  const [, own = ""] = ID.exec(id) ?? [];
  return [
    ...(own === section || own.startsWith(`${section}.`) ? [] : [`${id} does not belong below ${section}`]),
    ...(LEVELS.has(level) ? [] : [`${id}: ${level} is no level`]),
    ...(role.split(", ").every((one) => ROLES.has(one)) ? [] : [`${id}: ${role} is no role`]),
    ...(kindOf(state) === undefined ? [`${id}: "${state}" is no state; there are: ${Object.keys(STATES)}`] : []),
  ];
}

/** What a row claims that the repository does not have. */
function unfounded({ id, state, where, test }: Row, root: string): readonly string[] {
  const files = entriesOf(where);
  const tests = entriesOf(test);
  const problems = [
    ...files.flatMap((entry) => fileProblem(entry, root)),
    ...tests.flatMap((entry) => testProblem(entry, root)),
  ];
  if (HELD.has(kindOf(state) ?? "")) {
    if (files.length === 0) problems.push("names no file that implements it");
    if (tests.length === 0) problems.push("names no test that holds it");
  }
  return problems.map((problem) => `${id} ${problem}`);
}

function entriesOf(cell: string): readonly string[] {
  return cell === "" ? [] : cell.split("<br>").map((entry) => entry.trim());
}

function fileProblem(entry: string, root: string): readonly string[] {
  const [, path] = FILE.exec(entry) ?? [];
  if (path === undefined) return [`names a file in another form than \`path\`: ${entry}`];
  return existsSync(join(root, path)) ? [] : [`names ${path}, which is not there`];
}

function testProblem(entry: string, root: string): readonly string[] {
  const [, path, title] = TEST.exec(entry) ?? [];
  if (path === undefined || title === undefined) {
    return [`names a test in another form than \`path\` › "part of its name": ${entry}`];
  }
  if (!/\.test(?:ing)?\.ts$/.test(path)) return [`names ${path}, which holds no tests`];
  if (!existsSync(join(root, path))) return [`names ${path}, which is not there`];
  const held = holdsTitle(readFileSync(join(root, path), "utf8"), title);
  return held ? [] : [`names a test that ${path} does not have: ${title}`];
}

/** Whether a title, or part of one, is a text in the code: as the name of a test, or in the table that names its cases. */
function holdsTitle(source: string, title: string): boolean {
  return source
    .split("\n")
    .filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line))
    .flatMap((line) => line.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g) ?? [])
    .some((text) => text.includes(title));
}

function kindOf(state: string): string | undefined {
  return Object.keys(STATES).find((kind) => STATES[kind]?.test(state));
}

/** The sentence that the map must say of itself. */
function summaryOf(rows: readonly Row[]): string {
  const counts = Object.keys(STATES).map(
    (kind) => `${rows.filter(({ state }) => kindOf(state) === kind).length} ${kind}`,
  );
  return `${rows.length} requirements: ${counts.join(", ")}.`;
}

function at(line: number, problem: string): string {
  return `${STANDARDS}:${line}: ${problem}`;
}
