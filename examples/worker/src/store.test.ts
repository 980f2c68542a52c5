import { expect, test } from "vitest";
import { StoreObject } from "./store.ts";

/** A durable object's storage as far as the sweep knows it: keys in order, a page at a time. */
function mapStorage(kept: Map<string, unknown>) {
  const alarms: number[] = [];
  const storage = {
    async get<T>(key: string): Promise<T | undefined> {
      return kept.get(key) as T | undefined; // As the platform's: whoever reads says what was written.
    },
    async put(key: string, value: unknown) {
      kept.set(key, value);
    },
    delete: async (key: string) => kept.delete(key),
    async list<T>({ prefix, startAfter = "", limit }: { prefix: string; startAfter?: string; limit: number }) {
      const keys = [...kept.keys()].filter((key) => key.startsWith(prefix) && key > startAfter).sort();
      return new Map(keys.slice(0, limit).map((key) => [key, kept.get(key) as T]));
    },
    getAlarm: async () => alarms.at(-1) ?? null,
    setAlarm: async (milliseconds: number) => void alarms.push(milliseconds),
  };
  return { storage, alarms };
}

test("the durable object forgets what has expired, page by page, and nothing else", async () => {
  const now = Math.floor(Date.now() / 1_000);
  const kept = new Map<string, unknown>([["epoch/alice", now]]);
  for (let i = 0; i < 2_500; i++) kept.set(`kept/${i}`, { value: "", expiresAt: i % 100 === 0 ? now + 300 : now - 1 });
  const { storage, alarms } = mapStorage(kept);
  await new StoreObject({ storage }).alarm();
  expect(kept.size).toBe(26);
  expect(kept.get("epoch/alice")).toBe(now);
  expect(alarms.at(-1)).toBeGreaterThan(Date.now());
});
