import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { expect, it } from "vitest";
import { APP_CLIENT } from "../../../packages/client/src/testing/app.testing.ts";
import { IDP_CLIENT } from "../../../packages/client/src/testing/idp.testing.ts";
import { startWorld, walk } from "../../../packages/client/src/testing/world.testing.ts";
import { callTool, connect, createAssistant, signIn, signOut } from "./assistant.ts";

it("the assistant signs a person in, calls a tool for them, and signs them out", async () => {
  const world = await startWorld();
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "ledger", version: "1.0.0" });
    server.registerTool("list_entries", { description: "Lists the entries" }, async () => ({
      content: [{ type: "text", text: "one entry" }],
    }));
    return server;
  });
  world.app.serve = (request) => handler.fetch(request);
  const agent = createAssistant({
    idp: world.idp.issuer,
    idpClient: { id: IDP_CLIENT.clientId, secret: IDP_CLIENT.clientSecret },
    app: world.app.issuer,
    appClient: { id: APP_CLIENT.clientId, secret: APP_CLIENT.clientSecret },
    development: true,
  });
  const session = await signIn(agent, async (url) => fetch(await walk(url)));
  const client = await connect(session, world.app.resource);
  expect(await callTool(client, "list_entries")).toBe("one entry");
  await expect(callTool(client, "no_such_tool")).rejects.toThrow("no_such_tool");
  await client.close();
  const opened: string[] = [];
  await signOut(session, (url) => opened.push(url));
  expect(opened[0]).toContain(`${world.idp.issuer}/signed-out?`);
  await world.close();
});

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
