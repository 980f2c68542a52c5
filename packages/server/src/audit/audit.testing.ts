import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openKeyEncryption } from "../keys/kek.ts";
import { defaultKeyFile } from "../keys/key-file.ts";
import { type Keyring, openKeyring } from "../keys/keyring.ts";
import { storePath } from "../store/files.ts";
import { storeLocation } from "../store/location.ts";
import { openStore } from "../store/open.ts";
import type { KeyRingChange, Store } from "../store/store.ts";
import { type Audit, type AuditOptions, openAudit } from "./audit.ts";
import type { AuditEvent } from "./event.ts";

/** A record on a real store in a directory of its own. */
export interface RecordOnDisk {
  readonly dataDir: string;
  readonly store: Store;
  readonly keyring: Keyring;
  /** Public keys as `verifyRecord` takes them. */
  readonly publicKeys: readonly unknown[];
  /** Seconds; each call is a millisecond later. */
  readonly now: () => number;
  /** Begins a chain; timers are set so far away that only the test decides when something is signed or counted. */
  openAudit(options?: Partial<AuditOptions>): Promise<Audit>;
  /** What somebody with a database tool and the file would do. */
  tamper(sql: string): void;
  dispose(): Promise<void>;
}

const NEVER = 86_400;

export async function recordOnDisk(): Promise<RecordOnDisk> {
  const parent = mkdtempSync(join(tmpdir(), "credence-audit-"));
  const dataDir = join(parent, "data");
  const store = await openStore(storeLocation(dataDir));
  const keyFile = defaultKeyFile(dataDir);
  await givePreparedKeys(store, keyFile);
  let milliseconds = 1_800_000_000_000;
  const now = () => {
    milliseconds += 1;
    return milliseconds / 1_000;
  };
  const keyring = await openKeyring({ store, openKek: () => kekOf(keyFile), now });
  return {
    dataDir,
    store,
    keyring,
    publicKeys: keyring.signingKeys("audit").publicJwks,
    now,
    openAudit: (options) =>
      openAudit({ store, keyring, now, headAfterSeconds: NEVER, countsAfterSeconds: NEVER, ...options }),
    tamper(sql) {
      // The server may be in the middle of a commit.
      const database = new DatabaseSync(storePath(dataDir), { timeout: 10_000 });
      database.exec(sql);
      database.close();
    },
    async dispose() {
      await store.close();
      rmSync(parent, { recursive: true });
    },
  };
}

/** A permit for somebody. */
export function permit(n: number, person = "alice"): AuditEvent {
  return {
    code: "exchange.permitted",
    decisionId: `decision-${n}`,
    person: { id: person, email: `${person}@acme.example`, name: person },
    agent: "assistant",
    client: "ledger-assistant",
    app: "ledger",
    audience: "https://ledger.example",
    resource: ["https://ledger.example/mcp"],
    scopesAsked: ["ledger.read"],
    scopesGranted: ["ledger.read"],
    connections: ["assistant-ledger"],
    reasons: [{ id: "connection-permits", connection: "assistant-ledger" }],
    jti: `decision-${n}`,
    lifetime: 300,
    source: "203.0.113.7",
  };
}

// An RSA key takes a while to find; these tests need the keys, not the finding.
let prepared: Promise<{ readonly ring: KeyRingChange; readonly keyFile: string }> | undefined;

async function givePreparedKeys(store: Store, keyFile: string): Promise<void> {
  prepared ??= prepareKeys();
  const { ring, keyFile: content } = await prepared;
  writeFileSync(keyFile, content, { mode: 0o600 });
  await store.changeKeyRing(ring, 0);
}

function kekOf(file: string) {
  const secret = () => {
    throw new TypeError("no KMS here");
  };
  return openKeyEncryption({ file }, true, { env: {}, secret });
}

async function prepareKeys() {
  const parent = mkdtempSync(join(tmpdir(), "credence-audit-keys-"));
  const dataDir = join(parent, "data");
  const store = await openStore(storeLocation(dataDir));
  const keyFile = defaultKeyFile(dataDir);
  await openKeyring({ store, openKek: () => kekOf(keyFile), now: () => 1_800_000_000 });
  const made = { ring: await store.keyRing(), keyFile: readFileSync(keyFile, "utf8") };
  await store.close();
  rmSync(parent, { recursive: true });
  return made;
}
