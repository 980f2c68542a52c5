/**
 * `npm run mutation`: a line that can be changed without a test noticing is a line that nothing holds. Stryker changes the
 * code in a copy of the working tree, one small change at a time, and runs the tests that reach it. With names of parts as
 * arguments, only those; with source files, only these. `--fresh` forgets what earlier runs found out of what did not change
 * since; `--static` tries mutants in the constants of files too; `--concurrency=1` leaves processors to others. Reports are in
 * `.results/mutation/`. Exit code 1 when fewer than 80 % of a part's mutants are killed.
 *
 * @see docs/mutation.md
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Work, workFor } from "./mutation.parts.ts";
import { type Report, survivorsOf, tableOf, tally } from "./mutation.report.ts";
import { copyTree } from "./seen-red.copy.ts";

const ROOT = join(import.meta.dirname, "..");
const RESULTS = join(ROOT, ".results", "mutation");
/** Percent of the mutants of a part that tests have to kill. */
const FLOOR = 80;
/** How much longer than the tests a changed program may take, in milliseconds: only endless ones should meet it. */
const PATIENCE_MS = 20_000;
/** Longest that one test may take, in milliseconds: what a change made wait for ever is noticed sooner. */
const TEST_TIMEOUT_MS = 15_000;
/** Percent of the mutants that may end in an error of the tools before the figure says nothing. */
const FAULTS = 5;

interface Options {
  readonly fresh: boolean;
  /** Whether mutants that are there as soon as their file is loaded are tried, each with every test of its unit. */
  readonly statics: boolean;
  /** Mutants tried at the same time. */
  readonly concurrency?: number;
}

async function main(args: readonly string[]): Promise<boolean> {
  const all = workFor(
    ROOT,
    args.filter((arg) => !arg.startsWith("--")),
  );
  const concurrency = args.find((arg) => arg.startsWith("--concurrency="))?.split("=")[1];
  const options = {
    fresh: args.includes("--fresh"),
    statics: args.includes("--static"),
    ...(concurrency ? { concurrency: Number(concurrency) } : {}),
  };
  mkdirSync(RESULTS, { recursive: true });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  const copy = await copyTree(ROOT, new Set());
  try {
    const reports: { part: string; report: Report }[] = [];
    for (const work of all) reports.push({ part: work.part, report: await examine(copy, work, options, stop.signal) });
    return areHeld(reports);
  } finally {
    rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Changes the sources of one unit, and prints what became of it, file by file. */
async function examine(copy: string, work: Work, options: Options, signal: AbortSignal): Promise<Report> {
  const start = performance.now();
  const code = await stryker(copy, configure(copy, work, options), signal);
  if (code !== 0) throw new Error(`Stryker did not come to its end in ${work.name} (exit code ${code})`);
  const { files } = JSON.parse(readFileSync(join(RESULTS, `${work.name}.json`), "utf8")) as Report;
  // Earlier runs may have had files in this unit that stand in another one, or nowhere, now.
  const report = { files: Object.fromEntries(Object.entries(files).filter(([file]) => work.all.includes(file))) };
  writeFileSync(join(RESULTS, `${work.name}.survivors.txt`), survivorsOf(report));
  const { faults, valid } = tally(Object.values(report.files).flatMap(({ mutants }) => mutants));
  if (faults * 100 > FAULTS * (valid + faults)) {
    // The next run would take them for found out.
    rmSync(join(RESULTS, `${work.name}.incremental.json`), { force: true });
    throw new Error(`${faults} of the mutants of ${work.name} ended in an error of the tools, not of a test`);
  }
  console.log(`${tableOf(report)}\n${work.name}: ${((performance.now() - start) / 60_000).toFixed(1)} minutes\n`);
  return report;
}

/** Prints the figure of each part; whether all are high enough. */
function areHeld(reports: readonly { part: string; report: Report }[]): boolean {
  const parts = [...new Set(reports.map(({ part }) => part))];
  return parts
    .map((part) => {
      const files = reports.filter((one) => one.part === part).flatMap(({ report }) => Object.values(report.files));
      const { score, killed, valid } = tally(files.flatMap(({ mutants }) => mutants));
      const verdict = score >= FLOOR ? "✓" : `✗ fewer than ${FLOOR} %`;
      console.log(`${part}: ${killed} of ${valid} mutants killed, ${score.toFixed(1)} % ${verdict}`);
      return score >= FLOOR;
    })
    .every((held) => held);
}

/**
 * Writes Stryker's configuration, and one of vitest's that knows the tests of the unit alone: a mutant that is there as soon
 * as its file is loaded is tried with every test that vitest knows.
 *
 * @returns the file of Stryker's.
 */
function configure(copy: string, { name, sources, tests }: Work, { fresh, statics, concurrency }: Options): string {
  const incrementalFile = join(RESULTS, `${name}.incremental.json`);
  if (fresh) rmSync(incrementalFile, { force: true });
  const configFile = `vitest.${name}.config.ts`;
  // One process for all files of a run, for each run is of one mutant: starting took longer than testing.
  const test = `{ ...config.test, isolate: false, testTimeout: ${TEST_TIMEOUT_MS}, include: ${JSON.stringify(tests)} }`;
  writeFileSync(
    join(copy, configFile),
    `import config from "./vitest.config.ts";\nexport default { ...config, test: ${test} };\n`,
  );
  const stated = {
    // In place, in a copy of our own: in Stryker's sandbox @credence/* would lead back to code without mutants.
    inPlace: true,
    mutate: sources,
    testRunner: "vitest",
    testRunnerNodeArgs: ["-C", "@credence/source"],
    vitest: { configFile, pool: "threads", related: false },
    plugins: ["@stryker-mutator/vitest-runner", join(copy, "scripts/mutation.sentences.mjs")],
    ignorers: ["sentences"],
    coverageAnalysis: "perTest",
    ignoreStatic: !statics,
    // Nothing here checks types, and a test reads a file of its own: it is to find it as it is.
    disableTypeChecks: false,
    ...(concurrency === undefined ? {} : { concurrency }),
    timeoutMS: PATIENCE_MS,
    dryRunTimeoutMinutes: 15,
    incremental: true,
    incrementalFile,
    tempDirName: join(copy, ".stryker-tmp"),
    reporters: ["progress", "json", "html"],
    jsonReporter: { fileName: join(RESULTS, `${name}.json`) },
    htmlReporter: { fileName: join(RESULTS, `${name}.html`) },
    warnings: { slow: false },
    logLevel: "warn",
  };
  const config = join(copy, `stryker.${name}.json`);
  writeFileSync(config, JSON.stringify(stated));
  return config;
}

async function stryker(copy: string, config: string, signal: AbortSignal): Promise<number | null> {
  const file = join(copy, "node_modules/@stryker-mutator/core/bin/stryker.js");
  const child = spawn(process.execPath, [file, "run", config], { cwd: copy, stdio: "inherit", signal });
  return await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
