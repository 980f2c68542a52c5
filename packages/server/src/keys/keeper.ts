import type { KeyEncryption } from "./key-encryption.ts";
import type { KeyEvent, KeyInfo, Keyring } from "./keyring.ts";
import type { KeyOrder, OrderRefusal } from "./life.ts";

/** Looks after the keys while the server runs. */
export interface KeyKeeper {
  list(): readonly KeyInfo[];
  /** Carries an order out, or says why not. Resolves once the order is on record. */
  order(order: KeyOrder): Promise<readonly KeyEvent[] | OrderRefusal>;
  /** @throws CredenceError when that key does not do it; nothing is changed then. */
  rewrap(kek: KeyEncryption): Promise<readonly KeyEvent[]>;
  /** Waits for what is under way, and ends. */
  close(): Promise<void>;
}

/** What {@link keepKeys} needs. */
export interface KeeperPorts {
  readonly keyring: Pick<Keyring, "list" | "refresh" | "upkeep" | "order" | "rewrap">;
  /** Resolves when durable. */
  readonly record: (event: KeyEvent) => Promise<void>;
  /** What failed in the background; it is tried again. */
  readonly onFault: (error: unknown) => void;
  readonly intervals?: Partial<typeof INTERVALS>;
}

/** Milliseconds. What one process changes, all have within a second; the first upkeep waits for the start to be over. */
const INTERVALS = { refresh: 300, upkeep: 5_000 };

/** Begins to follow what other processes change, and to do what is due. */
export function keepKeys({ keyring, record, onFault, intervals }: KeeperPorts): KeyKeeper {
  const { refresh, upkeep } = { ...INTERVALS, ...intervals };
  // What was done and could not be recorded yet.
  let owed: readonly KeyEvent[] = [];

  async function put(done: readonly KeyEvent[] = []): Promise<void> {
    owed = [...owed, ...done];
    while (owed[0] !== undefined) {
      const [next, ...rest] = owed;
      owed = rest;
      await record(next).catch((error: unknown) => {
        owed = [next, ...owed];
        throw error;
      });
    }
  }

  const following = often(refresh, () => keyring.refresh(), onFault);
  const tending = often(upkeep, async () => put(await keyring.upkeep()), onFault);
  return {
    list: () => keyring.list(),
    async order(order) {
      // As the others left them: an order is about what there is now.
      await keyring.refresh();
      const outcome = await keyring.order(order);
      if (!("reason" in outcome)) await put(outcome);
      return outcome;
    },
    async rewrap(kek) {
      const done = await keyring.rewrap(kek);
      await put(done);
      return done;
    },
    async close() {
      await Promise.all([following.end(), tending.end()]);
    },
  };
}

/** Runs again and again, never twice at once, without keeping the process alive. */
function often(milliseconds: number, run: () => Promise<unknown>, onFault: (error: unknown) => void) {
  let running: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    running ??= run()
      .catch(onFault)
      .finally(() => {
        running = undefined;
      });
  }, milliseconds).unref();
  return {
    async end(): Promise<void> {
      clearInterval(timer);
      await running;
    },
  };
}
