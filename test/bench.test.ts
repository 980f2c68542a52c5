/** That `npm run bench` runs, and tells every figure that it promises; what they are worth is for an idle machine to say. */
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, ["-C", "@credence/source", join(root, "bench/main.ts"), ...args], {
    cwd: root,
    maxBuffer: 1 << 24,
  });

/** Those that the project holds itself to, and that others read by name. */
const PROMISED = [
  "exchange.ratio_to_ceiling",
  "redemption.ratio_to_ceiling",
  "exchange.ratio_to_oidc_provider",
  "redemption.ratio_to_oidc_provider",
  "exchange.slow_commit_ratio",
  "exchange.slow_commit_p50_ms",
  "exchange.two_workers_cpu_ratio",
  "exchange.postgres_ratio_to_sqlite",
  "exchange.p99_half_load_ms",
  "exchange.cost_ratio_100k_connections",
  "exchange.cost_ratio_100k_people",
  "check.seen_us",
  "check.first_ratio_to_jose",
  "chain.p50_ms",
  "server.ready_ms",
  "server.rest_mb",
];

const withoutWrk = spawnSync("wrk", ["-v"]).error !== undefined;
const withoutPostgresql = (said: string) => /skipped: no PostgreSQL/.test(said);

test.skipIf(withoutWrk)(
  `every part of the bench runs, and prints a line of JSON for each figure${withoutWrk ? " (skipped: no wrk)" : ""}`,
  async () => {
    const { stdout, stderr } = await bench("--quick", "--json");
    const figures = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const figure of figures) {
      expect(figure).toEqual({ name: expect.any(String), value: expect.any(Number), unit: expect.any(String) });
      expect(figure.value, String(figure.name)).toBeGreaterThan(0);
    }
    const names = figures.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const missing = PROMISED.filter((name) => !names.includes(name));
    expect(missing).toEqual(withoutPostgresql(stderr) ? ["exchange.postgres_ratio_to_sqlite"] : []);
  },
  300_000,
);

test("a figure that does not exist is an error that names those that do", async () => {
  const failed = await bench("--only", "exchange.colour").catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("exchange.ratio_to_ceiling") });
});
