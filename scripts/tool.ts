import { spawn } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");

/** How a program ended, and what it said on both outputs. */
export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/**
 * Runs the command of an installed package on this Node, and waits for it.
 * @param name - The package.
 * @param bin - The command's file in the package.
 * @param args - Its arguments.
 * @param cwd - Where it runs; the repository's folder by default.
 */
export function tool(name: string, bin: string, args: readonly string[], cwd: string = ROOT): Promise<Outcome> {
  return command(process.execPath, [join(ROOT, "node_modules", name, bin), ...args], cwd);
}

/** Runs any program and waits for it; one that cannot be started counts as failed. */
export function command(file: string, args: readonly string[], cwd: string = ROOT): Promise<Outcome> {
  const child = spawn(file, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ ok: false, output: error.message }));
    child.once("close", (code) => resolve({ ok: code === 0, output: Buffer.concat(chunks).toString() }));
  });
}
