/**
 * Both of our servers with DPoP as strict as it gets: nonces at both token endpoints, and a resource that takes bound tokens
 * alone. The app is an MCP server, and a small API beside it.
 */
import { generateSigningKey } from "@credence/protocol/jws";
import { type Client, createResourceServer, type ReceiverEvent } from "@credence/resource";
import { mcpAuthorize } from "@credence/resource/mcp";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { json, startServer, type TestServer } from "../../packages/client/src/testing/http.testing.ts";
import type { Organization } from "../../packages/server/src/directory/types.ts";
import { acme, type House, startHouse } from "../house.testing.ts";

export interface BoundWorld extends AsyncDisposable {
  readonly house: House;
  /** Issuer of the app's authorization server. */
  readonly ledger: string;
  /** The MCP server: the resource; `/mcp/entries` below it is plain HTTP. */
  readonly mcp: string;
  /** The app: every request to it. */
  readonly app: TestServer;
  /** What the app has recorded. */
  readonly events: ReceiverEvent[];
}

/**
 * Starts both.
 *
 * @param options.clients - Who is known to the app.
 * @param options.change - Makes Acme's organization another one.
 */
export async function startBoundWorld(options: {
  readonly clients: readonly Client[];
  readonly change?: (organization: Organization) => Organization;
}): Promise<BoundWorld> {
  const { clients, change = (organization) => organization } = options;
  const app = await startServer(() => new Response(null, { status: 503 }));
  const ledger = app.origin;
  const mcp = `${ledger}/mcp`;
  const house = await startHouse({ ledger, server: { dpopNonces: true } });
  await house.change(change(acme(ledger)));
  const events: ReceiverEvent[] = [];
  const { privateJwk } = await generateSigningKey("ES256");
  const server = createResourceServer({
    issuer: ledger,
    resources: {
      [mcp]: { name: "Ledger", scopes: { "ledger.read": "Read entries" }, requireBound: true },
    },
    customers: [{ id: "acme", issuers: [{ issuer: house.issuer }] }],
    clients,
    resolveSubject: ({ sub, customer }) => ({ id: sub, customer }),
    signingKey: privateJwk,
    dpop: { nonceSecret: crypto.getRandomValues(new Uint8Array(32)) },
    record: (event) => void events.push(event),
    development: true,
  });
  const authorize = mcpAuthorize(server, { scopes: ["ledger.read"] });
  const handler = createMcpHandler(() => {
    const tools = new McpServer({ name: "ledger", version: "1.0.0" });
    tools.registerTool("list_entries", { description: "Lists the entries" }, async () => ({
      content: [{ type: "text", text: "Train to Vienna" }],
    }));
    return tools;
  });
  app.handler = async (request) => {
    const own = await server.tryFetch(request);
    if (own) return own;
    const auth = await authorize(request);
    if (auth instanceof Response) return auth;
    return new URL(request.url).pathname === "/mcp"
      ? handler.fetch(request, { authInfo: auth })
      : json({ entries: ["Train to Vienna"], by: auth.extra });
  };
  return {
    house,
    ledger,
    mcp,
    app,
    events,
    async [Symbol.asyncDispose]() {
      await app.close();
      await house[Symbol.asyncDispose]();
    },
  };
}
