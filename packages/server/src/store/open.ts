import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CredenceError } from "@credence/protocol";
import { artifactStore } from "./artifacts.ts";
import { attemptStore } from "./attempts.ts";
import type { Backend } from "./backend.ts";
import { factorStore } from "./factors.ts";
import { keyRingStore } from "./key-ring.ts";
import { describeLocation, requireStoreUrl, type StoreLocation } from "./location.ts";
import { organizationStore } from "./organization.ts";
import { recordStore } from "./record.ts";
import { signInStore } from "./sign-ins.ts";
import { sizeOf } from "./size.ts";
import { openSqlite, openSqliteReadOnly } from "./sqlite/backend.ts";
import type { Store } from "./store.ts";

/** How a store is opened. */
export interface OpenStoreOptions {
  /** For the record's readers, beside a running server or without one: nothing is created, writing rejects. */
  readonly readOnly?: boolean;
  /** Milliseconds that each commit of SQLite takes longer. For measuring alone: it stands for a slow disk. */
  readonly commitDelayMs?: number;
}

/**
 * Opens a store, and brings its tables up to date. Any number of processes may have one open at once.
 *
 * @returns the store; each of its operations rejects with a CredenceError `temporarily_unavailable`, reason
 *   `store-unavailable`, when the database does not do it.
 * @throws CredenceError `configuration` when the database can not be had, is none of ours, or is another version's.
 */
export async function openStore(location: StoreLocation, options: OpenStoreOptions = {}): Promise<Store> {
  return compose(await openBackend(location, options));
}

async function openBackend(location: StoreLocation, options: OpenStoreOptions): Promise<Backend> {
  const { readOnly = false, commitDelayMs = 0 } = options;
  try {
    if (location.kind === "postgresql") {
      // Only here: who has no PostgreSQL does not load what speaks to it.
      const { openPostgresql } = await import("./postgresql/backend.ts");
      return await openPostgresql(requireStoreUrl(location.url), readOnly);
    }
    return await (readOnly ? openSqliteReadOnly(location.path) : openSqlite(location.path, commitDelayMs));
  } catch (cause) {
    if (cause instanceof CredenceError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CredenceError(`The store ${describeLocation(location)} can not be opened: ${why}`, {
      code: "configuration",
      cause,
    });
  }
}

function compose(backend: Backend): Store {
  const { read, write } = backend;
  let closing: Promise<void> | undefined;
  return {
    ...guarded({
      ...organizationStore(backend),
      ...artifactStore(backend),
      ...factorStore(read, write),
      ...signInStore(write),
      ...attemptStore(read, write),
      ...recordStore(backend),
      ...keyRingStore(read, write),
      ping: () => ping(backend),
      size: () => sizeOf(read),
    }),
    close() {
      closing ??= backend.close();
      return closing;
    },
  };
}

/** Longer than any healthy commit, in milliseconds. */
const PING_PATIENCE = 2_000;

/** Writes a mark of this process' own, so that nobody else's stands in the way. Its time differs: it is a real commit. */
async function ping({ write }: Backend): Promise<void> {
  const mark = { kind: "ping", key: PROCESS, expires_at: Date.now() / 1_000 };
  const written = write
    .insertInto("single_use")
    .values(mark)
    .onConflict((conflict) => conflict.columns(["kind", "key"]).doUpdateSet({ expires_at: mark.expires_at }))
    .execute();
  await withinTime(written, PING_PATIENCE);
}

const PROCESS = randomUUID();

async function withinTime(run: Promise<unknown>, milliseconds: number): Promise<void> {
  const controller = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: controller.signal }).then(() => {
    throw new Error("the database did not answer in time");
  });
  try {
    await Promise.race([run, late]);
  } finally {
    late.catch(() => {});
    controller.abort();
  }
}

type Operations = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;

/** The same operations, whose every failure is the one error that callers answer with 503. */
function guarded<O extends Operations>(operations: O): O {
  const guard = ([name, operation]: [string, Operations[string]]) => [
    name,
    async (...args: never[]) => {
      try {
        return await operation(...args);
      } catch (cause) {
        throw new CredenceError(`The store could not do "${name}".`, {
          code: "temporarily_unavailable",
          reason: "store-unavailable",
          status: 503,
          cause,
        });
      }
    },
  ];
  // Object.fromEntries forgets the names; they are the same, and so are the signatures.
  return Object.fromEntries(Object.entries(operations).map(guard)) as O;
}
