/** A store in Redis, or whatever speaks its protocol (Valkey), for any number of processes. */
import type { ResourceStore } from "./store.ts";
import { withinDeadline } from "./stores/deadline.ts";
import { checkKey, checkValue, storeFault, wholeSecond } from "./stores/limits.ts";

/** What sends a command: a client of `ioredis` (`call`), or of `redis` (`sendCommand`), connected by its owner. */
export type RedisClient =
  | { call(command: string, ...args: string[]): Promise<unknown> }
  | { sendCommand(args: string[]): Promise<unknown> };

/** How a store keeps itself in Redis. */
export interface RedisStoreOptions {
  /** Of its keys; `credence:` by default. */
  readonly prefix?: string;
  /** Seconds until an answer must be there, connecting again included; 2 by default. */
  readonly timeout?: number;
}

/**
 * Keeps everything in Redis 6.2 or later. The clock is the server's; what expires, it forgets by itself.
 *
 * What Redis forgets otherwise counts as never kept: let it evict nothing (`maxmemory-policy noeviction`), and write to disk
 * (`appendonly yes`; with `appendfsync always` no crash loses a mark). A failover to a replica that has not seen the last
 * writes loses those: where a mark must survive that, use PostgreSQL.
 *
 * @param client - Connected to the primary; a cluster only by a client of `ioredis`.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): ResourceStore {
  const { prefix = "credence:", timeout = 2 } = options;
  const send = (...args: [command: string, ...string[]]): Promise<unknown> =>
    withinDeadline("Redis", timeout, () =>
      "call" in client ? client.call(...args) : Promise.resolve(client.sendCommand(args)),
    );
  const markOf = (key: string): string => `${prefix}mark:${key}`;
  const entryOf = (key: string): string => `${prefix}value:${key}`;
  // One hash, so that several are one command on a cluster too.
  const epochs = `${prefix}epochs`;
  return {
    async consume(key, expiresAt) {
      checkKey(key);
      const set = await send("SET", markOf(key), "1", "NX", "PXAT", milliseconds(expiresAt));
      if (set === null) return "again";
      if (String(set) !== "OK") throw storeFault("Redis answered SET with something else than OK");
      return "first";
    },
    async epochs(keys) {
      keys.forEach(checkKey);
      if (keys.length === 0) return [];
      const known = await send("HMGET", epochs, ...keys);
      if (!Array.isArray(known) || known.length !== keys.length) throw unreadable();
      return known.map((epoch) => (epoch === null ? undefined : secondsOf(epoch)));
    },
    async raiseEpoch(key) {
      checkKey(key);
      return secondsOf(await send("EVAL", RAISE, "1", epochs, key));
    },
    async put(key, value, expiresAt) {
      checkKey(key);
      checkValue(value);
      await send("SET", entryOf(key), value, "PXAT", milliseconds(expiresAt));
    },
    async get(key) {
      checkKey(key);
      const value = await send("GET", entryOf(key));
      return value === null ? undefined : String(value);
    },
    async delete(key) {
      checkKey(key);
      await send("DEL", entryOf(key));
    },
  };
}

/** The server's clock and the comparison in one step: no command has both. */
const RAISE = `
local now = tonumber(redis.call('TIME')[1])
local epoch = math.max(now, tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0'))
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', epoch))
return string.format('%.0f', epoch)`;

function milliseconds(expiresAt: number): string {
  return String(wholeSecond(expiresAt) * 1_000);
}

/** An epoch that can not be read must not read as none: that would be "nothing revoked". */
function secondsOf(epoch: unknown): number {
  const seconds = Number(String(epoch));
  if (!Number.isSafeInteger(seconds)) throw unreadable();
  return seconds;
}

function unreadable(): Error {
  return storeFault("Redis gave an epoch that is no number");
}
