import { type AdminPorts, adminApp } from "../admin/app.ts";
import { keyRoutes } from "../admin/keys.ts";
import { type SessionPorts, sessionRoutes } from "../admin/sessions.ts";
import { listenOnSocket, socketPath } from "../admin/socket.ts";
import { describeError, type Logger } from "../log.ts";
import { grantsOf, sessionsOf } from "../sign-in/belongings.ts";
import { prepareDataDirectory } from "../store/files.ts";
import { lockDataDirectory } from "../store/lock.ts";
import type { Store } from "../store/store.ts";
import { checkSecrets } from "./client-secrets.ts";
import type { Closers } from "./closers.ts";
import type { House } from "./house.ts";
import type { ServerOptions } from "./options.ts";
import { type SeedOutcome, seedOrganization } from "./seed.ts";

/** Seconds between two sweeps of what has expired. */
const SWEEP_EVERY = 60;

/** A database is there for many servers, a data directory for one. */
export function takeDataDirectory({ dataDir, store: url }: ServerOptions, closers: Closers): void {
  if (url === undefined) {
    const lock = lockDataDirectory(dataDir);
    closers.push(() => lock.release());
  } else prepareDataDirectory(dataDir);
}

/** What one process of a server does for all: the first organization, the admin API, sweeping. */
export async function tend(options: ServerOptions, house: House, closers: Closers): Promise<SeedOutcome> {
  const { issuerIsLoopback, log } = options;
  const { store, keyring, audit, keeper, openKek, now } = house;
  const onFault = (error: unknown): void => log.error(describeError(error), "the admin API failed");
  const ports: AdminPorts = { store, record: (event) => audit.record(event), issuerIsLoopback, now, onFault };
  const organization = await seedOrganization(options.organization, ports);
  await checkSecrets(options, store);
  closers.push(sweepOften(store, now, log));
  const artifacts = { store, sealing: keyring, now };
  const signedIn: SessionPorts["signedIn"] = async (person) => ({
    sessions: await sessionsOf(artifacts, person),
    grants: await grantsOf(artifacts, person),
  });
  const adminApi = adminApp(ports)
    .route("/v1/keys", keyRoutes({ keeper, openKek }))
    .route("/v1/sessions", sessionRoutes({ store, signedIn, record: ports.record }));
  const admin = await listenOnSocket(adminApi, socketPath(options.dataDir));
  closers.push(() => admin.close());
  return organization;
}

function sweepOften(store: Store, now: () => number, log: Logger): () => void {
  const timer = setInterval(() => {
    store.sweep(now()).catch((error: unknown) => log.error(describeError(error), "sweeping failed"));
  }, SWEEP_EVERY * 1_000).unref();
  return () => clearInterval(timer);
}
