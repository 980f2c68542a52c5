/** A whole IdP on loopback with a small organization, for journeys across packages. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, createAgent, type DpopKey, type Session } from "@credence/client";
import { pino } from "pino";
import { findPort } from "../examples/demo/src/processes.ts";
import { openUserAgent, type UserAgent } from "../examples/demo/src/user-agent.ts";
import type { Organization } from "../packages/server/src/directory/types.ts";
import { type RunningServer, type ServerOptions, startServer } from "../packages/server/src/process/server.ts";
import { hashPassword } from "../packages/server/src/sign-in/password.ts";

export const ALICE = { email: "alice@acme.example", password: "correct horse battery staple" };
export const BOB = { email: "bob@acme.example", password: "another long password" };
export const CALLBACK = "http://127.0.0.1/callback";
export const SECRETS: Readonly<Record<string, string>> = {
  assistant: "assistant-secret-at-the-idp",
  "assistant-before": "assistant-secret-before-it-was-replaced",
  crawler: "crawler-secret-at-the-idp",
  poster: "poster-secret-at-the-idp",
};

const passwordHash = { alice: await hashPassword(ALICE.password), bob: await hashPassword(BOB.password) };

/** Acme: Alice in finance, Bob in nothing; the assistant may reach ledger, the crawler nothing. */
export function acme(ledger = "https://ledger.example"): Organization {
  const agent = {
    enabled: true,
    redirectUris: [CALLBACK],
    postLogoutRedirectUris: [],
    denialError: "access_denied",
  } as const;
  const basic = (id: string) => ({ method: "client_secret_basic", secret: { env: id } }) as const;
  return {
    name: "Acme",
    demo: false,
    people: [
      {
        id: "alice",
        email: ALICE.email,
        name: "Alice",
        groups: ["finance"],
        enabled: true,
        passwordHash: passwordHash.alice,
      },
      { id: "bob", email: BOB.email, name: "Bob", groups: [], enabled: true, passwordHash: passwordHash.bob },
    ],
    agents: [
      { ...agent, id: "assistant", name: "Assistant", auth: basic("assistant") },
      { ...agent, id: "crawler", name: "Crawler", auth: basic("crawler") },
      { ...agent, id: "poster", name: "Poster", auth: { method: "client_secret_post", secret: { env: "poster" } } },
      { ...agent, id: "public", name: "Public", auth: { method: "none" } },
    ],
    apps: [
      {
        id: "ledger",
        name: "Ledger",
        enabled: true,
        issuer: ledger,
        resources: [`${ledger}/mcp`],
        scopes: { "ledger.read": "Read entries", "ledger.write": "Add entries" },
        clients: { assistant: "ledger-assistant", poster: "ledger-poster" },
        subject: "id",
      },
      {
        id: "wiki",
        name: "Wiki",
        enabled: true,
        issuer: "https://wiki.example",
        resources: ["https://wiki.example/api"],
        scopes: { "wiki.read": "Read pages" },
        clients: { assistant: "wiki-assistant" },
        subject: "id",
      },
    ],
    connections: ["assistant", "poster"].map((id) => ({
      id: `${id}-ledger`,
      enabled: true,
      agent: id,
      app: "ledger",
      people: ["group:finance"] as const,
      scopes: ["ledger.read"],
      defaultScopes: ["ledger.read"],
      conditions: { maxAge: 8 * 3_600 },
    })),
  };
}

/** A running IdP, and ways to use it. */
export interface House extends AsyncDisposable {
  readonly issuer: string;
  readonly dataDir: string;
  readonly server: RunningServer;
  /** Makes the organization another one. */
  change(organization: Organization): Promise<void>;
  /** An agent with its secret at the IdP, and credentials at apps. */
  agent(id: string, apps?: Parameters<typeof createAgent>[0]["apps"]): Agent;
  /** A public agent that is bound to its key. */
  publicAgent(id: string, key: DpopKey): Agent;
  /** Signs somebody in to an agent, in a browser of their own. */
  signIn(agent: Agent, who?: typeof ALICE, browser?: UserAgent): Promise<Session>;
}

/** Starts Acme's IdP with fresh data on a free port. Lifetimes in seconds. */
export async function startHouse(
  options: {
    ledger?: string;
    lifetimes?: ServerOptions["lifetimes"];
    /** Whatever else the deployment says. */
    server?: Partial<ServerOptions>;
  } = {},
): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), "credence-"));
  const port = await findPort(0);
  const issuer = `${options.server?.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const dataDir = join(folder, "data");
  const server = await startServer({
    issuer,
    host: "127.0.0.1",
    port,
    dataDir,
    keyFile: join(folder, "data.key"),
    issuerIsLoopback: true,
    idJagLifetime: 300,
    resolveSecret: (ref) => {
      const secret = "env" in ref ? SECRETS[ref.env] : undefined;
      if (secret === undefined) throw new TypeError("This house has no such secret.");
      return secret;
    },
    log: pino({ level: process.env.LOG_LEVEL ?? "silent" }),
    ...(options.lifetimes ? { lifetimes: options.lifetimes } : {}),
    ...options.server,
  });
  const house: House = {
    issuer,
    dataDir,
    server,
    async change(organization) {
      const { revision } = await server.store.organization();
      const changed = await server.store.replaceOrganization(organization, revision);
      if ("conflict" in changed) throw new Error("somebody else changed the organization");
    },
    agent(id, apps = []) {
      const clientSecret = SECRETS[id] ?? "";
      const method = id === "poster" ? "client_secret_post" : "client_secret_basic";
      return createAgent({ idp: { issuer, client: { method, clientId: id, clientSecret } }, apps, development: true });
    },
    publicAgent: (id, key) =>
      createAgent({
        idp: { issuer, client: { method: "none", clientId: id } },
        apps: [],
        dpop: { key },
        development: true,
      }),
    async signIn(agent, who = ALICE, browser = openUserAgent(who)) {
      const started = await agent.startSignIn({ redirectUri: `${CALLBACK}` });
      const end = await browser.browse(started.url, CALLBACK);
      if ("html" in end)
        throw new Error(`the sign-in ended at ${end.url} with ${end.status}: ${end.html.slice(0, 2_000)}`);
      return started.finish(end.url);
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await house.change(acme(options.ledger));
  return house;
}
