/** The notebook at work: Alice's agent reads and writes her notes, Bob's is turned away. `npm run example -- rest-api` */
import { once } from "node:events";
import { createAgent, generateSigningKey } from "@credence/client";
import { nodeFetch } from "@credence/client/node";
import { secret, startDemo } from "@credence/example-demo/demo";
import { findPort } from "@credence/example-demo/processes";
import { denialOf, runExample, type Scene } from "@credence/example-demo/run";
import { createNotebook } from "./app.ts";

await runExample("A REST API in Express that agents use on behalf of people, as their organization decides.", play);

async function play({ onEnd, say, show }: Scene): Promise<void> {
  const port = await findPort(0);
  const url = `http://127.0.0.1:${port}`;
  const client = { id: "notebook-agent", secret: secret() };
  say("Starting the IdP of Acme …");
  const scopes = { "notes.read": "Read notes", "notes.write": "Write notes" };
  const demo = await startDemo([
    { id: "notebook", issuer: url, resources: [`${url}/notes`], scopes, clientId: client.id },
  ]);
  onEnd(demo.stop);
  const { privateJwk: signingKey } = await generateSigningKey("ES256");
  const app = createNotebook({
    url,
    idp: demo.idp,
    client,
    signingKey,
    store: ":memory:",
    record: () => {},
    development: true,
  });
  const http = app.listen(port, "127.0.0.1");
  await once(http, "listening");
  onEnd(() => http.closeAllConnections());
  say(`The notebook's API is at ${url}/notes`);

  const credential = { method: "client_secret_basic", clientId: client.id, clientSecret: client.secret } as const;
  const fetch = nodeFetch({ allowLoopback: true });
  const agent = createAgent({ idp: demo.agent, apps: [{ issuer: url, client: credential }], fetch, development: true });
  const alice = await demo.signIn(agent);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ text: "Call the printer's" });
  const written = await alice.fetch(`${url}/notes`, { method: "POST", headers, body });
  show("Alice's agent writes a note", await written.json());
  show("Alice's agent reads her notes", await (await alice.fetch(`${url}/notes`)).json());
  const bob = await demo.signIn(agent, demo.bob);
  show("Bob's agent", await denialOf(bob.fetch(`${url}/notes`)));
}
