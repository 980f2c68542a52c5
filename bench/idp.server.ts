/** The real server with everything on, as `credence serve` starts it, with what only the bench may set. */
import { join } from "node:path";
import type { PublicJwk } from "@credence/protocol/jws";
import { findPort } from "../examples/demo/src/processes.ts";
import { openKeyring } from "../packages/server/src/keys/keyring.ts";
import { openLog } from "../packages/server/src/log.ts";
import { startServer } from "../packages/server/src/server.ts";
import { onEnd, optionsOf, tellReady } from "./harness/server.ts";
import { benchOrganization, type OrganizationSize } from "./organization.ts";
import { AGENT } from "./requests.ts";

interface IdpOptions extends OrganizationSize {
  readonly folder: string;
  readonly agentKey: PublicJwk;
}

const { folder, agentKey, ...size } = optionsOf<IdpOptions>();
const port = await findPort(0);
const issuer = `http://127.0.0.1:${port}`;
const [dataDir, keyFile] = [join(folder, "data"), join(folder, "data.key")];
const server = await startServer({
  issuer,
  issuerIsLoopback: true,
  host: "127.0.0.1",
  port,
  dataDir,
  keyFile,
  idJagLifetime: 300,
  resolveSecret: () => AGENT.clientSecret,
  log: openLog("info"),
});
const { revision } = await server.store.organization();
await server.store.replaceOrganization(await benchOrganization(size, agentKey), revision);
const keyring = await openKeyring({ store: server.store, keyFile, dataDir, now: () => Math.floor(Date.now() / 1_000) });
// The key goes to the bench, which makes ID tokens of one that a real sign-in gave.
tellReady({ url: issuer, jwk: keyring.signingKeys("idp")[0]?.privateJwk });
onEnd(() => server.close());
