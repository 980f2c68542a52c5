/** The command on its own; what it does with an IdP and an MCP server is shown by the journeys in test/. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

function run(parameters: readonly string[], env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["-C", "@credence/source", main, ...parameters],
      { env: { PATH: process.env.PATH, ...env } },
      (_error, _stdout, stderr) => resolve({ code: child.exitCode ?? -1, stderr }),
    );
  });
}

const urls = ["--idp", "http://127.0.0.1:9", "--app", "http://127.0.0.1:9", "--mcp", "http://127.0.0.1:9/mcp"];
const secrets = { ASSISTANT_SECRET: "one", LEDGER_SECRET: "two" };

it.each([
  ["--help", ["--help"], {}, 0, "Usage:"],
  ["nothing", [], {}, 2, "--idp, --app and --mcp are needed"],
  ["an unknown option", ["--colour"], {}, 2, "--colour"],
  ["no secrets", urls, {}, 2, "ASSISTANT_SECRET"],
  ["an http IdP outside development", urls, secrets, 1, "idp.issuer is not usable"],
  ["an IdP that is not there", [...urls, "--development"], secrets, 1, "could not be reached"],
])("the command with %s", async (_name, parameters, env, code, says) => {
  const result = await run(parameters, env);
  expect(result.stderr).toContain(says);
  expect(result.code).toBe(code);
});
