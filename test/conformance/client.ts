/**
 * A client made of `@credence/client`, for the client scenarios of `@modelcontextprotocol/conformance`.
 * Usage: `client.ts PLUG URL`. The suite adds the MCP server's URL, and gives everything else in the environment.
 */
import { type AgentOptions, type CodeFlow, createAgent, type Session } from "@credence/client";
import { idJagOAuthClientProvider, mcpAuthProvider } from "@credence/client/mcp";
import {
  Client,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/client";

/** What a scenario says beside the URL: strings, of those that it has. */
function readContext(): Readonly<Record<string, string>> {
  const context: unknown = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}");
  const members = Object.entries(context ?? {}).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(members);
}

/** The person's browser, at a server that asks nothing. */
async function browse(url: string): Promise<string> {
  const answer = await fetch(url, { redirect: "manual" });
  await answer.body?.cancel();
  return answer.headers.get("location") ?? "about:blank";
}

const codeFlow: CodeFlow = {
  redirectUri: "http://127.0.0.1:3000/callback",
  authorize: browse,
  clientMetadataUrl: "https://conformance-test.local/client-metadata.json",
  register: { clientName: "credence" },
};

const context = readContext();
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? "";
const { idp_issuer: issuer = "http://127.0.0.1:9", idp_client_id: idpClient = "nobody" } = context;
const { client_id: clientId, client_secret: clientSecret } = context;

/** For the scenarios that have no IdP: a sign-in that no IdP is ever shown. */
function nobody(): string {
  const claims = { iss: issuer, aud: idpClient, sub: "nobody", exp: Math.floor(Date.now() / 1_000) + 3_600 };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "ES256" })}.${encode(claims)}.AA`;
}

const agent = createAgent({
  idp: { issuer, client: { method: "none", clientId: idpClient } },
  // The suite does not say which authorization server a credential is for: there is one only, on this machine.
  apps: () => (clientId && clientSecret ? { method: "client_secret_basic", clientId, clientSecret } : undefined),
  // Enterprise-managed authorization is never anything else.
  ...(scenario === "auth/enterprise-managed-authorization" ? {} : { fallback: codeFlow }),
  ...(scenario.startsWith("auth/dpop") ? { dpop: { required: true } } : {}),
  development: true,
} satisfies AgentOptions);

const plugs: Readonly<Record<string, (session: Session) => StreamableHTTPClientTransportOptions>> = {
  fetch: (session) => ({ fetch: session.fetch }),
  mcpAuthProvider: (session) => ({ authProvider: mcpAuthProvider(session) }),
  idJagOAuthClientProvider: (session) => ({ authProvider: idJagOAuthClientProvider(session, { codeFlow }) }),
};

const [plug = "", url = ""] = process.argv.slice(2);
const options = plugs[plug]?.(agent.session({ idToken: context.idp_id_token ?? nobody() }));
if (options === undefined) throw new TypeError(`There is no plug called ${plug}`);
// The suite speaks MCP's old revisions and its new one: the client finds out which.
const client = new Client({ name: "credence", version: "0.1.0" }, { versionNegotiation: { mode: "auto" } });
await client.connect(new StreamableHTTPClientTransport(new URL(url), options));
await client.listTools();
await client.callTool({ name: "test-tool" });
await client.close();
