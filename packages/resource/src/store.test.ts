import { describe, expect, test } from "vitest";
import { NOON } from "./house.testing.ts";
import { memoryStore } from "./store.ts";
import { storeConformance } from "./stores/conformance.testing.ts";

storeConformance(
  "memory",
  async () => {
    const time = { offset: 0 };
    const store = memoryStore({ now: () => Date.now() / 1_000 + time.offset });
    return {
      stores: [store, store],
      async plantEpoch(key, epoch) {
        // Its clock alone sets one: for a moment it shows the epoch.
        time.offset = epoch - Date.now() / 1_000 + 0.5;
        await store.raiseEpoch(key);
        time.offset = 0;
      },
      dispose: async () => undefined,
    };
  },
  { rounds: 50 },
);

describe("the store in memory, when it is full", () => {
  test("rejects rather than forget what is needed, and makes room of what has expired", async () => {
    const clock = { now: NOON };
    const store = memoryStore({ max: 2, now: () => clock.now });
    await store.put("a", "1", NOON + 10);
    await store.put("b", "1", NOON + 20);
    await store.raiseEpoch("a");
    await store.raiseEpoch("b");
    const full = { code: "temporarily_unavailable", reason: "store-unavailable" };
    await expect(store.put("c", "1", NOON + 20)).rejects.toMatchObject(full);
    await expect(store.raiseEpoch("c")).rejects.toMatchObject(full);
    await store.put("b", "2", NOON + 20);
    expect(await store.get("b")).toBe("2");
    expect(await store.raiseEpoch("a")).toBe(NOON);
    clock.now = NOON + 10;
    await store.put("c", "3", NOON + 20);
    expect(await store.get("c")).toBe("3");
    // An epoch is never forgotten.
    await expect(store.raiseEpoch("c")).rejects.toMatchObject(full);
  });
});
