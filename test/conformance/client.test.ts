import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Check {
  readonly id: string;
  readonly status: string;
}

/** Runs the suite against our client; gives its exit code, its words, and its checks. */
async function runScenario(scenario: string): Promise<{ code: number; output: string; checks: readonly Check[] }> {
  const directory = await mkdtemp(join(tmpdir(), "credence-conformance-"));
  try {
    const client = `${process.execPath} -C @credence/source ${join("test", "conformance", "client.ts")}`;
    const suite = join(root, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
    const parameters = [suite, "client", "--command", client, "--scenario", scenario, "-o", directory];
    const { code, output } = await run(process.execPath, parameters);
    const files = await readdir(directory, { recursive: true });
    const found = files.find((file) => file.endsWith("checks.json"));
    const checks: readonly Check[] = found ? JSON.parse(await readFile(join(directory, found), "utf8")) : [];
    return { code, output, checks };
  } finally {
    await rm(directory, { recursive: true });
  }
}

function run(command: string, parameters: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(command, parameters, { cwd: root }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: `${stdout}\n${stderr}` }),
    );
  });
}

it("the suite's enterprise-managed authorization passes with our client, no check failed, none skipped", async () => {
  const { code, output, checks } = await runScenario("auth/enterprise-managed-authorization");
  expect(code, output).toBe(0);
  const wanting = checks.filter(({ status }) => status !== "SUCCESS" && status !== "INFO");
  expect(wanting).toEqual([]);
  const passed = checks.filter(({ status }) => status === "SUCCESS").map(({ id }) => id);
  expect(passed).toEqual(
    expect.arrayContaining([
      "prm-pathbased-requested",
      "authorization-server-metadata",
      "complete-flow-token-exchange",
      "complete-flow-jwt-bearer",
      "valid-bearer-token",
    ]),
  );
}, 60_000);
