import { expect, it } from "vitest";
import { createOpenSignIns } from "./open-sign-ins.ts";

it("without a limit remembers nothing of what was begun", async () => {
  const kept: Map<unknown, unknown>[] = [];
  const real = globalThis.Map;
  globalThis.Map = class<K, V> extends real<K, V> {
    constructor() {
      super();
      kept.push(this);
    }
  } as MapConstructor;
  const open = createOpenSignIns({ artifact: async () => undefined, deleteArtifact: async () => {} }, 0);
  globalThis.Map = real;
  for (let i = 0; i < 100; i += 1) await open.begun(String(i), 1);
  expect(kept.reduce((sum, one) => sum + one.size, 0)).toBe(0);
});
