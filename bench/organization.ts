/** The organization of the bench, in any size. */
import type { PublicJwk } from "@credence/protocol/jws";
import type { Agent, App, Connection, Organization, Person } from "../packages/server/src/directory/types.ts";
import { hashPassword } from "../packages/server/src/sign-in/password.ts";
import { AGENT, appIssuer } from "./requests.ts";

export interface OrganizationSize {
  /** At least {@link SIGNED_IN}. */
  readonly people: number;
  /** At least {@link APPS}: the agent has one to each app. */
  readonly connections: number;
  /** Issuer of the first app, where it is a real one; its resource is `/mcp` below it. */
  readonly firstApp?: string;
}

/** What an organization is measured with, unless its size is what is measured. */
export const USUAL: OrganizationSize = { people: 100, connections: 10 };

/** Where the secret of the agent comes from. */
export const SECRET_VARIABLE = "BENCH_SECRET";
/** Apps that the agent reaches. */
export const APPS = 10;
/** People who sign in. */
export const SIGNED_IN = 8;
export const PASSWORD = "correct horse battery staple";
export const CALLBACK = "http://127.0.0.1/callback";
/** An agent like the other, which proves itself by a key. */
export const KEY_AGENT = "assistant-with-a-key";

export const emailOf = (person: number): string => `person-${person}@acme.example`;

/** People in ten groups, ten apps for the agent; further connections are between others. */
export async function benchOrganization(size: OrganizationSize, agentKey: PublicJwk): Promise<Organization> {
  const passwordHash = await hashPassword(PASSWORD);
  const others = othersOf(size.connections - APPS);
  return {
    name: "Acme",
    demo: false,
    people: Array.from({ length: size.people }, (_, number) => personOf(number, passwordHash)),
    agents: [
      agentOf(AGENT.clientId, { method: "client_secret_basic", secret: { env: SECRET_VARIABLE } }),
      agentOf(KEY_AGENT, { method: "private_key_jwt", jwks: { keys: [agentKey] } }),
      ...others.agents,
    ],
    apps: [
      ...Array.from({ length: APPS }, (_, number) => appOf(number, number === 0 ? size.firstApp : undefined)),
      ...others.apps,
    ],
    connections: [
      ...Array.from({ length: APPS }, (_, app) => connectionOf(AGENT.clientId, app)),
      connectionOf(KEY_AGENT, 0),
      ...others.connections,
    ],
  };
}

function personOf(number: number, passwordHash: string): Person {
  const groups = ["finance", `team-${number % 10}`];
  const [id, name] = [`person-${number}`, `Person ${number}`];
  return { id, email: emailOf(number), name, groups, enabled: true, ...(number < SIGNED_IN ? { passwordHash } : {}) };
}

function agentOf(id: string, auth: Agent["auth"]): Agent {
  const where = { redirectUris: [CALLBACK], postLogoutRedirectUris: [] };
  return { id, name: id, enabled: true, auth, denialError: "access_denied", ...where };
}

function appOf(number: number, issuer = appIssuer(number)): App {
  return {
    id: `app-${number}`,
    name: `App ${number}`,
    enabled: true,
    issuer,
    resources: [`${issuer}/mcp`],
    scopes: { "ledger.read": "Read entries", "ledger.write": "Add entries" },
    clients: { [AGENT.clientId]: `agent-of-app-${number}`, [KEY_AGENT]: `key-agent-of-app-${number}` },
    subject: "id",
  };
}

function connectionOf(agent: string, app: number): Connection {
  return {
    id: `${agent}-app-${app}`,
    enabled: true,
    agent,
    app: `app-${app}`,
    people: ["group:finance"],
    scopes: ["ledger.read", "ledger.write"],
    defaultScopes: ["ledger.read"],
    conditions: { maxAge: 8 * 3_600 },
  };
}

/** Connections of other agents to other apps: as many agents as apps, each agent with as many connections. */
function othersOf(count: number): Pick<Organization, "agents" | "apps" | "connections"> {
  const side = Math.ceil(Math.sqrt(Math.max(0, count)));
  const numbers = Array.from({ length: side }, (_, number) => number);
  const [agents, apps] = [
    numbers.map((one) => agentOf(`other-${one}`, { method: "none" })),
    numbers.map((one) => appOf(APPS + one)),
  ];
  const pairs = agents.flatMap(({ id }) => numbers.map((one) => connectionOf(id, APPS + one)));
  return { agents, apps, connections: pairs.slice(0, count) };
}
