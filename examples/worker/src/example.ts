/** The links at work, on workerd: Alice's agent reads them, Bob's is turned away. `npm run example -- worker` */
import { createAgent, generateSigningKey } from "@credence/client";
import { nodeFetch } from "@credence/client/node";
import { secret, startDemo } from "@credence/example-demo/demo";
import { findPort } from "@credence/example-demo/processes";
import { denialOf, runExample, type Scene } from "@credence/example-demo/run";
import { startWorker } from "./workerd.ts";

await runExample("A Hono app on workerd that agents reach on behalf of people, as their organization decides.", play);

async function play({ onEnd, say, show }: Scene): Promise<void> {
  const port = await findPort(0);
  const url = `http://127.0.0.1:${port}`;
  const client = { id: "links-agent", secret: secret() };
  say("Starting the IdP of Acme …");
  const scopes = { "links.read": "Read links" };
  const demo = await startDemo([
    { id: "links", issuer: url, resources: [`${url}/links`], scopes, clientId: client.id },
  ]);
  onEnd(demo.stop);
  const { privateJwk } = await generateSigningKey("ES256");
  const stop = await startWorker(port, {
    URL: url,
    IDP: demo.idp,
    CLIENT_ID: client.id,
    CLIENT_SECRET: client.secret,
    SIGNING_KEY: JSON.stringify(privateJwk),
    DEVELOPMENT: true,
  });
  onEnd(stop);
  say(`The worker's API is at ${url}/links`);

  const credential = { method: "client_secret_basic", clientId: client.id, clientSecret: client.secret } as const;
  const fetch = nodeFetch({ allowLoopback: true });
  const agent = createAgent({ idp: demo.agent, apps: [{ issuer: url, client: credential }], fetch, development: true });
  const alice = await demo.signIn(agent);
  show("Alice's agent reads the links", await (await alice.fetch(`${url}/links`)).json());
  const { idJag } = await alice.idJag({ audience: url, resource: `${url}/links` });
  show("One ID-JAG, redeemed ten times at once", await redeemAtOnce(`${url}/token`, client, idJag));
  show("Bob's agent", await denialOf((await demo.signIn(agent, demo.bob)).fetch(`${url}/links`)));
}

/** How many of ten simultaneous redemptions of one ID-JAG end in which status. */
async function redeemAtOnce(
  tokenEndpoint: string,
  client: { readonly id: string; readonly secret: string },
  assertion: string,
): Promise<Record<number, number>> {
  const body = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
  const headers = { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` };
  const redeem = async (): Promise<number> => (await fetch(tokenEndpoint, { method: "POST", headers, body })).status;
  const counts: Record<number, number> = {};
  for (const status of await Promise.all(Array.from({ length: 10 }, redeem)))
    counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
