import { expect, it } from "vitest";
import { BoundedMap, SingleFlight, untilAborted } from "./flight.ts";

it("whoever asks meanwhile shares the outcome, also a bad one, and the next one starts anew", async () => {
  const flights = new SingleFlight<number>();
  let runs = 0;
  const fail = async (): Promise<number> => {
    runs++;
    throw new Error("no");
  };
  const outcomes = await Promise.allSettled([flights.run("a", fail), flights.run("a", fail), flights.run("b", fail)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(runs).toBe(2);
  expect(await flights.run("a", async () => 1)).toBe(1);
});

it("a bounded map forgets what was used longest ago", () => {
  const map = new BoundedMap<number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.get("a");
  map.set("c", 3);
  expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([1, undefined, 3]);
});

it("waiting ends with one's own signal, before and meanwhile", async () => {
  const never = new Promise<never>(() => {});
  const controller = new AbortController();
  const waiting = untilAborted(never, controller.signal);
  controller.abort("enough");
  await expect(waiting).rejects.toBe("enough");
  await expect(untilAborted(never, controller.signal)).rejects.toBe("enough");
  await expect(untilAborted(Promise.resolve(1), undefined)).resolves.toBe(1);
});
