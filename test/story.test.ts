/** What `npm start` does, as whoever types it sees it: the launcher, the story, and what it leaves behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const STEPS = [
  "sign-in",
  "challenge",
  "id-jag",
  "redeem",
  "call",
  "renew",
  "denied",
  "signed-out",
  "switched-off",
  "audit",
];

let temporary: string;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), "credence-story-test-"));
});
afterEach(() => rm(temporary, { recursive: true, force: true }));

function npmStart(...args: string[]): {
  child: ChildProcess;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
} {
  const child = spawn("npm", ["start", "--silent", "--", ...args], {
    // Where the story keeps its data, so that what is left behind can be seen.
    env: { ...process.env, TMPDIR: temporary, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
}

/** Processes that work in this test's temporary folder, or were told to. */
function leftBehind(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        return environment.includes(temporary)
          ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")]
          : [];
      } catch {
        return [];
      }
    });
}

/** Data of the story; npm keeps a cache of its own there. */
async function dataLeft(): Promise<readonly string[]> {
  return (await readdir(temporary)).filter((name) => name.startsWith("credence-"));
}

describe("npm start -- --once --json", () => {
  test("tells every step as a line of JSON, as told, and ends with 0 and nothing left behind", async () => {
    const { ended } = npmStart("--once", "--json");
    const { code, stdout, stderr } = await ended;
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ step }) => step)).toEqual(STEPS);
    for (const line of lines) expect(line).toMatchObject({ ok: true, actual: line.expected });
    for (const step of ["id-jag", "renew", "denied", "signed-out", "switched-off"]) {
      expect(lines.find((line) => line.step === step)?.decision_id).toMatch(/^[\w-]{22}$/);
    }
    expect([code, stderr.includes("Every step went as told")]).toEqual([0, true]);
    expect(leftBehind()).toEqual([]);
    expect(await dataLeft()).toEqual([]);
  }, 60_000);
});

// /proc tells which processes are there; elsewhere the other tests have to do.
describe.runIf(process.platform === "linux")("a signal in the middle of the story", () => {
  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)(
    "%s ends all of it",
    async (signal, expected) => {
      const { child, ended } = npmStart("--once");
      await new Promise<void>((resolve) => {
        child.stdout?.on("data", (text: string) => text.includes("id-jag") && resolve());
      });
      expect(leftBehind().length).toBeGreaterThanOrEqual(3);
      child.kill(signal);
      const { code } = await ended;
      expect(code).toBe(expected);
      expect(leftBehind()).toEqual([]);
      expect(await dataLeft()).toEqual([]);
    },
    60_000,
  );
});

test("a flag that does not exist is answered with the usage and 2", async () => {
  const { code, stderr } = await npmStart("--twice").ended;
  expect([code, stderr.includes("--once")]).toEqual([2, true]);
}, 60_000);
