/** Two customers, each with its own IdP and its own Alice, and one app. `npm run example -- saas` */
import { DatabaseSync } from "node:sqlite";
import { createAgent, generateSigningKey, type Session } from "@credence/client";
import { nodeFetch } from "@credence/client/node";
import { type Demo, secret, startDemo } from "@credence/example-demo/demo";
import { findPort } from "@credence/example-demo/processes";
import { denialOf, runExample, type Scene } from "@credence/example-demo/run";
import { sqliteStore } from "@credence/resource/sqlite";
import { createProjects } from "./app.ts";
import { openCustomers } from "./customers.ts";

await runExample("One app of many customers, each with an IdP of its own that vouches for its own people.", play);

async function play({ onEnd, say, show }: Scene): Promise<void> {
  const port = await findPort(0);
  const url = `http://127.0.0.1:${port}`;
  const client = { id: "projects-agent", secret: secret() };
  const scopes = { "projects.read": "See projects", "projects.write": "Start projects" };
  const app = { id: "projects", issuer: url, resources: [`${url}/api`], scopes, clientId: client.id };
  const organization = async (name: string): Promise<Demo> => {
    say(`Starting the IdP of ${name} …`);
    const demo = await startDemo([app], { organization: name });
    onEnd(demo.stop);
    return demo;
  };
  const acme = await organization("Acme");
  const globex = await organization("Globex");

  const db = new DatabaseSync(":memory:");
  const customers = openCustomers(db);
  customers.add({ id: "acme", issuer: acme.idp });
  const { privateJwk: signingKey } = await generateSigningKey("ES256");
  const store = sqliteStore(db);
  const projects = createProjects({ url, customers, client, signingKey, store, record: () => {}, development: true });
  await projects.listen({ port, host: "127.0.0.1" });
  onEnd(() => projects.close());
  say(`The app's API is at ${url}/api`);

  const credential = { method: "client_secret_basic", clientId: client.id, clientSecret: client.secret } as const;
  const fetch = nodeFetch({ allowLoopback: true });
  const signIn = (demo: Demo, who = demo.alice): Promise<Session> => {
    const agent = createAgent({
      idp: demo.agent,
      apps: [{ issuer: url, client: credential }],
      fetch,
      development: true,
    });
    return demo.signIn(agent, who);
  };
  const list = async (session: Session): Promise<unknown> => (await session.fetch(`${url}/api/projects`)).json();

  const acmes = await signIn(acme);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ name: "Rocket skates" });
  const started = await acmes.fetch(`${url}/api/projects`, { method: "POST", headers, body });
  show("Acme's Alice starts a project", (await started.json()).name);
  show("Acme's Alice sees", await list(acmes));
  const globexs = await signIn(globex);
  // Her IdP says yes. It speaks for no customer yet.
  show("Globex's Alice, before Globex is a customer", await denialOf(list(globexs)));
  customers.add({ id: "globex", issuer: globex.idp });
  // Both IdPs call their Alice `alice`: what an IdP says counts for its own customer alone.
  show("Globex's Alice sees", await list(globexs));
  show("Accounts", { acme: customers.people("acme").length, globex: customers.people("globex").length });
  show("Acme's Bob", await denialOf(signIn(acme, acme.bob).then(list)));
}
