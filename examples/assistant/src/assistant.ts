/** A small agent: signs a person in at their organization's IdP, and uses an MCP server on their behalf. */
import { type Agent, type AgentEvent, createAgent, type Session } from "@credence/client";
import { mcpAuthProvider } from "@credence/client/mcp";
import { signInWithBrowser } from "@credence/client/node";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** Who the assistant is, at the IdP and at the app. */
export interface AssistantConfig {
  /** Issuer of the organization's IdP. */
  readonly idp: string;
  readonly idpClient: { readonly id: string; readonly secret: string };
  /** Issuer of the app's authorization server. */
  readonly app: string;
  readonly appClient: { readonly id: string; readonly secret: string };
  /** Allows http on this machine itself. */
  readonly development?: boolean;
  /** Told of every step. */
  readonly watch?: (event: AgentEvent) => void;
}

/** Makes the agent. Each credential goes to its own issuer, and nowhere else. */
export function createAssistant(config: AssistantConfig): Agent {
  const { idp, idpClient, app, appClient, development = false, watch } = config;
  const method = "client_secret_basic";
  return createAgent({
    idp: { issuer: idp, client: { method, clientId: idpClient.id, clientSecret: idpClient.secret } },
    apps: [{ issuer: app, client: { method, clientId: appClient.id, clientSecret: appClient.secret } }],
    development,
    ...(watch ? { watch } : {}),
  });
}

/** Opens a URL on the person's side. Resolves when it likes: the sign-in waits for the person itself. */
export type UserAgent = (url: string) => unknown;

/**
 * Signs a person in.
 *
 * @param open - The person's browser; the desktop's own by default.
 * @param again - What a step-up asked for: a sign-in that is fresher or stronger.
 */
export function signIn(
  agent: Agent,
  open?: UserAgent,
  again: { readonly maxAge?: number | undefined; readonly acrValues?: string | undefined } = {},
): Promise<Session> {
  return signInWithBrowser(agent, { ...again, ...(open ? { open } : {}) });
}

/** Connects to an MCP server for the person: from here on every token is the client's business. */
export async function connect(session: Session, url: string): Promise<Client> {
  const client = new Client({ name: "assistant", version: "0.1.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider: mcpAuthProvider(session) }));
  return client;
}

/** Calls a tool and gives its text. @throws Error when the tool itself reports a failure. */
export async function callTool(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const result = await client.callTool({ name, arguments: args });
  const text = result.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  if (result.isError) throw new Error(`${name} failed: ${text}`);
  return text;
}

/** Signs the person out: here at once, and at the IdP in their browser. */
export async function signOut(session: Session, open?: UserAgent): Promise<void> {
  const { url } = await session.signOut();
  if (url !== undefined) await open?.(url);
}
