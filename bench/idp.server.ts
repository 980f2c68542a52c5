/** The real server with everything on, as `credence serve` starts it, with what only the bench may set. */
import { join } from "node:path";
import type { PublicJwk } from "@credence/protocol/jws";
import { findPort } from "../examples/demo/src/processes.ts";
import { type Config, parseConfig } from "../packages/server/src/config/config.ts";
import { openDataKey } from "../packages/server/src/keys/data-key.ts";
import { openKeyEncryption } from "../packages/server/src/keys/kek.ts";
import { createSealer } from "../packages/server/src/keys/seal.ts";
import { openKey } from "../packages/server/src/keys/stored-key.ts";
import { openLog } from "../packages/server/src/log.ts";
import { secretResolver } from "../packages/server/src/organization/secrets.ts";
import { type RunningServer, startServer } from "../packages/server/src/process/server.ts";
import { startWithWorkers } from "../packages/server/src/workers/primary.ts";
import { BenchError } from "./harness/error.ts";
import { onEnd, optionsOf, tellReady } from "./harness/server.ts";
import { benchOrganization, type OrganizationSize, SECRET_VARIABLE } from "./organization.ts";
import { AGENT } from "./requests.ts";

/** What differs between one server and another; see `startIdp`. */
export interface IdpServerOptions extends OrganizationSize {
  readonly folder: string;
  readonly agentKey: PublicJwk;
  readonly workers?: number;
  readonly store?: string;
  readonly commitDelayMs?: number;
  /** Issuer of the first app; its resource is `/mcp` below it. */
  readonly firstApp?: string;
}

const { folder, agentKey, workers = 1, store, commitDelayMs = 0, ...organization } = optionsOf<IdpServerOptions>();
process.env[SECRET_VARIABLE] = AGENT.clientSecret;
const resolveSecret = secretResolver();
const config = await configOf();
const server = await start(config);
const { revision } = await server.store.organization();
await server.store.replaceOrganization(await benchOrganization(organization, agentKey), revision);
// The key goes to the bench, which makes ID tokens of one that a real sign-in gave.
tellReady({ url: config.issuer, jwk: await idTokenKey() });
onEnd(() => server.close());

async function configOf(): Promise<Config> {
  const port = await findPort(0);
  const parsed = parseConfig(
    {
      issuer: `http://127.0.0.1:${port}`,
      port: String(port),
      data: join(folder, "data"),
      keyFile: join(folder, "data.key"),
      workers: String(workers),
      store,
    },
    // One client sends what thousands would: it is counted, and not held back. A million requests a minute are none.
    { CREDENCE_LIMITS: "client_requests=1000000" },
  );
  if (!parsed.ok) throw new BenchError(parsed.problems.map(({ at, message }) => `${at}: ${message}`).join("\n"));
  return parsed.config;
}

function start({ organization: _, logLevel, workers: count, drain, ...rest }: Config): Promise<RunningServer> {
  const options = { ...rest, env: process.env, resolveSecret, log: openLog(logLevel) };
  if (count === 1) return startServer({ ...options, commitDelayMs });
  return startWithWorkers(options, { count, config });
}

async function idTokenKey() {
  const openKek = () => openKeyEncryption({ file: config.keyFile }, false, { env: {}, secret: resolveSecret });
  const dataKey = await openDataKey({ store: server.store, openKek });
  const { keys } = await server.store.keyRing();
  const stored = keys.find(({ use, alg, state }) => use === "idp" && alg === "ES256" && state === "active");
  const half = stored && (await openKey(stored, createSealer(dataKey))).privateHalf;
  return half && "privateJwk" in half ? half.privateJwk : undefined;
}
