import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CONTENDER = fileURLToPath(new URL("./contender.testing.ts", import.meta.url));

/**
 * Lets two processes use the same keys of one store at once.
 *
 * @param place - The file, or the connection's URL.
 * @returns for each key, how often any of them was first.
 */
export async function contend(
  kind: "sqlite" | "postgresql",
  place: string,
  { keys, uses, prefix = "" }: { readonly keys: number; readonly uses: number; readonly prefix?: string },
): Promise<readonly number[]> {
  const options = {
    env: { ...process.env, PREFIX: prefix },
    stdio: ["pipe", "pipe", "inherit"] as ["pipe", "pipe", "inherit"],
  };
  const args = ["-C", "@credence/source", CONTENDER, kind, place, String(keys), String(uses)];
  const both = [1, 2].map(() => spawn(process.execPath, args, options));
  try {
    const lines = both.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    for (const [index, line] of lines.entries()) await expectReady(line.next(), both[index]);
    for (const child of both) child.stdin.write("go\n");
    const counts = await Promise.all(
      lines.map(async (line) => JSON.parse(String((await line.next()).value)) as number[]),
    ); // Printed by our own script.
    await Promise.all(both.map((child) => child.exitCode ?? once(child, "exit")));
    return Array.from({ length: keys }, (_, key) => counts.reduce((sum, count) => sum + (count[key] ?? 0), 0));
  } finally {
    for (const child of both) child.kill();
  }
}

async function expectReady(line: Promise<IteratorResult<string>>, child: ChildProcess | undefined): Promise<void> {
  const { value } = await line;
  if (value !== "ready") throw new Error(`A contender ended before it was ready (exit code ${child?.exitCode})`);
}
