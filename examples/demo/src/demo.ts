/** Acme, for one run: an IdP as a process of its own, with a small organization, fresh data and fresh secrets. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Agent, AgentOptions, Session } from "@credence/client";
import { findPort, start } from "./processes.ts";
import { openUserAgent, type Typist } from "./user-agent.ts";

/** An app that the organization's agent may reach, as its admin registers it. */
export interface DemoApp {
  readonly id: string;
  /** Issuer of its authorization server. */
  readonly issuer: string;
  readonly resources: readonly string[];
  /** Scope to its description. */
  readonly scopes: Readonly<Record<string, string>>;
  /** The agent's client id at the app. */
  readonly clientId: string;
  /** Scopes that people in finance get; all of them by default. */
  readonly granted?: readonly string[];
}

/** Who and what is there. */
export interface Demo {
  /** Issuer of the IdP. */
  readonly idp: string;
  /** In finance: the agent may act for her. */
  readonly alice: Typist;
  /** In no group: it may not. */
  readonly bob: Typist;
  /** The agent's registration at the IdP, for `createAgent`. */
  readonly agent: AgentOptions["idp"];
  /** Signs somebody in to an agent, by a scripted browser. */
  signIn(agent: Agent, who?: Typist): Promise<Session>;
  /** Ends the IdP and removes its data. */
  stop(): Promise<void>;
}

/** Where sign-ins return to; the port does not count. @see RFC 8252 §7.3 */
export const CALLBACK = "http://127.0.0.1/callback";

const CREDENCE = fileURLToPath(new URL("../../../packages/server/src/main.ts", import.meta.url));

/**
 * Starts the IdP of an organization whose one agent reaches these apps.
 *
 * @param options.organization - Its name; Acme by default.
 * @param options.callbacks - Where the agent's sign-ins may return to besides {@link CALLBACK}.
 * @throws Error that says what did not start, and why.
 */
export async function startDemo(
  apps: readonly DemoApp[],
  options: { readonly organization?: string; readonly callbacks?: readonly string[] } = {},
): Promise<Demo> {
  const { organization = "Acme", callbacks = [] } = options;
  const port = await findPort(0);
  const idp = `http://127.0.0.1:${port}`;
  const folder = await mkdtemp(join(tmpdir(), "credence-demo-"));
  const domain = `${organization.toLowerCase()}.example`;
  const alice = { email: `alice@${domain}`, password: secret() };
  const bob = { email: `bob@${domain}`, password: secret() };
  const agentSecret = secret();
  const file = join(folder, "organization.yaml");
  const text = await organizationFile({
    organization,
    apps,
    people: { alice, bob },
    callbacks: [CALLBACK, ...callbacks],
  });
  await writeFile(file, text, { mode: 0o600 });
  const flags = ["--organization", file, "--data", join(folder, "data"), "--issuer", idp, "--port", String(port)];
  const ready = `${idp}/.well-known/openid-configuration`;
  // Nobody balances load before it: it may end at once.
  const env = { AGENT_SECRET: agentSecret, CREDENCE_DRAIN: "0s" };
  const process = await start("The IdP", [CREDENCE, "serve", ...flags], env, ready).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  return {
    idp,
    alice,
    bob,
    agent: { issuer: idp, client: { method: "client_secret_basic", clientId: "agent", clientSecret: agentSecret } },
    async signIn(agent, who = alice) {
      const started = await agent.startSignIn({ redirectUri: CALLBACK });
      const end = await openUserAgent(who).browse(started.url, CALLBACK);
      if ("html" in end) throw new Error(`The sign-in ended at ${end.url} with status ${end.status}.`);
      return started.finish(end.url);
    },
    async stop() {
      await process.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the admin keeps under version control. JSON is YAML. */
async function organizationFile(facts: {
  readonly organization: string;
  readonly apps: readonly DemoApp[];
  readonly people: { readonly alice: Typist; readonly bob: Typist };
  readonly callbacks: readonly string[];
}): Promise<string> {
  const { alice, bob } = facts.people;
  return JSON.stringify({
    name: facts.organization,
    people: [
      {
        id: "alice",
        name: "Alice",
        email: alice.email,
        groups: ["finance"],
        password_hash: await passwordHash(alice.password),
      },
      { id: "bob", name: "Bob", email: bob.email, password_hash: await passwordHash(bob.password) },
    ],
    agents: [
      {
        id: "agent",
        name: "Agent",
        auth: { method: "client_secret_basic", secret: { env: "AGENT_SECRET" } },
        redirect_uris: facts.callbacks,
      },
    ],
    apps: facts.apps.map(({ id, issuer, resources, scopes, clientId }) => ({
      id,
      name: id,
      issuer,
      resources,
      scopes,
      clients: { agent: clientId },
    })),
    connections: facts.apps.map(({ id, scopes, granted = Object.keys(scopes) }) => ({
      id: `agent-${id}`,
      agent: "agent",
      app: id,
      people: ["group:finance"],
      scopes: granted,
      default_scopes: granted,
    })),
  });
}

function passwordHash(password: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const argv = ["-C", "@credence/source", CREDENCE, "password-hash"];
    const child = execFile(process.execPath, argv, (error, stdout) => (error ? reject(error) : resolve(stdout.trim())));
    child.stdin?.end(password);
  });
}

/** A new secret of 144 random bits. */
export function secret(): string {
  return randomBytes(18).toString("base64url");
}
