/**
 * `npm run bench`: measures the main job, everything that is compared side by side within this run.
 *
 *   --json            one line per figure: {"name","value","unit"}
 *   --markdown        the table of docs/performance.md
 *   --only NAME,NAME  these figures, or all whose names begin so
 *   --quick           only whether everything runs: the values say nothing
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chain } from "./chain.ts";
import { check } from "./check.ts";
import type { Figure, FigureDefinition, Part, PartEffort } from "./figures.ts";
import { halfLoad } from "./half-load.ts";
import { BenchError } from "./harness/error.ts";
import { requireWrk } from "./harness/wrk.ts";
import { rates } from "./rates.ts";
import { asJson, asMarkdown, asText } from "./report.ts";
import { sizes } from "./sizes.ts";
import { startUp } from "./start-up.ts";
import { variants } from "./variants.ts";

const PARTS: readonly Part[] = [rates, check, chain, halfLoad, ...variants, ...sizes, startUp];

process.exitCode = await main();

async function main(): Promise<number> {
  const { values: flags } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), "credence-bench-"));
  // Ctrl-C ends the servers too: they are killed when this process exits.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  try {
    const wanted = wantedNames(flags.only);
    await requireWrk();
    const figures = await measure({ quick: flags.quick, folder, tell }, wanted);
    const report = flags.json ? asJson : flags.markdown ? asMarkdown : asText;
    process.stdout.write(report(figures, definitions()));
    return 0;
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    tell(error.message);
    return 1;
  }
}

function definitions(): readonly FigureDefinition[] {
  return PARTS.flatMap(({ figures }) => figures);
}

/** @throws BenchError for a name that nothing has. */
function wantedNames(only: string | undefined): ReadonlySet<string> {
  const names = definitions().map(({ name }) => name);
  if (only === undefined) return new Set(names);
  const wanted = only.split(",").map((asked) => {
    const found = names.filter(
      (name) => name === asked || name.startsWith(`${asked}.`) || name.startsWith(`${asked}_`),
    );
    if (found.length === 0)
      throw new BenchError(`--only ${asked}: there is no such figure. There are ${names.join(", ")}`);
    return found;
  });
  return new Set(wanted.flat());
}

async function measure(effort: PartEffort, wanted: ReadonlySet<string>): Promise<readonly Figure[]> {
  const values = new Map<string, number>();
  for (const part of PARTS) {
    if (!part.figures.some(({ name }) => wanted.has(name))) continue;
    for (const [name, value] of await part.run(effort, wanted)) values.set(name, value);
  }
  return definitions().flatMap(({ name, unit }) => {
    const value = values.get(name);
    return value === undefined || !wanted.has(name) ? [] : [{ name, value, unit }];
  });
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
