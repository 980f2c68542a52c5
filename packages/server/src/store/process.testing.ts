import { spawn } from "node:child_process";
import { dirname } from "node:path";

/** How Node runs a script of a test from source. */
export function nodeArguments(script: string): string[] {
  return ["-C", "@credence/source", "--input-type=module", "--eval", script];
}

/** Runs a script until it first says something, and kills it as a power cut would: without asking. */
export async function killAfterFirstOutput(script: string): Promise<void> {
  const child = spawn(process.execPath, nodeArguments(script), {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: dirname(import.meta.dirname),
  });
  await new Promise((resolve, reject) => {
    child.stdout.once("data", resolve);
    child.once("exit", () => reject(new Error("the script ended before it said anything")));
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
}

/** Runs a script in a process of its own, and gives what it said. */
export async function runScript(script: string): Promise<string> {
  const child = spawn(process.execPath, nodeArguments(script), {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: dirname(import.meta.dirname),
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`the script ended with ${code}`);
  return said;
}
