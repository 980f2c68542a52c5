/** The real command in a process of its own, as an operator starts it, and clients that notice everything that goes wrong. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent as HttpAgent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createAgent } from "@credence/client";
import { buildTokenExchangeRequest } from "@credence/protocol/token-exchange";
import { findPort } from "../examples/demo/src/processes.ts";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import type { Organization } from "../packages/server/src/directory/types.ts";
import { exportOrganization } from "../packages/server/src/organization/export.ts";
import { ALICE, acme, CALLBACK, SECRETS } from "./house.testing.ts";

const MAIN = join(import.meta.dirname, "../packages/server/src/main.ts");
const NODE_FLAGS = ["-C", "@credence/source", "--disable-warning=ExperimentalWarning"];
const LEDGER = "https://ledger.example";

/** A server in a process of its own. */
export interface ServerProcess extends AsyncDisposable {
  readonly issuer: string;
  readonly folder: string;
  readonly dataDir: string;
  readonly child: ChildProcess;
  /** What it said so far, on stderr. */
  said(): string;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Starts it once more, on the same data and port, after its end. */
  again(): Promise<ServerProcess>;
  /** Runs the command, on its data directory unless another is named. */
  credence(...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }>;
}

export interface ProcessOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its folder is made; among the system's temporary ones by default. */
  readonly parent?: string;
}

/** Acme, as the file that an operator begins with: its secrets come from variables. */
function organizationFile(): string {
  const organization: Organization = acme();
  const agents = organization.agents.map((agent) =>
    "secret" in agent.auth ? { ...agent, auth: { ...agent.auth, secret: { env: variableOf(agent.id) } } } : agent,
  );
  return exportOrganization({ ...organization, agents });
}

const variableOf = (agent: string): string => `${agent.toUpperCase()}_SECRET`;

/** Starts `credence serve` with Acme in a folder of its own, which goes with it, and waits until it is ready. */
export async function startServerProcess(options: ProcessOptions = {}): Promise<ServerProcess> {
  const folder = await mkdtemp(join(options.parent ?? tmpdir(), "credence-process-"));
  const port = await findPort(0);
  writeFileSync(join(folder, "acme.yaml"), organizationFile(), { mode: 0o600 });
  return launch(folder, port, options);
}

async function launch(folder: string, port: number, options: ProcessOptions): Promise<ServerProcess> {
  const issuer = `http://127.0.0.1:${port}`;
  const dataDir = join(folder, "data");
  const flags = [
    "--data",
    dataDir,
    "--issuer",
    issuer,
    "--port",
    String(port),
    "--organization",
    join(folder, "acme.yaml"),
  ];
  const secrets = Object.fromEntries(Object.entries(SECRETS).map(([agent, secret]) => [variableOf(agent), secret]));
  const child = spawn(
    process.execPath,
    [
      "-C",
      "@credence/source",
      "--disable-warning=ExperimentalWarning",
      MAIN,
      "serve",
      ...flags,
      ...(options.flags ?? []),
    ],
    {
      // A group of its own, as a shell gives to what runs in it.
      detached: true,
      env: { ...process.env, ...secrets, CREDENCE_LIMITS: UNLIMITED, ...options.env },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let told = "";
  child.stderr?.setEncoding("utf8").on("data", (more: string) => {
    told += more;
  });
  const ended = once(child, "exit").then(([code, signal]) => {
    process.off("exit", kill);
    return { code, signal };
  });
  await Promise.race([
    until(() => /Credence is ready/.test(told), child),
    ended.then(() => {
      throw new Error(`the server did not start; it said:\n${told}`);
    }),
  ]);
  const server: ServerProcess = {
    ...{ issuer, folder, dataDir, child },
    said: () => told,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
    credence: (...args) => runCredence(args.includes("--data") ? args : [...args, "--data", dataDir]),
    async again() {
      await ended;
      return launch(folder, port, options);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
  return server;
}

/** What the tests ask for comes from one agent at one address. */
const UNLIMITED = "client_requests=0, failed_requests=0, sign_ins=0, forms=0, connections=0, connections_per_address=0";

/** Runs the command to its end. */
async function runCredence(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, output: `${out}${err}` };
}

/** Processes that a process has started. */
export function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

/** Polls until something holds: as long as it takes, within the test's own time. */
export async function until(holds: () => unknown, child?: ChildProcess): Promise<void> {
  while (child === undefined || child.exitCode === null) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Signs Alice in to the assistant. @returns her ID token. */
export async function idTokenAt(issuer: string): Promise<string> {
  const client = {
    method: "client_secret_basic",
    clientId: "assistant",
    clientSecret: SECRETS.assistant ?? "",
  } as const;
  const agent = createAgent({ idp: { issuer, client }, apps: [], development: true });
  const started = await agent.startSignIn({ redirectUri: CALLBACK });
  const end = await openUserAgent(ALICE).browse(started.url, CALLBACK);
  if ("html" in end) throw new Error(`the sign-in ended at ${end.url} with ${end.status}`);
  return (await started.finish(end.url)).signIn().idToken;
}

/** An answer to a request, whole. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Record<string, unknown>;
}

/** One exchange of an ID token, over connections that are kept. Rejects for whatever is no whole answer. */
export async function exchangeAt(
  issuer: string,
  subjectToken: string,
  connections: HttpAgent,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const body = buildTokenExchangeRequest({ audience: LEDGER, resource: `${LEDGER}/mcp`, subjectToken }).toString();
  const asked = request(`${issuer}/token`, {
    method: "POST",
    agent: connections,
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "content-length": Buffer.byteLength(body),
      authorization: `Basic ${Buffer.from(`assistant:${SECRETS.assistant}`).toString("base64")}`,
      ...headers,
    },
  });
  asked.end(body);
  const [answer] = await once(asked, "response");
  return { status: answer.statusCode, headers: answer.headers, body: JSON.parse(await text(answer)) };
}

/** What many clients saw, until nobody took them any more. */
export interface Seen {
  /** ID-JAGs that came, by their decision. */
  readonly idJags: string[];
  /** Everything that a client would call a failure: an answer that is none, or another than 200; a connection that was reset. */
  readonly failures: string[];
}

/**
 * Clients that exchange again and again, each over one connection that it keeps. When the server says that it is not ready,
 * they make no new connections to it, as behind a load balancer; those that are there they use to their end.
 *
 * @param pauses - One client for each: milliseconds between its answers and its next requests.
 */
export async function exchangeUntilDrained(issuer: string, idToken: string, pauses: readonly number[]): Promise<Seen> {
  const seen: Seen = { idJags: [], failures: [] };
  const balancer = { sends: true };
  const watching = until(async () => {
    const answer = await fetch(`${issuer}/readyz`).catch(() => undefined);
    return answer?.status !== 200;
  }).then(() => {
    balancer.sends = false;
  });
  await Promise.all(pauses.map((pause) => oneClient(issuer, idToken, pause, balancer, seen)));
  await watching;
  return seen;
}

async function oneClient(
  issuer: string,
  idToken: string,
  pause: number,
  balancer: { readonly sends: boolean },
  seen: Seen,
): Promise<void> {
  const connections = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const isConnected = (): boolean => Object.keys(connections.freeSockets).length > 0;
  while (balancer.sends || isConnected()) {
    try {
      const { status, body } = await exchangeAt(issuer, idToken, connections);
      if (status === 200) seen.idJags.push(String(body.access_token));
      else seen.failures.push(`${status} ${body.error}`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      seen.failures.push(`${code} ${message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  connections.destroy();
}
