/**
 * An IdP and an app that both run oidc-provider, with ID-JAG between them: Alice's agent reaches her notes, Bob's is turned
 * away. `npm run example -- existing-provider`
 */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createAgent } from "@credence/client";
import { CALLBACK, secret } from "@credence/example-demo/demo";
import { findPort } from "@credence/example-demo/processes";
import { denialOf, runExample, type Scene } from "@credence/example-demo/run";
import { openUserAgent } from "@credence/example-demo/user-agent";
import { generateSigningKey, memoryStore } from "@credence/resource";
import { createApp } from "./app.ts";
import { createIdp } from "./idp.ts";

await runExample("An IdP and an app on oidc-provider, each of which gains ID-JAG by one call.", play);

async function play({ onEnd, say, show }: Scene): Promise<void> {
  const idpPort = await findPort(0);
  const idp = `http://127.0.0.1:${idpPort}`;
  const appPort = await findPort(0);
  const app = `http://127.0.0.1:${appPort}`;
  const notes = `${app}/notes`;
  const alice = { id: "alice", email: "alice@acme.example", password: secret() };
  const bob = { id: "bob", email: "bob@acme.example", password: secret() };
  const atIdp = { id: "agent", secret: secret() };
  const atApp = { id: "notes-agent", secret: secret() };

  const people = [alice, bob];
  const marks = memoryStore();
  const provider = createIdp({
    issuer: idp,
    people,
    agent: { ...atIdp, redirectUri: CALLBACK },
    rules: [
      {
        agent: atIdp.id,
        app: { issuer: app, clientId: atApp.id },
        resources: [notes],
        people: ["alice"],
        scopes: ["notes.read"],
      },
    ],
    key: (await generateSigningKey("ES256")).privateJwk,
    cookieKey: secret(),
    record: async () => undefined,
    markUsed: marks.consume,
  });
  await serve(provider.callback(), idpPort, onEnd);
  const key = (await generateSigningKey("ES256")).privateJwk;
  await serve(
    createApp({ issuer: app, idp, agent: atApp, key, record: () => undefined, development: true }),
    appPort,
    onEnd,
  );
  say(`The IdP is ${idp}, the app's API ${notes}`);

  const method = "client_secret_basic";
  const agent = createAgent({
    idp: { issuer: idp, client: { method, clientId: atIdp.id, clientSecret: atIdp.secret } },
    apps: [{ issuer: app, client: { method, clientId: atApp.id, clientSecret: atApp.secret } }],
    development: true,
  });
  const signIn = async (who: typeof alice) => {
    const started = await agent.startSignIn({ redirectUri: CALLBACK });
    const end = await openUserAgent(who).browse(started.url, CALLBACK);
    if ("html" in end) throw new Error(`The sign-in ended at ${end.url} with status ${end.status}.`);
    return started.finish(end.url);
  };

  const session = await signIn(alice);
  show("Alice has signed in", { idp });
  const { idJag, scope } = await session.idJag({ audience: app, resource: notes });
  const { iss, sub, aud, client_id } = JSON.parse(atob(idJag.split(".")[1] ?? ""));
  show("the IdP's ID-JAG", { iss, sub, aud, client_id, scope });
  show("Alice's agent reads her notes", await (await session.fetch(notes)).json());
  show("Bob's agent", await denialOf((await signIn(bob)).fetch(notes)));
}

async function serve(listener: RequestListener, port: number, onEnd: Scene["onEnd"]): Promise<void> {
  const server = createServer(listener).listen(port, "127.0.0.1");
  await once(server, "listening");
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
}
