import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RedisClient, redisStore } from "./redis.ts";
import { storeConformance } from "./stores/conformance.testing.ts";
import { missingRedis, REDIS_URL } from "./stores/services.testing.ts";

const missing = await missingRedis();

let made = 0;
const freshPrefix = (): string => `credence-test-${process.pid}-${made++}:`;

/** Removes every key of a test. */
async function forget(client: Redis, prefix: string): Promise<void> {
  const keys = await client.keys(`${prefix}*`);
  if (keys.length > 0) await client.del(...keys);
}

const CLIENTS: readonly [string, () => Promise<{ client: RedisClient; close(): unknown }>][] = [
  [
    "ioredis",
    async () => {
      const client = new Redis(REDIS_URL);
      return { client, close: () => client.disconnect() };
    },
  ],
  [
    "redis",
    async () => {
      const client = createClient({ url: REDIS_URL });
      await client.connect();
      return { client, close: () => client.close() };
    },
  ],
  [
    "redis, in the protocol's third version",
    async () => {
      const client = createClient({ url: REDIS_URL, RESP: 3 });
      await client.connect();
      return { client, close: () => client.close() };
    },
  ],
];

for (const [name, connect] of CLIENTS) {
  storeConformance(
    `Redis, by ${name}`,
    async () => {
      const prefix = freshPrefix();
      const [one, two] = [await connect(), await connect()];
      const beside = new Redis(REDIS_URL);
      return {
        stores: [redisStore(one.client, { prefix }), redisStore(two.client, { prefix })],
        plantEpoch: async (key, epoch) => void (await beside.hset(`${prefix}epochs`, key, String(epoch))),
        async dispose() {
          await forget(beside, prefix);
          await Promise.all([one.close(), two.close()]);
          beside.disconnect();
        },
      };
    },
    { rounds: 20, missing },
  );
}

describe.skipIf(missing !== undefined)(`a Redis${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const prefix = freshPrefix();
  let beside: Redis;
  beforeAll(() => {
    beside = new Redis(REDIS_URL);
  });
  afterAll(async () => {
    await forget(beside, prefix);
    beside.disconnect();
  });

  test("forgets marks and values by itself, and epochs never", async () => {
    const store = redisStore(beside, { prefix });
    const until = Math.ceil(Date.now() / 1_000) + 300;
    await store.consume("a", until);
    await store.put("a", "v", until);
    await store.raiseEpoch("a");
    expect(await beside.call("PEXPIRETIME", `${prefix}mark:a`)).toBe(until * 1_000);
    expect(await beside.call("PEXPIRETIME", `${prefix}value:a`)).toBe(until * 1_000);
    expect(await beside.ttl(`${prefix}epochs`)).toBe(-1);
  });

  test("goes by its own clock", async () => {
    const [before] = await beside.time();
    const epoch = await redisStore(beside, { prefix }).raiseEpoch("clock");
    const [after] = await beside.time();
    expect(epoch).toBeGreaterThanOrEqual(Number(before));
    expect(epoch).toBeLessThanOrEqual(Number(after));
  });

  test.each<[string, string, string]>([
    ["that is no number", "yesterday", "a"],
    ["that is no whole number", "1.5", "b"],
  ])("that holds an epoch %s rejects: it may not read as none", async (_, epoch, key) => {
    await beside.hset(`${prefix}epochs`, key, epoch);
    const rejected = expect.objectContaining({ reason: "store-unavailable" });
    await expect(redisStore(beside, { prefix }).epochs([key])).rejects.toEqual(rejected);
  });

  test("whose keys are of another kind rejects", async () => {
    await beside.set(`${prefix}other:epochs`, "text");
    const store = redisStore(beside, { prefix: `${prefix}other:` });
    await expect(store.raiseEpoch("a")).rejects.toMatchObject({ reason: "store-unavailable" });
    await expect(store.epochs(["a"])).rejects.toMatchObject({ reason: "store-unavailable" });
  });
});

describe("a Redis that is not there", () => {
  const unavailable = { code: "temporarily_unavailable", reason: "store-unavailable" };

  test.each<[string, () => { client: RedisClient; close(): unknown }]>([
    [
      "ioredis, which queues what it is given while it connects again",
      () => {
        const client = new Redis("redis://127.0.0.1:1", { maxRetriesPerRequest: null });
        client.on("error", () => undefined);
        return { client, close: () => client.disconnect() };
      },
    ],
    [
      "redis, which does too",
      () => {
        const client = createClient({ url: "redis://127.0.0.1:1" });
        client.on("error", () => undefined);
        client.connect().catch(() => undefined);
        return { client, close: () => client.destroy() };
      },
    ],
    [
      "redis that nobody has connected",
      () => ({ client: createClient({ url: "redis://127.0.0.1:1" }), close: () => undefined }),
    ],
  ])("%s: the store rejects within its time", async (_, connect) => {
    const { client, close } = connect();
    const store = redisStore(client, { timeout: 0.2 });
    await expect(store.consume("a", 9e9)).rejects.toMatchObject(unavailable);
    await expect(store.epochs(["a"])).rejects.toMatchObject(unavailable);
    await expect(store.raiseEpoch("a")).rejects.toMatchObject(unavailable);
    await expect(store.get("a")).rejects.toMatchObject(unavailable);
    await close();
  });

  test("or answers something else than Redis would: never the first use", async () => {
    for (const answer of [undefined, "QUEUED", 0, []]) {
      const store = redisStore({ sendCommand: async () => answer });
      await expect(store.consume("a", 9e9)).rejects.toMatchObject(unavailable);
      await expect(store.epochs(["a"])).rejects.toMatchObject(unavailable);
    }
  });
});
