import { CredenceError } from "@credence/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResourceStore } from "../store.ts";
import { STORE_LIMITS } from "./limits.ts";

/** A store in one place, as the suite needs it. */
export interface Backend {
  /** Two connections of their own to the same data; the same store twice where it lives in one process only. */
  readonly stores: readonly [ResourceStore, ResourceStore];
  /** Puts an epoch there by other means than the store's. */
  plantEpoch(key: string, epoch: number): Promise<void>;
  /** Where the store sweeps: removes a bounded number of what has expired, and tells how many rows are kept. */
  readonly table?: { sweep(): Promise<number>; rows(): Promise<number> };
  dispose(): Promise<void>;
}

/** How much is asked of it: fewer rounds where each takes long. */
export interface ConformanceOptions {
  readonly rounds: number;
  /** Whether it keeps what has expired until it sweeps. */
  readonly sweeps?: boolean;
  /** Why it can not be run on this machine. */
  readonly missing?: string | undefined;
}

let keys = 0;
/** A key that nobody used before. */
const fresh = (): string => `k:${process.pid}-${keys++}`;
const times = <T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => one(index)));

/** What every store must hold, by the promises of {@link ResourceStore}. */
export function storeConformance(name: string, create: () => Promise<Backend>, options: ConformanceOptions): void {
  const title =
    options.missing === undefined ? `the store in ${name}` : `the store in ${name} (skipped: ${options.missing})`;
  describe.skipIf(options.missing !== undefined)(title, () => {
    let backend: Backend;
    let store: ResourceStore;
    let other: ResourceStore;
    /** The store's own clock, in seconds. */
    const clock = (): Promise<number> => store.raiseEpoch("clock");
    beforeAll(async () => {
      backend = await create();
      [store, other] = backend.stores;
    });
    afterAll(() => backend?.dispose());

    describe("a mark", () => {
      test(`of 100 simultaneous uses over two connections, exactly one is first; ${options.rounds} rounds`, async () => {
        const until = (await clock()) + 300;
        for (let round = 0; round < options.rounds; round++) {
          const key = fresh();
          const uses = await times(100, (index) => (index % 2 ? store : other).consume(key, until));
          expect(uses.filter((use) => use === "first")).toHaveLength(1);
          expect(uses.filter((use) => use === "again")).toHaveLength(99);
        }
      }, 60_000);

      test("of 100 simultaneous uses of an expired one, exactly one is first", async () => {
        const now = await clock();
        const key = fresh();
        expect(await store.consume(key, now - 10)).toBe("first");
        const uses = await times(100, (index) => (index % 2 ? store : other).consume(key, now + 300));
        expect(uses.filter((use) => use === "first")).toHaveLength(1);
      });

      test("that has expired counts as unused, one that has not does not", async () => {
        const now = await clock();
        const key = fresh();
        expect(await store.consume(key, now)).toBe("first");
        expect(await other.consume(key, now - 1)).toBe("first");
        expect(await store.consume(key, now + 100)).toBe("first");
        expect(await other.consume(key, now + 100)).toBe("again");
        expect(await store.consume(key, now - 1)).toBe("again");
      });

      test("is not moved by a use that comes again", async () => {
        const key = fresh();
        const soon = (await clock()) + 2;
        expect(await store.consume(key, soon)).toBe("first");
        expect(await store.consume(key, soon + 1_000)).toBe("again");
        await expect.poll(() => store.consume(key, soon + 1_000), { timeout: 10_000 }).toBe("first");
      });

      test("keeps its keys apart, and from values and epochs", async () => {
        const key = fresh();
        const until = (await clock()) + 300;
        await store.put(key, "v", until);
        await store.raiseEpoch(key);
        expect(await store.consume(key, until)).toBe("first");
        expect(await store.consume(`${key}x`, until)).toBe("first");
        expect(await store.consume(key.toUpperCase(), until)).toBe("first");
        expect(await store.get(key)).toBe("v");
        await store.delete(key);
        expect(await store.consume(key, until)).toBe("again");
      });
    });

    describe("an epoch", () => {
      test("is the second of its raising, by the store's clock, and seen by every connection at once", async () => {
        const key = fresh();
        const before = await clock();
        const epoch = await store.raiseEpoch(key);
        expect(epoch).toBeGreaterThanOrEqual(before);
        expect(epoch).toBeLessThanOrEqual(await clock());
        expect(Number.isInteger(epoch)).toBe(true);
        expect(await other.epochs([key])).toEqual([epoch]);
      });

      test("comes in the order of the keys, with nothing for a key that has none", async () => {
        const [a, b, none] = [fresh(), fresh(), fresh()];
        const later = (await clock()) + 1_000;
        await backend.plantEpoch(a, later);
        await backend.plantEpoch(b, later + 1);
        expect(await store.epochs([b, none, a, b])).toEqual([later + 1, undefined, later, later + 1]);
        expect(await store.epochs([])).toEqual([]);
      });

      test("is never lowered", async () => {
        const key = fresh();
        const later = (await clock()) + 1_000;
        await backend.plantEpoch(key, later);
        expect(await store.raiseEpoch(key)).toBe(later);
        expect(await other.epochs([key])).toEqual([later]);
      });

      test("is raised from long ago to now", async () => {
        const key = fresh();
        await backend.plantEpoch(key, 1);
        const epoch = await store.raiseEpoch(key);
        expect(epoch).toBeGreaterThan(1_000_000_000);
        expect(await other.epochs([key])).toEqual([epoch]);
      });

      test("that a hundred raise at once is the latest of theirs", async () => {
        const key = fresh();
        const raised = await times(100, (index) => (index % 2 ? store : other).raiseEpoch(key));
        expect(await store.epochs([key])).toEqual([Math.max(...raised)]);
      });
    });

    describe("a value", () => {
      test("is kept as it was put, and replaced, and deleted, for every connection", async () => {
        const key = fresh();
        const until = (await clock()) + 300;
        const text = `{"a":"ü \\u0001 ' \\" 漢字 😀"}\n`;
        expect(await store.get(key)).toBeUndefined();
        await store.put(key, text, until);
        expect(await other.get(key)).toBe(text);
        await other.put(key, "", until);
        expect(await store.get(key)).toBe("");
        await other.delete(key);
        expect(await store.get(key)).toBeUndefined();
        await store.delete(key);
      });

      test("is gone when it expires", async () => {
        const [past, soon] = [fresh(), fresh()];
        const now = await clock();
        await store.put(past, "v", now);
        expect(await other.get(past)).toBeUndefined();
        await store.put(soon, "v", now + 2);
        expect(await other.get(soon)).toBe("v");
        await expect.poll(() => other.get(soon), { timeout: 10_000 }).toBeUndefined();
        await store.put(soon, "again", now + 300);
        expect(await other.get(soon)).toBe("again");
      });

      test("may be as long as the limit", async () => {
        const key = "k".repeat(STORE_LIMITS.key);
        const value = "ü".repeat(STORE_LIMITS.value);
        await store.put(key, value, (await clock()) + 300);
        expect(await store.get(key)).toBe(value);
      });
    });

    describe("what is out of bounds is refused, and nothing is kept of it", () => {
      test.each<[string, (store: ResourceStore) => Promise<unknown>]>([
        ["no key", (one) => one.consume("", 1)],
        ["a key that is too long", (one) => one.consume("k".repeat(STORE_LIMITS.key + 1), 1)],
        ["a key with a space", (one) => one.raiseEpoch("a b")],
        ["a key with a NUL", (one) => one.get("a\0")],
        ["a key with a quote, among others", (one) => one.epochs(["a", "b'"])],
        ["a key of other letters", (one) => one.delete("ü")],
        ["a value that is too long", (one) => one.put("k", "v".repeat(STORE_LIMITS.value + 1), 1)],
        ["a mark that expires at no time", (one) => one.consume("k", Number.NaN)],
        ["a value that never expires", (one) => one.put("k", "v", Number.POSITIVE_INFINITY)],
      ])("%s", async (_, ask) => {
        const refused = await ask(store).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(refused).toBeInstanceOf(CredenceError);
        expect(refused).toMatchObject({ code: "configuration" });
      });

      test("a mark that expires in a million years is kept", async () => {
        const key = fresh();
        expect(await store.consume(key, 1e300)).toBe("first");
        expect(await other.consume(key, 1e300)).toBe("again");
      });
    });

    // Where there is no sweep, the database forgets by itself: the expiry of marks and values above shows it.
    if (options.sweeps) {
      test("a sweep removes what has expired, in bounded steps, and nothing else", async () => {
        const { sweep, rows } = backend.table ?? {};
        if (sweep === undefined || rows === undefined) throw new Error("The backend has no table to look at");
        const now = await clock();
        const [mark, value] = [fresh(), fresh()];
        await store.consume(mark, now + 300);
        await store.put(value, "v", now + 300);
        while ((await sweep()) > 0);
        const kept = await rows();
        for (let done = 0; done < 1_250; done += 50) await times(50, () => store.put(fresh(), "v", now - 1));
        // Those that were written swept what had expired, 1,000 rows at the most each time.
        expect(await rows()).toBeLessThanOrEqual(kept + 200);
        while ((await sweep()) > 0);
        expect(await rows()).toBe(kept);
        expect(await store.consume(mark, now + 300)).toBe("again");
        expect(await store.get(value)).toBe("v");
      });
    }
  });
}
