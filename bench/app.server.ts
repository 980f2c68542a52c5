/** An app: its authorization server on node:http, single use on, in a SQLite file; every event a line of a log. */
import { createServer } from "node:http";
import { join } from "node:path";
import type { JwkSet, PrivateJwk } from "@credence/protocol/jws";
import { createResourceServer } from "@credence/resource";
import { authorizationServer, nodeCrypto } from "@credence/resource/node";
import { sqliteStore } from "@credence/resource/sqlite";
import { pino } from "pino";
import { findPort } from "../examples/demo/src/processes.ts";
import { onEnd, optionsOf, tellReady } from "./harness/server.ts";
import { APP_CLIENT, IDP_ISSUER, SCOPES } from "./redemption.ts";

const { folder, jwks, signingKey } = optionsOf<{ folder: string; jwks: JwkSet; signingKey: PrivateJwk }>();
const port = await findPort(0);
const issuer = `http://127.0.0.1:${port}`;
const resource = `${issuer}/mcp`;
const log = pino(pino.destination({ dest: join(folder, "events.log"), sync: false, minLength: 4_096 }));
const store = sqliteStore(join(folder, "store.db"));
const app = createResourceServer({
  issuer,
  resources: { [resource]: { scopes: SCOPES } },
  customers: [{ id: "acme", issuers: [{ issuer: IDP_ISSUER, jwks }] }],
  clients: [APP_CLIENT],
  resolveSubject: ({ customer, sub }) => ({ id: `${customer}/${sub}`, customer }),
  signingKey,
  crypto: nodeCrypto,
  store,
  record: (event) => log.info(event),
  development: true,
});
const handle = authorizationServer(app);
const server = createServer((req, res) => void handle(req, res));
await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
tellReady({ url: issuer, resource });
onEnd(() => {
  server.closeAllConnections();
  store.close();
});
