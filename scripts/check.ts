/**
 * `npm run check`: everything that is not a test. Each check runs whatever became of the one before it; with names as
 * arguments, only those. The outcome for machines is in `.results/check.json`.
 */
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { stripVTControlCharacters, styleText } from "node:util";
import { arrows } from "./arrows.ts";
import { build } from "./build.ts";
import { checkBundles } from "./bundle.ts";
import { checkPublishedTypes } from "./published-types.ts";
import { checkSnippets } from "./snippets.ts";
import { checkRan, checkStandards } from "./standards.ts";
import { type Outcome, tool } from "./tool.ts";

const ROOT = join(import.meta.dirname, "..");
const LONG = 500;

interface Check {
  readonly name: string;
  /** What to do about a failure. */
  readonly mend: string;
  /** Output of a check that passed is a warning. */
  readonly run: () => Promise<Outcome>;
}

interface Verdict {
  readonly name: string;
  readonly ok: boolean;
  readonly milliseconds: number;
  readonly output: string;
}

const CHECKS: readonly Check[] = [
  {
    name: "types",
    mend: "Mend the types; `npx tsc -p tsconfig.json` shows them alone.",
    run: () => tool("typescript", "bin/tsc", ["-p", "tsconfig.json", "--pretty", "false"]),
  },
  {
    name: "build",
    mend: "What compiles here and not there lacks an explicit type on an export; `npm run build` shows it alone.",
    run: () => build(),
  },
  {
    name: "biome",
    mend: "`npm run format` mends what can be mended by a program.",
    run: () =>
      tool("@biomejs/biome", "bin/biome", ["ci", "--error-on-warnings", "--colors=off", "--reporter=summary", "."]),
  },
  {
    name: "knip",
    mend: "Remove what nobody uses, or declare what is used; an export for tests alone belongs into a *.testing.ts.",
    run: () => tool("knip", "bin/knip.js", ["--no-progress", "--no-config-hints"]),
  },
  ...publishedPackages().map((path) => ({
    name: `publint ${basename(path)}`,
    mend: `See \`exports\`, \`files\` and \`bin\` in ${path}/package.json; the check \`build\` must pass first.`,
    run: () => tool("publint", "src/cli.js", ["run", path, "--pack", "false", "--strict"]),
  })),
  {
    name: "published types",
    mend: "See `exports` in the package's package.json: each entry has `types` beside its code, both as ES modules.",
    run: async () => failures(await checkPublishedTypes()),
  },
  {
    name: "bundle",
    mend: "Modules of Node belong into a subpath that says so; sizes and what else is forbidden stand in scripts/bundle.ts.",
    run: async () => failures(await checkBundles()),
  },
  {
    name: "arrows",
    mend: "The arrows are in the design and in scripts/arrows.ts; pass in from above what is needed from there.",
    run: async () => failures(arrows(ROOT).map(({ at, specifier, why }) => `${at}: "${specifier}"\n  ${why}`)),
  },
  {
    name: "snippets",
    mend: "Mend the block so that it compiles as a reader would paste it; the check `build` must pass first.",
    run: async () => failures(await checkSnippets(ROOT)),
  },
  {
    name: "standards",
    mend: "docs/standards.md names files and tests that exist; whoever renames one changes its row.",
    run: async () => failures(await checkStandards(ROOT)),
  },
  {
    name: "standards ran",
    mend: "Run `npm test` before: it leaves its report in .results. A row names a test that runs, and passes.",
    run: async () => failures(checkRan(ROOT, reportOfTests())),
  },
  {
    name: "lengths",
    mend: "Give a file one subject.",
    run: async () => ({ ok: true, output: longFiles().join("\n") }),
  },
];

/** What the last whole `npm test` reported; `undefined` when there was none. */
function reportOfTests(): unknown {
  const path = join(ROOT, ".results", "test.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function publishedPackages(): readonly string[] {
  return globSync("packages/*/package.json", { cwd: ROOT })
    .filter((path) => JSON.parse(readFileSync(join(ROOT, path), "utf8")).private !== true)
    .map((path) => join(path, ".."))
    .sort();
}

function failures(messages: readonly string[]): Outcome {
  return { ok: messages.length === 0, output: messages.join("\n") };
}

function longFiles(): readonly string[] {
  return globSync("{packages,examples}/*/src/**/*.ts", { cwd: ROOT }).flatMap((path) => {
    const lines = readFileSync(join(ROOT, path), "utf8").split("\n").length;
    return lines > LONG ? [`${path} has ${lines} lines: more than ${LONG} wants a reason`] : [];
  });
}

async function verdictOf(check: Check): Promise<Verdict> {
  const start = performance.now();
  // A check that throws has failed; the others still run.
  const { ok, output } = await check.run().catch((error: unknown) => ({
    ok: false,
    output: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }));
  const milliseconds = Math.round(performance.now() - start);
  return { name: check.name, ok, milliseconds, output: stripVTControlCharacters(output).trim() };
}

function print({ name, ok, milliseconds, output }: Verdict, mend: string): void {
  const mark = ok ? styleText("green", "✓") : styleText("red", "✗");
  console.log(`${mark} ${name.padEnd(20)} ${(milliseconds / 1_000).toFixed(1).padStart(5)} s`);
  if (output !== "" && (!ok || name === "lengths")) console.log(output.replace(/^/gm, "    "));
  if (!ok) console.log(`  To mend it: ${mend}`);
}

function wantedChecks(names: readonly string[]): readonly Check[] {
  const unknown = names.filter((name) => !CHECKS.some((check) => isCalled(check, name)));
  if (unknown.length === 0)
    return names.length === 0 ? CHECKS : CHECKS.filter((check) => names.some((name) => isCalled(check, name)));
  const known = [...new Set(CHECKS.map((check) => check.name.split(" ")[0]))].join(", ");
  console.error(`No check is called ${unknown.join(", ")}. There are: ${known}.`);
  process.exit(2);
}

/** By its whole name, or by its first word. */
function isCalled(check: Check, name: string): boolean {
  return check.name === name || check.name.startsWith(`${name} `);
}

const verdicts: Verdict[] = [];
for (const check of wantedChecks(process.argv.slice(2))) {
  const verdict = await verdictOf(check);
  print(verdict, check.mend);
  verdicts.push(verdict);
}
const failed = verdicts.filter((verdict) => !verdict.ok).length;
mkdirSync(join(ROOT, ".results"), { recursive: true });
const report = { passed: verdicts.length - failed, failed, checks: verdicts };
writeFileSync(join(ROOT, ".results", "check.json"), `${JSON.stringify(report, undefined, 2)}\n`);
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
