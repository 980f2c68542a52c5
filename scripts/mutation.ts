/**
 * `npm run mutation`: a line that can be changed without a test noticing is a line that nothing holds. Stryker changes the
 * code in a copy of the working tree, one small change at a time, and runs the tests that reach it. With names of parts as
 * arguments, only those; with source files, only these; `--fresh` forgets earlier results; `--concurrency=1` leaves a core to others. Reports are in
 * `.results/mutation/`. Exit code 1 when fewer than 80 % of a part's mutants are killed.
 *
 * @see docs/mutation.md
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Report, survivorsOf, tableOf, tally } from "./mutation.report.ts";
import { copyTree } from "./seen-red.copy.ts";

const ROOT = join(import.meta.dirname, "..");
const RESULTS = join(ROOT, ".results", "mutation");
/** Percent of the mutants of a part that tests have to kill. */
const FLOOR = 80;
/** What a changed program may take longer than the tests took before, in milliseconds: only endless ones should meet it. */
const PATIENCE_MS = 30_000;

/** What is changed, and whose tests have to notice. */
const PARTS: Readonly<Record<string, string>> = {
  policy: "packages/server/src/policy",
  protocol: "packages/protocol/src",
  issuer: "packages/issuer/src",
  resource: "packages/resource/src",
};

interface Wanted {
  readonly part: string;
  /** Globs of source files, from the repository's folder. */
  readonly mutate: readonly string[];
}

async function main(args: readonly string[]): Promise<boolean> {
  const wanted = wantedParts(args.filter((arg) => !arg.startsWith("--")));
  const concurrency = args.find((arg) => arg.startsWith("--concurrency="))?.split("=")[1];
  const options = { fresh: args.includes("--fresh"), ...(concurrency ? { concurrency: Number(concurrency) } : {}) };
  mkdirSync(RESULTS, { recursive: true });
  const copy = await copyTree(ROOT, new Set());
  const remove = () => rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  try {
    let good = true;
    for (const one of wanted) good = (await examine(copy, one, options, stop.signal)) && good;
    return good;
  } finally {
    remove();
  }
}

/** Without a name, all parts; a source file belongs to the part whose folder it is in. */
function wantedParts(names: readonly string[]): readonly Wanted[] {
  const all = Object.entries(PARTS);
  const everything = (folder: string) => [`${folder}/**/*.ts`];
  if (names.length === 0) return all.map(([part, folder]) => ({ part, mutate: everything(folder) }));
  const known = names.map((name) => {
    const found = all.find(([part, folder]) => name === part || name.startsWith(`${folder}/`));
    if (found === undefined) throw new Error(`${name} is no part, nor a file of one: ${Object.keys(PARTS).join(", ")}`);
    return { part: found[0], mutate: name === found[0] ? everything(found[1]) : [name] };
  });
  const parts = [...new Set(known.map(({ part }) => part))];
  return parts.map((part) => ({ part, mutate: known.filter((one) => one.part === part).flatMap((one) => one.mutate) }));
}

interface Options {
  /** Whether to forget what an earlier run found out. */
  readonly fresh: boolean;
  /** Mutants tried at the same time. */
  readonly concurrency?: number;
}

/** Changes one part, prints what became of the mutants; whether enough were killed. */
async function examine(copy: string, wanted: Wanted, options: Options, signal: AbortSignal): Promise<boolean> {
  const { part } = wanted;
  const start = performance.now();
  const config = configure(copy, wanted, options);
  const code = await stryker(copy, config, signal);
  const report = join(RESULTS, `${part}.json`);
  if (code !== 0) throw new Error(`Stryker did not come to its end in ${part} (exit code ${code})`);
  const found = JSON.parse(readFileSync(report, "utf8")) as Report;
  writeFileSync(join(RESULTS, `${part}.survivors.txt`), survivorsOf(found));
  const { score, killed, valid } = tally(Object.values(found.files).flatMap(({ mutants }) => mutants));
  const minutes = ((performance.now() - start) / 60_000).toFixed(1);
  console.log(tableOf(found));
  const verdict = score >= FLOOR ? "✓" : `✗ fewer than ${FLOOR} %`;
  console.log(`${part}: ${killed} of ${valid} mutants killed, ${score.toFixed(1)} %, in ${minutes} minutes ${verdict}`);
  return score >= FLOOR;
}

/**
 * Writes Stryker's configuration, and one of vitest's that knows the tests of the part alone: a mutant that is there as
 * soon as its file is loaded is tried with every test that vitest knows.
 */
function configure(copy: string, { part, mutate }: Wanted, { fresh, concurrency }: Options): string {
  const tests = `vitest.${part}.config.ts`;
  const include = JSON.stringify([`${PARTS[part]}/**/*.test.ts`]);
  writeFileSync(
    join(copy, tests),
    `import config from "./vitest.config.ts";
export default { ...config, test: { ...config.test, include: ${include} } };
`,
  );
  const incrementalFile = join(RESULTS, `${part}.incremental.json`);
  if (fresh) rmSync(incrementalFile, { force: true });
  const config = join(copy, `stryker.${part}.json`);
  const stated = {
    // In place, in a copy of our own: in Stryker's sandbox @credence/* would lead back to code without mutants.
    inPlace: true,
    mutate: [...mutate, "!**/*.test.ts", "!**/*.testing.ts"],
    testRunner: "vitest",
    testRunnerNodeArgs: ["-C", "@credence/source"],
    vitest: { configFile: tests, pool: "threads", related: false },
    plugins: ["@stryker-mutator/vitest-runner", join(copy, "scripts/mutation.sentences.mjs")],
    ignorers: ["sentences"],
    coverageAnalysis: "perTest",
    ...(concurrency === undefined ? {} : { concurrency }),
    timeoutMS: PATIENCE_MS,
    dryRunTimeoutMinutes: 15,
    incremental: true,
    incrementalFile,
    tempDirName: join(copy, ".stryker-tmp"),
    reporters: ["progress", "json", "html"],
    jsonReporter: { fileName: join(RESULTS, `${part}.json`) },
    htmlReporter: { fileName: join(RESULTS, `${part}.html`) },
    warnings: { slow: false },
    logLevel: "warn",
  };
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
