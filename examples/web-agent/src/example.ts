/**
 * The web application at work: Alice signs in and sees the ledger's entries, Bob signs in and is told no.
 * `npm run example -- web-agent`
 */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createAgent } from "@credence/client";
import { nodeFetch } from "@credence/client/node";
import { secret, startDemo } from "@credence/example-demo/demo";
import { findPort, start } from "@credence/example-demo/processes";
import { runExample, type Scene } from "@credence/example-demo/run";
import { openUserAgent, type Typist } from "@credence/example-demo/user-agent";
import { serve } from "@hono/node-server";
import { createWebAgent } from "./app.ts";

const LEDGER = fileURLToPath(new URL("../../ledger/src/main.ts", import.meta.url));

await runExample("A web application that acts for people, as their organization decides.", play);

async function play({ onEnd, say, show }: Scene): Promise<void> {
  const [port, ledgerPort] = [await findPort(0), await findPort(0)];
  const [origin, ledger] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${ledgerPort}`];
  const client = { id: "ledger-web", secret: secret() };
  say("Starting the IdP of Acme, and the ledger …");
  const scopes = { "ledger.read": "Read entries", "ledger.write": "Add entries" };
  const app = { id: "ledger", issuer: ledger, resources: [`${ledger}/mcp`], scopes, clientId: client.id };
  const demo = await startDemo([{ ...app, granted: ["ledger.read"] }], { callbacks: [`${origin}/callback`] });
  onEnd(demo.stop);
  const flags = ["--idp", demo.idp, "--port", String(ledgerPort), "--client-id", client.id];
  const ready = `${ledger}/.well-known/oauth-authorization-server`;
  const program = await start("The ledger", [LEDGER, ...flags], { LEDGER_CLIENT_SECRET: client.secret }, ready);
  onEnd(program.stop);

  const credential = { method: "client_secret_basic", clientId: client.id, clientSecret: client.secret } as const;
  const agent = createAgent({
    idp: demo.agent,
    apps: [{ issuer: ledger, client: credential }],
    fetch: nodeFetch({ allowLoopback: true }),
    development: true,
  });
  const web = createWebAgent({ agent, origin, api: `${ledger}/mcp/entries`, cookieSecret: secret() });
  const http = serve({ fetch: web.fetch, port, hostname: "127.0.0.1" });
  await once(http, "listening");
  onEnd(() => http.close());
  say(`The web application is at ${origin}. Alice is ${demo.alice.email}, her password ${demo.alice.password}`);

  show("Alice's page", await visit(origin, demo.alice));
  show("Bob's page", await visit(origin, demo.bob));
}

/** Somebody follows the application's link and signs in at their organization: what they see in the end. */
async function visit(origin: string, who: Typist): Promise<{ status: number; text: string }> {
  const end = await openUserAgent(who).browse(`${origin}/sign-in`);
  if (!("html" in end)) throw new Error(`The browser was sent away to ${end.url}.`);
  const body = /<main>([\s\S]*)<\/main>/.exec(end.html)?.[1] ?? "";
  return {
    status: end.status,
    text: body
      .replaceAll(/<[^>]*>/g, " ")
      .replaceAll("&quot;", '"')
      .trim(),
  };
}
