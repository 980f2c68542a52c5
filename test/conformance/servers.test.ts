/** MCP's conformance suite, run as it is published, against our authorization servers: the IdP's, and the ledger's. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPort } from "../../examples/demo/src/processes.ts";
import { openUserAgent } from "../../examples/demo/src/user-agent.ts";
import { ALICE } from "../house.testing.ts";
import { startWorld, type World } from "../interop/world.testing.ts";

const suite = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url),
);
const METADATA = "authorization-server-metadata-endpoint";
const CODE_GRANT = "authorization-code-grant";

/** Milliseconds after which the suite is ended: it would wait five minutes for a person who does not come. */
const SUITE_TIMEOUT = 45_000;

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

interface Run {
  readonly code: number | null;
  readonly output: string;
  /** What the suite wrote down, by scenario. */
  readonly checks: Readonly<Record<string, readonly Check[]>>;
}

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Runs the suite against an authorization server; Alice opens the URL that it prints, if it prints one. */
async function runSuite(issuer: string, ...parameters: readonly string[]): Promise<Run> {
  const directory = await mkdtemp(join(tmpdir(), "credence-conformance-"));
  const args = [suite, "authorization", "--url", issuer, "--output-dir", directory, ...parameters];
  const child = spawn(process.execPath, args, { timeout: SUITE_TIMEOUT, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  try {
    const said: string[] = [];
    child.stderr.setEncoding("utf8").on("data", (text: string) => said.push(text));
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(`${line}\n`);
      // The browser goes all the way to the suite's own callback.
      if (line.startsWith(`${issuer}/authorize?`)) await openUserAgent(ALICE).browse(line);
    }
    return { code: await ended, output: said.join(""), checks: await readChecks(directory) };
  } finally {
    child.kill();
    await ended;
    await rm(directory, { recursive: true });
  }
}

/** The suite writes `authorization-server-SCENARIO-TIME/checks.json`. */
async function readChecks(directory: string): Promise<Run["checks"]> {
  const entries = (await readdir(directory)).map(async (folder) => {
    const scenario = /^authorization-server-(.+)-\d{4}-\d\d-\d\dT/.exec(folder)?.[1] ?? folder;
    const checks: readonly Check[] = JSON.parse(await readFile(join(directory, folder, "checks.json"), "utf8"));
    return [scenario, checks] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Exactly these scenarios ran, each checked something, and nothing failed or was skipped. */
function expectPassed({ code, output, checks }: Run, scenarios: readonly string[]): void {
  expect(code, output).toBe(0);
  expect(Object.keys(checks).sort()).toEqual([...scenarios].sort());
  for (const scenario of scenarios) {
    const all = checks[scenario] ?? [];
    const passed = all.filter(({ status }) => status === "SUCCESS");
    expect(passed.length, scenario).toBeGreaterThan(0);
    expect(all.filter((check) => !passed.includes(check) && !isOpen(check))).toEqual([]);
  }
}

/** Client metadata documents are not served yet: the suite warns. */
function isOpen({ id, status }: Check): boolean {
  return id === "authorization-server-metadata-cimd" && status === "WARNING";
}

describe("the conformance suite of MCP", () => {
  test.each([
    ["the IdP", () => world.idp],
    ["the ledger's authorization server", () => world.ledger],
  ])("finds the metadata of %s in order", async (_, issuer) => {
    expectPassed(await runSuite(issuer(), "--scenario", METADATA), [METADATA]);
  });

  test("signs somebody in at the IdP by authorization code", async () => {
    // Its client is public, because the IdP knows such clients, and it listens on any port of this machine. Both
    // scenarios run: the second takes the metadata from the first.
    const port = String(await findPort(0));
    expectPassed(await runSuite(world.idp, "--client-id", "public", "--port", port), [METADATA, CODE_GRANT]);
  }, 60_000);
});
