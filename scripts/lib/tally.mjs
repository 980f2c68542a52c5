// @ts-check
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Sum
 * @typedef {{ status: string, assertionResults: readonly { status: string }[] }} Suite
 */

/**
 * Sums what the tests and the checks reported. What ended badly without saying so counts as one failure.
 * @param {string} results - Folder of test.json (vitest) and check.json (scripts/check.ts).
 * @param {{ tests: number, checks: number }} exitCodes
 * @returns {Sum}
 */
export function tally(results, exitCodes) {
  const tests = ofTests(read(join(results, "test.json")));
  const checks = ofChecks(read(join(results, "check.json")));
  return add(orOneFailure(tests, exitCodes.tests), orOneFailure(checks, exitCodes.checks));
}

/**
 * `N passed, N failed`, and `, N skipped` when there are any.
 * @param {Sum} sum
 */
export function line({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}

/**
 * @param {any} report
 * @returns {Sum}
 */
function ofTests(report) {
  /** @type {readonly Suite[]} */
  const suites = report?.testResults ?? [];
  return suites.map(ofSuite).reduce(add, { passed: 0, failed: 0, skipped: 0 });
}

/**
 * A file that failed outside its tests (it could not be loaded, or its set-up failed) is one failure.
 * @param {Suite} suite
 * @returns {Sum}
 */
function ofSuite({ status, assertionResults }) {
  const count = (/** @type {readonly string[]} */ names) =>
    assertionResults.filter((test) => names.includes(test.status)).length;
  const passed = count(["passed"]);
  const failed = count(["failed"]);
  const skipped = assertionResults.length - passed - failed;
  return { passed, failed: failed === 0 && status === "failed" ? 1 : failed, skipped };
}

/**
 * @param {any} report
 * @returns {Sum}
 */
function ofChecks(report) {
  return { passed: report?.passed ?? 0, failed: report?.failed ?? 0, skipped: 0 };
}

/**
 * A run without a single test is a failure too.
 * @param {Sum} sum
 * @param {number} exitCode
 * @returns {Sum}
 */
function orOneFailure(sum, exitCode) {
  const silent = sum.failed === 0 && (exitCode !== 0 || sum.passed === 0);
  return silent ? { ...sum, failed: 1 } : sum;
}

/**
 * @param {Sum} one
 * @param {Sum} other
 * @returns {Sum}
 */
function add(one, other) {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
  };
}

/** @param {string} path */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
