/**
 * The command at work: Alice signs in once and reads the ledger, today and tomorrow; Bob is told no.
 * `npm run example -- cli-agent`
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { secret, startDemo } from "@credence/example-demo/demo";
import { findPort, start } from "@credence/example-demo/processes";
import { denialOf, runExample, type Scene } from "@credence/example-demo/run";
import { openUserAgent, type Typist } from "@credence/example-demo/user-agent";
import { get } from "./cli.ts";

const LEDGER = fileURLToPath(new URL("../../ledger/src/main.ts", import.meta.url));

await runExample("A command that calls an API for whoever runs it, as their organization decides.", play);

async function play({ onEnd, say, show }: Scene): Promise<void> {
  const port = await findPort(0);
  const ledger = `http://127.0.0.1:${port}`;
  const client = { id: "ledger-cli", secret: secret() };
  say("Starting the IdP of Acme, and the ledger …");
  const scopes = { "ledger.read": "Read entries", "ledger.write": "Add entries" };
  const app = { id: "ledger", issuer: ledger, resources: [`${ledger}/mcp`], scopes, clientId: client.id };
  const demo = await startDemo([{ ...app, granted: ["ledger.read"] }]);
  onEnd(demo.stop);
  const flags = ["--idp", demo.idp, "--port", String(port), "--client-id", client.id];
  const ready = `${ledger}/.well-known/oauth-authorization-server`;
  const program = await start("The ledger", [LEDGER, ...flags], { LEDGER_CLIENT_SECRET: client.secret }, ready);
  onEnd(program.stop);
  const folder = await mkdtemp(join(tmpdir(), "credence-cli-agent-"));
  onEnd(() => rm(folder, { recursive: true }));

  const credential = { method: "client_secret_basic", clientId: client.id, clientSecret: client.secret } as const;
  const agent = { idp: demo.agent, apps: [{ issuer: ledger, client: credential }], development: true };
  /** Runs the command as somebody: each has a file of their own. It is counted how often their browser opens. */
  let opened = 0;
  const runAs = (who: Typist, name: string): Promise<string> => {
    const open = (url: string): unknown => {
      opened++;
      return openUserAgent(who).browse(url);
    };
    return get(`${ledger}/mcp/entries`, { agent, keep: join(folder, `${name}.json`), open, say });
  };
  show("Alice's command reads the entries", JSON.parse(await runAs(demo.alice, "alice")));
  show("The next one asks nobody", { entries: JSON.parse(await runAs(demo.alice, "alice")).entries.length, opened });
  show("Bob's command", await denialOf(runAs(demo.bob, "bob")));
}
