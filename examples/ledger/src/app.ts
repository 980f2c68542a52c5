/**
 * A ledger that agents reach on behalf of people: an MCP server whose own authorization server accepts ID-JAGs. What an
 * app developer copies is `createLedger`; the entries stand for whatever the app keeps.
 */
import {
  createResourceServer,
  generateSigningKey,
  type ReceiverEvent,
  type ResourceServer,
  type SubjectKey,
} from "@credence/resource";
import { mcpAuthorize } from "@credence/resource/mcp";
import { createMcpHandler, McpServer, requireScopes } from "@modelcontextprotocol/server";
import { z } from "zod";

export interface LedgerOptions {
  /** Issuer of the ledger's authorization server; the MCP server is at `/mcp` below it. */
  readonly issuer: string;
  /** Issuer of the customer's IdP. */
  readonly idp: string;
  /** The agent, as it is registered here. */
  readonly client: { readonly id: string; readonly secret: string };
  /** Seconds that an access token lives; 300 by default. */
  readonly tokenLifetime?: number;
  /** Takes what happened, with the exact reason of a refusal. */
  readonly record: (event: ReceiverEvent) => void | Promise<void>;
  /** Fetches the IdP's keys; see `nodeFetch` of `@credence/resource/node`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Allows `http:` on loopback addresses. */
  readonly development?: boolean;
}

export interface Ledger {
  /** URL of the MCP server; `/entries` below it is plain JSON. */
  readonly resource: string;
  readonly fetch: (request: Request) => Promise<Response>;
}

interface Account {
  readonly id: string;
  readonly customer: string;
}

interface Entry {
  readonly text: string;
  /** Cents. */
  readonly amount: number;
  /** Account id of whoever added it. */
  readonly by: string;
}

const READ = "ledger.read";
const WRITE = "ledger.write";

/** Makes the ledger: authorization server, MCP server, and the entries of one customer. */
export async function createLedger(options: LedgerOptions): Promise<Ledger> {
  const resource = `${options.issuer}/mcp`;
  const server = await createAuthorizationServer(options, resource);
  // In place of the SDK's requireBearerAuth: it takes tokens that are bound to a key of the agent's too.
  const authorize = mcpAuthorize(server, { scopes: [READ] });
  const entries: Entry[] = [
    { text: "Office chairs", amount: 84_000, by: "opening-balance" },
    { text: "Train to Vienna", amount: 7_990, by: "opening-balance" },
  ];
  const mcp = createMcpHandler(({ authInfo }) => mcpServer(entries, String(authInfo?.extra?.account)));
  return {
    resource,
    async fetch(request) {
      const own = await server.tryFetch(request);
      if (own) return own;
      const asked = new URL(request.url).pathname;
      const { pathname } = new URL(resource);
      if (asked !== pathname && asked !== `${pathname}/entries`) return new Response(null, { status: 404 });
      const auth = await authorize(request);
      if (auth instanceof Response) return auth;
      // The same entries for clients that speak no MCP.
      return asked === pathname ? mcp.fetch(request, { authInfo: auth }) : Response.json({ entries });
    },
  };
}

/** The authorization server: whom it trusts, whom it knows, what it gives. */
async function createAuthorizationServer(options: LedgerOptions, resource: string): Promise<ResourceServer> {
  // A real app keeps its key, so that tokens outlive a restart.
  const { privateJwk } = await generateSigningKey("ES256");
  const { id: clientId, secret: clientSecret } = options.client;
  const accounts = new Map<string, Account>();
  const { fetch, tokenLifetime: lifetime } = options;
  return createResourceServer<Account>({
    issuer: options.issuer,
    resources: { [resource]: { name: "Ledger", scopes: { [READ]: "Read entries", [WRITE]: "Add entries" } } },
    customers: [{ id: "acme", issuers: [{ issuer: options.idp, jit: true }] }],
    clients: [{ clientId, method: "client_secret_basic", clientSecret }],
    resolveSubject: (subject) => accounts.get(keyOf(subject)),
    provision: (subject) => {
      const account = { id: `account-${accounts.size + 1}`, customer: subject.customer };
      accounts.set(keyOf(subject), account);
      return account;
    },
    signingKey: privateJwk,
    accessToken: lifetime === undefined ? {} : { lifetime },
    record: options.record,
    ...(fetch ? { fetch } : {}),
    development: options.development ?? false,
  });
}

/** People are known by issuer, tenant and subject: never by their email address. */
function keyOf({ iss, tenant, sub }: SubjectKey): string {
  return JSON.stringify([iss, tenant ?? null, sub]);
}

/** The tools, for one request of one account. */
function mcpServer(entries: Entry[], account: string): McpServer {
  const server = new McpServer({ name: "ledger", version: "1.0.0" });
  const answer = (value: unknown) => ({ content: [{ type: "text" as const, text: JSON.stringify(value) }] });
  server.registerTool(
    "list_entries",
    { description: "Lists the entries of the ledger; amounts are in cents.", scopeChallenge: requireScopes(READ) },
    () => answer(entries),
  );
  server.registerTool(
    "add_entry",
    {
      description: "Adds an entry to the ledger.",
      inputSchema: z.object({ text: z.string().min(1).max(200), amount: z.int().describe("In cents") }),
      // All that the call needs: a client asks for exactly what the challenge names.
      scopeChallenge: requireScopes(READ, WRITE),
    },
    ({ text, amount }) => {
      const entry = { text, amount, by: account };
      entries.push(entry);
      return answer(entry);
    },
  );
  return server;
}
