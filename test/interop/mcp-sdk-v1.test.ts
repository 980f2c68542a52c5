/** The published MCP TypeScript SDK v1 against our servers, with each of our plugs for it. */
import { AgentError, type Session } from "@credence/client";
import { idJagOAuthClientProvider } from "@credence/client/mcp-v1";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import {
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALICE, BOB } from "../house.testing.ts";
import { startWorld, type World } from "./world.testing.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

function sessionOf(who: typeof ALICE): Promise<Session> {
  const client = { method: "client_secret_basic", ...world.atLedger } as const;
  return world.house.signIn(world.house.agent("assistant", [{ issuer: world.ledger, client }]), who);
}

/** Connects to the ledger, calls a tool, and gives its text. */
async function listEntries(options: StreamableHTTPClientTransportOptions): Promise<string> {
  const client = new Client({ name: "assistant", version: "1.0.0" });
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(world.mcp), options));
    return JSON.stringify(await client.callTool({ name: "list_entries" }));
  } finally {
    await client.close();
  }
}

const plugs: readonly [string, (session: Session) => StreamableHTTPClientTransportOptions][] = [
  ["idJagOAuthClientProvider", (session) => ({ authProvider: idJagOAuthClientProvider(session) })],
  ["session.fetch", (session) => ({ fetch: session.fetch })],
];

describe("the SDK v1 with a session of ours", () => {
  test.each(plugs)("%s calls a tool", async (_, plug) => {
    expect(await listEntries(plug(await sessionOf(ALICE)))).toContain("Train to Vienna");
  });

  test.each(plugs)("%s brings a denial, with its decision", async (_, plug) => {
    const thrown: unknown = await listEntries(plug(await sessionOf(BOB))).catch((error: unknown) => error);
    let denial = thrown;
    while (denial instanceof Error && !(denial instanceof AgentError)) denial = denial.cause;
    expect(denial).toMatchObject({ leg: "exchange", code: "access_denied", decisionId: expect.any(String) });
  });
});
