/** Runs an example as a reader would, for the tests of the examples. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What an example printed, and how it ended. */
export interface Played {
  readonly code: number | null;
  /** The lines of stdout: a step's name and its outcome. */
  readonly outcomes: readonly { readonly step: string; readonly outcome: unknown }[];
  readonly stderr: string;
}

const EXAMPLE = fileURLToPath(new URL("../../../scripts/example.mjs", import.meta.url));

/** Plays an example once: what `npm run example -- NAME --once` runs. */
export async function playExample(name: string): Promise<Played> {
  const child = spawn(process.execPath, [EXAMPLE, name, "--once"], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.toArray(),
    child.stderr.toArray(),
    new Promise<number | null>((resolve) => child.once("close", resolve)),
  ]);
  const lines = Buffer.concat(stdout).toString("utf8").split("\n").filter(Boolean);
  return { code, outcomes: lines.map((line) => JSON.parse(line)), stderr: Buffer.concat(stderr).toString("utf8") };
}
