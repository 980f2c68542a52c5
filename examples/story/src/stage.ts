/** The stage: an IdP and a ledger as processes of their own, with fresh data and fresh secrets. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findPort, type Started, start } from "@credence/example-demo/processes";
import { organizationFile, type Places } from "./organization.ts";

/** Where everything is, and what opens it. */
export interface Stage {
  readonly places: Places;
  /** The MCP server's URL. */
  readonly mcp: string;
  readonly alice: { readonly email: string; readonly password: string };
  readonly secrets: Secrets;
  readonly dataDir: string;
  readonly organizationFile: string;
  /** Runs the `credence` command as an admin on the IdP's machine would. */
  credence(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Ends all processes and removes the data. */
  clear(): Promise<void>;
}

/** Secrets of one run. */
export interface Secrets {
  readonly assistant: string;
  readonly assistantAtLedger: string;
  readonly crawler: string;
  readonly crawlerAtLedger: string;
}

/** Ports of the story when it stays up. */
const PORTS = { idp: 8787, ledger: 8788 };

/** Seconds that ledger's access tokens live: short, so that the story can wait for the end of one. */
export const TOKEN_LIFETIME = 5;

const CREDENCE = fileURLToPath(new URL("../../../packages/server/src/main.ts", import.meta.url));
const LEDGER = fileURLToPath(new URL("../../ledger/src/main.ts", import.meta.url));

/**
 * Starts everything.
 *
 * @param freePorts - Take whatever ports are free, rather than the fixed ones.
 * @throws Error that says what did not start, and why.
 */
export async function setStage(freePorts: boolean): Promise<Stage> {
  const ports = {
    idp: await findPort(freePorts ? 0 : PORTS.idp),
    ledger: await findPort(freePorts ? 0 : PORTS.ledger),
  };
  const places: Places = { idp: `http://127.0.0.1:${ports.idp}`, ledger: `http://127.0.0.1:${ports.ledger}` };
  const folder = await mkdtemp(join(tmpdir(), "credence-story-"));
  const started: Started[] = [];
  const clear = async (): Promise<void> => {
    for (const one of started.splice(0).reverse()) await one.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const secrets = {
    assistant: secret(),
    assistantAtLedger: secret(),
    crawler: secret(),
    crawlerAtLedger: secret(),
  };
  const alice = { email: "alice@acme.example", password: secret() };
  const dataDir = join(folder, "data");
  const file = join(folder, "acme.yaml");
  try {
    const hash = await run([CREDENCE, "password-hash"], {}, alice.password);
    if (hash.code !== 0) throw new Error(`credence password-hash failed: ${hash.stderr}`);
    await writeFile(file, organizationFile(places, { passwordHash: hash.stdout.trim() }), { mode: 0o600 });
    const flags = { organization: file, data: dataDir, issuer: places.idp, port: String(ports.idp) };
    // Nobody balances load before it: it may end at once.
    const idpEnv = { ASSISTANT_SECRET: secrets.assistant, CRAWLER_SECRET: secrets.crawler, CREDENCE_DRAIN: "0s" };
    started.push(
      await start(
        "The IdP",
        [CREDENCE, "serve", ...asFlags(flags)],
        idpEnv,
        `${places.idp}/.well-known/openid-configuration`,
      ),
    );
    const ledgerFlags = { idp: places.idp, port: String(ports.ledger), "token-lifetime": String(TOKEN_LIFETIME) };
    const ledgerSecret = { LEDGER_CLIENT_SECRET: secrets.assistantAtLedger };
    const ready = `${places.ledger}/.well-known/oauth-authorization-server`;
    started.push(await start("Ledger", [LEDGER, ...asFlags(ledgerFlags)], ledgerSecret, ready));
  } catch (error) {
    await clear();
    throw error;
  }
  const credence = (...args: string[]) => run([CREDENCE, ...args, "--data", dataDir], {});
  return { places, mcp: `${places.ledger}/mcp`, alice, secrets, dataDir, organizationFile: file, credence, clear };
}

function secret(): string {
  return randomBytes(18).toString("base64url");
}

function asFlags(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input = "",
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const argv = ["-C", "@credence/source", ...args];
    const child = execFile(process.execPath, argv, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}
