/**
 * MCP's conformance suite, run as it is published, against our client. Which scenarios, with which plug, and which are not
 * ours and why, stands in docs/interop.md: this test reads its table, and holds it to what the suite has.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readTable } from "../interop/document.testing.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const suite = join(root, "node_modules/@modelcontextprotocol/conformance/dist/index.js");

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

interface Run {
  readonly code: number;
  readonly output: string;
  readonly checks: readonly Check[];
}

/** Runs a scenario against our client; gives the suite's exit code, its words, and its checks. */
async function runScenario(scenario: string, plug: string): Promise<Run> {
  const directory = await mkdtemp(join(tmpdir(), "credence-conformance-"));
  try {
    const client = `${process.execPath} -C @credence/source ${join("test", "conformance", "client.ts")} ${plug}`;
    const { code, output } = await run(["client", "--command", client, "--scenario", scenario, "-o", directory]);
    const files = await readdir(directory, { recursive: true });
    const found = files.find((file) => file.endsWith("checks.json"));
    const checks: readonly Check[] = found ? JSON.parse(await readFile(join(directory, found), "utf8")) : [];
    return { code, output, checks };
  } finally {
    await rm(directory, { recursive: true });
  }
}

function run(parameters: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [suite, ...parameters], { cwd: root }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: `${stdout}\n${stderr}` }),
    );
  });
}

const rows = await readTable("Scenarios of MCP's conformance suite");
const scenarios = rows.map(([scenario = "", outcome = "", how = ""]) => ({
  scenario: scenario.replaceAll("`", ""),
  outcome,
  plugs: outcome === "passes" ? how.replaceAll("`", "").split(", ") : [],
  how,
}));

describe("the table of scenarios", () => {
  test("lists exactly the scenarios of the suite that begin with auth/", async () => {
    const { output } = await run(["list"]);
    const all = [...output.matchAll(/^ *- (auth\/\S+)/gm)].map(([, name]) => name);
    expect(all.length).toBeGreaterThan(30);
    expect(scenarios.map(({ scenario }) => scenario).sort()).toEqual(all.sort());
  });

  test("says of each that it passes, or why it is not ours", () => {
    for (const { scenario, outcome, plugs, how } of scenarios) {
      expect(["passes", "not ours"], scenario).toContain(outcome);
      expect(outcome === "passes" ? plugs.length : how.length, scenario).toBeGreaterThan(0);
    }
  });
});

const runs = scenarios.flatMap(({ scenario, plugs }) => plugs.map((plug) => [scenario, plug] as const));

describe("the conformance suite of MCP", () => {
  test.concurrent.for(runs)("%s passes with %s", { timeout: 120_000 }, async ([scenario, plug]) => {
    const { code, output, checks } = await runScenario(scenario, plug);
    expect(code, output).toBe(0);
    expect(checks.filter(({ status }) => status !== "SUCCESS" && status !== "INFO")).toEqual([]);
    const passed = checks.filter(({ status }) => status === "SUCCESS").map(({ id }) => id);
    expect(passed).toEqual(expect.arrayContaining([...(MUST_PASS[scenario] ?? [])]));
    expect(passed.length).toBeGreaterThan(0);
  });
});

/** Checks that a scenario must have come to: one that was never reached can not fail. */
const MUST_PASS: Readonly<Record<string, readonly string[]>> = {
  "auth/enterprise-managed-authorization": [
    "prm-pathbased-requested",
    "authorization-server-metadata",
    "complete-flow-token-exchange",
    "complete-flow-jwt-bearer",
    "valid-bearer-token",
  ],
  "auth/dpop": [
    "sep-1932-client-token-request-proof",
    "sep-1932-client-dpop-auth-scheme",
    "sep-1932-client-fresh-proof",
  ],
  "auth/dpop-nonce": ["sep-1932-client-as-nonce", "sep-1932-client-rs-nonce", "sep-1932-client-fresh-proof"],
};
