import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { line, tally } from "./lib/tally.mjs";

function results(test: unknown, check: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), "credence-tally-"));
  if (test !== undefined) writeFileSync(join(folder, "test.json"), JSON.stringify(test));
  if (check !== undefined) writeFileSync(join(folder, "check.json"), JSON.stringify(check));
  return folder;
}

const suite = (status: string, ...tests: string[]) => ({
  testResults: [{ status, assertionResults: tests.map((each) => ({ status: each })) }],
});
const CHECKS = { passed: 2, failed: 0 };
const WELL = { tests: 0, checks: 0 };

describe("the sum of a run", () => {
  it.each([
    ["tests and checks are added", suite("passed", "passed"), CHECKS, WELL, "3 passed, 0 failed"],
    [
      "skipped ones are told",
      suite("passed", "passed", "skipped", "todo"),
      CHECKS,
      WELL,
      "3 passed, 0 failed, 2 skipped",
    ],
    ["a failed test", suite("failed", "passed", "failed"), CHECKS, { tests: 1, checks: 0 }, "3 passed, 1 failed"],
    ["a file that does not load", suite("failed"), CHECKS, { tests: 1, checks: 0 }, "2 passed, 1 failed"],
    [
      "an unhandled error beside passing tests",
      suite("passed", "passed"),
      CHECKS,
      { tests: 1, checks: 0 },
      "3 passed, 1 failed",
    ],
    ["no test ran", { testResults: [] }, CHECKS, WELL, "2 passed, 1 failed"],
    ["no report of the tests", undefined, CHECKS, { tests: 143, checks: 0 }, "2 passed, 1 failed"],
    ["no report at all", undefined, undefined, { tests: 1, checks: 1 }, "0 passed, 2 failed"],
    [
      "a failed check",
      suite("passed", "passed"),
      { passed: 1, failed: 1 },
      { tests: 0, checks: 1 },
      "2 passed, 1 failed",
    ],
  ])("%s", (_, test, check, exitCodes, expected) => {
    expect(line(tally(results(test, check), exitCodes))).toBe(expected);
  });
});
