/**
 * What a worker needs for single use. A worker runs in many isolates that share no memory, and a key-value store that is only
 * eventually consistent lets one ID-JAG be used in two places: so the marks are kept in a durable object, which is one for the
 * whole world, serves one event after the other, and answers when what it wrote is safe.
 */
import type { ResourceStore } from "@credence/resource";

/** As much of a durable object's own storage as is needed. */
interface Storage {
  get<T>(key: string): Promise<T | undefined>;
  put(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<boolean>;
  list<T>(options: {
    readonly prefix: string;
    readonly startAfter?: string;
    readonly limit: number;
  }): Promise<Map<string, T>>;
  getAlarm(): Promise<number | null>;
  setAlarm(milliseconds: number): Promise<void>;
}

/** As much of a binding to durable objects as is needed. */
export interface DurableObjects {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(url: string, init: RequestInit): Promise<Response> };
}

/** What is asked of the object: a function of `ResourceStore`, with its arguments. */
type Ask =
  | { readonly ask: "consume"; readonly key: string; readonly expiresAt: number }
  | { readonly ask: "epochs"; readonly keys: readonly string[] }
  | { readonly ask: "raiseEpoch"; readonly key: string }
  | { readonly ask: "put"; readonly key: string; readonly value: string; readonly expiresAt: number }
  | { readonly ask: "get"; readonly key: string }
  | { readonly ask: "delete"; readonly key: string };

interface Kept {
  readonly value: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** Epochs are kept for good: what they end must not come back. */
const EPOCH = "epoch/";
/** Marks and values, until they expire. */
const KEPT = "kept/";
const SWEEP_EVERY = 10 * 60_000;
const SWEEP_AT_ONCE = 1_000;

/** The object itself. */
export class StoreObject {
  readonly #storage: Storage;

  constructor(state: { readonly storage: Storage }) {
    this.#storage = state.storage;
  }

  async fetch(request: Request): Promise<Response> {
    const asked: Ask = await request.json();
    return Response.json({ answer: await answer(asked, this.#storage, seconds()) });
  }

  /** Forgets what has expired, a page at a time. */
  async alarm(): Promise<void> {
    const now = seconds();
    for (let startAfter = KEPT; ; ) {
      const page = await this.#storage.list<Kept>({ prefix: KEPT, startAfter, limit: SWEEP_AT_ONCE });
      for (const [key, { expiresAt }] of page) {
        if (expiresAt <= now) await this.#storage.delete(key);
        startAfter = key;
      }
      if (page.size < SWEEP_AT_ONCE) break;
    }
    await this.#storage.setAlarm(Date.now() + SWEEP_EVERY);
  }
}

/** While an object waits for its own storage no other event reaches it: what is read and then written is one step. */
async function answer(asked: Ask, storage: Storage, now: number): Promise<unknown> {
  switch (asked.ask) {
    case "consume": {
      const known = await storage.get<Kept>(KEPT + asked.key);
      if (known !== undefined && known.expiresAt > now) return "again";
      await keep(storage, asked.key, { value: "", expiresAt: asked.expiresAt });
      return "first";
    }
    case "epochs":
      return Promise.all(asked.keys.map(async (key) => (await storage.get<number>(EPOCH + key)) ?? null));
    case "raiseEpoch": {
      const epoch = Math.max(now, (await storage.get<number>(EPOCH + asked.key)) ?? 0);
      await storage.put(EPOCH + asked.key, epoch);
      return epoch;
    }
    case "put":
      return keep(storage, asked.key, asked);
    case "get": {
      const known = await storage.get<Kept>(KEPT + asked.key);
      return known !== undefined && known.expiresAt > now ? known.value : null;
    }
    case "delete":
      return storage.delete(KEPT + asked.key);
  }
}

async function keep(storage: Storage, key: string, { value, expiresAt }: Kept): Promise<void> {
  await storage.put(KEPT + key, { value, expiresAt });
  if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + SWEEP_EVERY);
}

function seconds(): number {
  return Math.floor(Date.now() / 1_000);
}

/** The store of a resource server, in the one object of a binding. */
export function durableStore(objects: DurableObjects): ResourceStore {
  // The object answers what the function of that name gives.
  async function ask<T>(asked: Ask): Promise<T> {
    const object = objects.get(objects.idFromName("store"));
    const response = await object.fetch("https://store.internal/", { method: "POST", body: JSON.stringify(asked) });
    if (!response.ok) throw new Error(`The store answered with status ${response.status}`);
    return (await response.json()).answer;
  }
  return {
    consume: (key, expiresAt) => ask({ ask: "consume", key, expiresAt }),
    epochs: async (keys) => (await ask<(number | null)[]>({ ask: "epochs", keys })).map((epoch) => epoch ?? undefined),
    raiseEpoch: (key) => ask({ ask: "raiseEpoch", key }),
    put: (key, value, expiresAt) => ask({ ask: "put", key, value, expiresAt }),
    get: async (key) => (await ask<string | null>({ ask: "get", key })) ?? undefined,
    delete: (key) => ask({ ask: "delete", key }),
  };
}
