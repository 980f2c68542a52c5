/** The ledger at work: Alice's agent lists its entries by MCP, Bob's is turned away. `npm run example -- ledger` */
import { createAgent } from "@credence/client";
import { nodeFetch } from "@credence/client/node";
import { callTool, connect } from "@credence/example-assistant";
import { secret, startDemo } from "@credence/example-demo/demo";
import { findPort } from "@credence/example-demo/processes";
import { denialOf, runExample, type Scene } from "@credence/example-demo/run";
import { serve } from "@hono/node-server";
import { createLedger } from "./app.ts";

await runExample("An MCP server that agents reach on behalf of people, as their organization decides.", play);

async function play({ onEnd, say, show }: Scene): Promise<void> {
  const port = await findPort(0);
  const issuer = `http://127.0.0.1:${port}`;
  const client = { id: "ledger-agent", secret: secret() };
  const scopes = { "ledger.read": "Read entries", "ledger.write": "Add entries" };
  say("Starting the IdP of Acme …");
  const app = { id: "ledger", issuer, resources: [`${issuer}/mcp`], scopes, clientId: client.id };
  const demo = await startDemo([{ ...app, granted: ["ledger.read"] }]);
  onEnd(demo.stop);
  const ledger = await createLedger({
    issuer,
    idp: demo.idp,
    client,
    record: () => {},
    fetch: nodeFetch({ allowLoopback: true }),
    development: true,
  });
  const http = serve({ fetch: ledger.fetch, port, hostname: "127.0.0.1" });
  onEnd(() => http.close());
  say(`The ledger is an MCP server at ${ledger.resource}`);

  const credential = { method: "client_secret_basic", clientId: client.id, clientSecret: client.secret } as const;
  const agent = createAgent({ idp: demo.agent, apps: [{ issuer, client: credential }], development: true });
  const alices = await connect(await demo.signIn(agent), ledger.resource);
  show("Alice's agent lists the entries", JSON.parse(await callTool(alices, "list_entries")));
  await alices.close();
  show("Bob's agent", await denialOf(connect(await demo.signIn(agent, demo.bob), ledger.resource)));
}
