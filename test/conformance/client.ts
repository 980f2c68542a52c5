/**
 * A client made of `@credence/client`, for the client scenarios of `@modelcontextprotocol/conformance`.
 * The suite runs it with the MCP server's URL as last argument and everything else in `MCP_CONFORMANCE_CONTEXT`.
 */
import { createAgent } from "@credence/client";
import { mcpAuthProvider } from "@credence/client/mcp";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** The context of the scenario `auth/enterprise-managed-authorization`. */
interface Context {
  readonly client_id: string;
  readonly client_secret: string;
  readonly idp_client_id: string;
  readonly idp_id_token: string;
  readonly idp_issuer: string;
}

function readContext(): Context {
  const context: unknown = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "null");
  const members = ["client_id", "client_secret", "idp_client_id", "idp_id_token", "idp_issuer"];
  const values: Partial<Record<string, unknown>> = { ...(context as object | null) };
  for (const member of members) {
    if (typeof values[member] !== "string") throw new TypeError(`MCP_CONFORMANCE_CONTEXT has no ${member}`);
  }
  return values as unknown as Context; // Every member was checked above.
}

const context = readContext();
const url = new URL(process.argv.at(-1) ?? "");
const agent = createAgent({
  idp: { issuer: context.idp_issuer, client: { method: "none", clientId: context.idp_client_id } },
  // The suite does not say which authorization server the credential is for: there is one only, on this machine.
  apps: () => ({
    method: "client_secret_basic",
    clientId: context.client_id,
    clientSecret: context.client_secret,
  }),
  development: true,
});
const session = agent.session({ idToken: context.idp_id_token });
const client = new Client({ name: "credence", version: "0.1.0" });
await client.connect(new StreamableHTTPClientTransport(url, { authProvider: mcpAuthProvider(session) }));
await client.listTools();
await client.callTool({ name: "test-tool" });
await client.close();
