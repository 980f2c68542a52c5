import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";

const RUN = join(import.meta.dirname, "lib", "run.mjs");
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** Runs a program through run.mjs in a process of its own; resolves with it when the program has printed its first line. */
async function start(program: string, options: { graceMs?: number } = {}) {
  const source = `
    import { run } from ${JSON.stringify(RUN)};
    process.exit(await run(process.execPath, ["-e", ${JSON.stringify(program)}], ${JSON.stringify(options)}));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  started.push(child);
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  const exit = once(child, "close").then(([code]) => code);
  while (lines.length === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
  return { child, lines, exit };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const STAYS = "console.log(process.pid); setInterval(() => {}, 1000);";

describe("a program that is run", () => {
  it("gives its exit code", async () => {
    expect(await (await start("process.exit(7)")).exit).toBe(7);
  });

  it("gives 128 + n when a signal ended it", async () => {
    expect(await (await start("process.kill(process.pid, 'SIGKILL')")).exit).toBe(137);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("gets %s, and ends with us", async (signal, code) => {
    const { child, lines, exit } = await start(STAYS);
    child.kill(signal);
    expect(await exit).toBe(code);
    expect(isAlive(Number(lines[0]))).toBe(false);
  });

  it("is waited for while it ends in order", async () => {
    const { child, lines, exit } = await start(
      `process.on("SIGTERM", () => setTimeout(() => { console.log("done"); process.exit(3); }, 200)); ${STAYS}`,
    );
    child.kill("SIGTERM");
    expect(await exit).toBe(3);
    expect(lines).toContain("done");
  });

  it("gets Ctrl-C once, though npm repeats what the terminal has sent", async () => {
    const { child, lines, exit } = await start(
      `process.on("SIGINT", () => { console.log("interrupted"); setTimeout(() => process.exit(0), 300); }); ${STAYS}`,
    );
    child.kill("SIGINT");
    setTimeout(() => child.kill("SIGINT"), 50);
    expect(await exit).toBe(0);
    expect(lines.filter((line) => line === "interrupted")).toHaveLength(1);
  });

  it("is ended when it does not heed a signal", async () => {
    const { child, exit } = await start(`process.on("SIGTERM", () => {}); ${STAYS}`, { graceMs: 300 });
    child.kill("SIGTERM");
    expect(await exit).toBe(137);
  });

  it("leaves none of its own processes behind", async () => {
    const { lines, exit } = await start(`
      const child = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(STAYS)}], { stdio: "inherit" });
      setTimeout(() => process.exit(0), 500);`);
    expect(await exit).toBe(0);
    expect(Number(lines[0])).toBeGreaterThan(0);
    expect(isAlive(Number(lines[0]))).toBe(false);
  });
});
