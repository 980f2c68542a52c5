/** Both servers at work, for others' clients: Acme's IdP, and the ledger as a process of its own. */
import { fileURLToPath } from "node:url";
import { findPort, start } from "../../examples/demo/src/processes.ts";
import { openUserAgent } from "../../examples/demo/src/user-agent.ts";
import { ALICE, CALLBACK, type House, startHouse } from "../house.testing.ts";

const LEDGER = fileURLToPath(new URL("../../examples/ledger/src/main.ts", import.meta.url));

export interface World extends AsyncDisposable {
  readonly house: House;
  /** Issuer of the IdP. */
  readonly idp: string;
  /** Issuer of the ledger's authorization server. */
  readonly ledger: string;
  /** The ledger's MCP server: the resource. */
  readonly mcp: string;
  /** The agent's credential at the ledger. */
  readonly atLedger: { readonly clientId: string; readonly clientSecret: string };
}

/**
 * Starts both on free ports, with fresh data.
 *
 * @param options.agent - The agent that the ledger knows: `assistant` by default.
 * @param options.tokenLifetime - Seconds that the ledger's access tokens live; 300 by default.
 */
export async function startWorld(options: { agent?: string; tokenLifetime?: number } = {}): Promise<World> {
  const { agent = "assistant", tokenLifetime = 300 } = options;
  const port = await findPort(0);
  const ledger = `http://127.0.0.1:${port}`;
  const house = await startHouse({ ledger });
  const atLedger = { clientId: `ledger-${agent}`, clientSecret: `secret-of-${agent}-at-ledger` };
  const flags = { idp: house.issuer, port, "client-id": atLedger.clientId, "token-lifetime": tokenLifetime };
  const parameters = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const ready = `${ledger}/.well-known/oauth-authorization-server`;
  const program = await start(
    "The ledger",
    [LEDGER, ...parameters],
    { LEDGER_CLIENT_SECRET: atLedger.clientSecret },
    ready,
  ).catch(async (cause: unknown) => {
    await house[Symbol.asyncDispose]();
    throw cause;
  });
  return {
    house,
    idp: house.issuer,
    ledger,
    mcp: `${ledger}/mcp`,
    atLedger,
    async [Symbol.asyncDispose]() {
      await program.stop();
      await house[Symbol.asyncDispose]();
    },
  };
}

/** Somebody opens an authorization URL, signs in, and comes back. */
export async function visit(url: string | URL, who = ALICE): Promise<URL> {
  const end = await openUserAgent(who).browse(String(url), CALLBACK);
  if ("html" in end) throw new Error(`the sign-in ended at ${end.url} with ${end.status}: ${end.html.slice(0, 500)}`);
  return new URL(end.url);
}

/** A tool call as it goes over the wire: MCP's streamable HTTP, for OAuth libraries that know nothing of MCP. */
export const LIST_ENTRIES = {
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "list_entries", arguments: {} },
  }),
} as const;
