/** The real server with everything on, as `credence serve` starts it, with what only the bench may set. */
import { join } from "node:path";
import type { PublicJwk } from "@credence/protocol/jws";
import { findPort } from "../examples/demo/src/processes.ts";
import { openDataKey } from "../packages/server/src/keys/data-key.ts";
import { openKeyEncryption } from "../packages/server/src/keys/kek.ts";
import { createSealer } from "../packages/server/src/keys/seal.ts";
import { openKey } from "../packages/server/src/keys/stored-key.ts";
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
// The key goes to the bench, which makes ID tokens of one that a real sign-in gave.
tellReady({ url: issuer, jwk: await idTokenKey() });
onEnd(() => server.close());

async function idTokenKey() {
  const secret = () => AGENT.clientSecret;
  const openKek = () => openKeyEncryption({ file: keyFile }, false, { env: {}, secret });
  const dataKey = await openDataKey({ store: server.store, openKek });
  const { keys } = await server.store.keyRing();
  const stored = keys.find(({ use, alg, state }) => use === "idp" && alg === "ES256" && state === "active");
  const half = stored && (await openKey(stored, createSealer(dataKey))).privateHalf;
  return half && "privateJwk" in half ? half.privateJwk : undefined;
}
