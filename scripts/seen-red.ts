/**
 * `npm run seen-red`: a test that was never seen failing proves nothing. Takes the check against each binding bug out of a
 * copy of the working tree, one row of the table at a time, and expects that the row's tests run and fail. With words as
 * arguments, only rows that have one of them; `--why` prints what the tests failed with; `--docs` writes
 * docs/binding-bugs.md and does nothing else.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apply, copyTree, onlyPlace, runTests, strayed, testKey, type Verdict } from "./seen-red.copy.ts";
import { withTable } from "./seen-red.docs.ts";
import { type Change, ROWS, type Row, type Tests } from "./seen-red.table.ts";
import { tool } from "./tool.ts";

const ROOT = join(import.meta.dirname, "..");
const DOCS = join(ROOT, "docs", "binding-bugs.md");

async function main(args: readonly string[]): Promise<boolean> {
  if (args.includes("--docs")) {
    writeFileSync(DOCS, withTable(readFileSync(DOCS, "utf8"), ROWS));
    return true;
  }
  const rows = chosen(args.filter((arg) => !arg.startsWith("--")));
  const changed = rows.flatMap(({ changes }) => changes.map(({ file }) => file));
  const copy = await copyTree(ROOT, new Set(changed.flatMap((file) => dependencyOf(file) ?? [])));
  const remove = () => rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
  const stop = new AbortController();
  const end = () => {
    stop.abort();
    remove();
    process.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
  try {
    const ready = areThere(copy, rows) && (await areGreen(copy, rows, stop.signal)) && (await doCompile(copy, rows));
    return ready && (await areRed(copy, rows, stop.signal, args.includes("--why")));
  } finally {
    remove();
  }
}

function chosen(words: readonly string[]): readonly Row[] {
  const rows = ROWS.filter(
    (row) => words.length === 0 || words.some((word) => textOf(row).includes(word.toLowerCase())),
  );
  if (rows.length === 0) throw new Error(`No row has ${words.join(" or ")}`);
  return rows;
}

function textOf({ bug, check, changes }: Row): string {
  return [bug, check, ...changes.map(({ file }) => file)].join("\n").toLowerCase();
}

function dependencyOf(file: string): string | undefined {
  return /^node_modules\/([^/]+)\//.exec(file)?.[1];
}

/** Each snippet stands where the table says. */
function areThere(copy: string, rows: readonly Row[]): boolean {
  const lost = strayed(
    copy,
    rows.flatMap(({ changes }) => changes),
  );
  for (const one of lost) console.log(`  not there exactly once: ${one}`);
  return lost.length === 0;
}

/** All named tests pass with all checks in their place: else red would say nothing. */
async function areGreen(copy: string, rows: readonly Row[], signal: AbortSignal): Promise<boolean> {
  const tests = rows.flatMap((row) => row.tests);
  console.log(`With all checks: ${keysOf(tests).size} tests …`);
  const found = await runTests(copy, tests, signal);
  const bad = [...keysOf(tests)].filter((key) => found.get(key)?.status !== "passed");
  for (const key of bad) console.log(`  ${found.get(key)?.status ?? "not found"}: ${key} ${found.get(key)?.why ?? ""}`);
  return bad.length === 0;
}

function keysOf(tests: readonly Tests[]): ReadonlySet<string> {
  return new Set(tests.flatMap(({ file, names }) => names.map((name) => testKey(file, name))));
}

/**
 * Each changed file is a program still: a test that fails because the code does not compile proves nothing either. Rows
 * that change different places are compiled together.
 */
async function doCompile(copy: string, rows: readonly Row[]): Promise<boolean> {
  const before = new Set(await typeErrors(copy));
  let good = true;
  for (const changes of disjoint(copy, rows)) {
    const restore = apply(copy, changes);
    for (const error of await typeErrors(copy)) {
      if (before.has(error)) continue;
      console.log(`  ${error}`);
      good = false;
    }
    restore();
  }
  return good;
}

async function typeErrors(copy: string): Promise<readonly string[]> {
  const { output } = await tool("typescript", "bin/tsc", ["-p", "tsconfig.json", "--pretty", "false"], copy);
  return output.split("\n").filter((line) => line.includes("error TS"));
}

function disjoint(copy: string, rows: readonly Row[]): readonly (readonly Change[])[] {
  const groups: Change[][] = [];
  const changes = rows.flatMap((row) => row.changes).filter(({ file }) => dependencyOf(file) === undefined);
  const distinct = new Map(changes.map((change) => [JSON.stringify(change), change]));
  for (const change of distinct.values()) {
    const group = groups.find((others) => others.every((other) => !overlap(copy, change, other)));
    if (group) group.push(change);
    else groups.push([change]);
  }
  return groups;
}

function overlap(copy: string, a: Change, b: Change): boolean {
  if (a.file !== b.file) return false;
  const text = readFileSync(join(copy, a.file), "utf8");
  const [from = 0, other = 0] = [onlyPlace(text, a.find), onlyPlace(text, b.find)];
  return from < other + b.find.length && other < from + a.find.length;
}

async function areRed(copy: string, rows: readonly Row[], signal: AbortSignal, tell: boolean): Promise<boolean> {
  console.log("bug · file · test · seen");
  let red = 0;
  for (const row of rows) {
    const restore = apply(copy, row.changes);
    const found = await runTests(copy, row.tests, signal);
    restore();
    const outcomes = [...keysOf(row.tests)].map((key) => ({ key, verdict: found.get(key) }));
    for (const { key, verdict } of outcomes) print(row, key, verdict, tell);
    if (outcomes.every(({ verdict }) => verdict?.status === "failed")) red += 1;
  }
  console.log(`${rows.length} bugs let in, ${red} seen by every test that names them, ${rows.length - red} not.`);
  return red === rows.length;
}

function print({ bug, changes }: Row, key: string, verdict: Verdict | undefined, tell: boolean): void {
  const seen = verdict?.status === "failed" ? "red ✓" : `${verdict?.status ?? "did not run"} ✗`;
  const files = [...new Set(changes.map(({ file }) => file))].join(" + ");
  console.log(`${bug} · ${files} · ${key} · ${seen}`);
  if (tell && verdict?.why) console.log(`    ${verdict.why.slice(0, 200)}`);
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
