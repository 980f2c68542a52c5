import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { type Attempts, createAttempts } from "./attempts.ts";

const NOW = 1_800_000_000;

let directory: string;
let store: Store;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "credence-attempts-"));
  store = await openStore({ kind: "sqlite", path: join(directory, "credence.sqlite") });
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

/** Fails as often as it may, at one moment; says how often that was. */
async function failUntilWait(attempts: Attempts, email: string, source: string, now = NOW): Promise<number> {
  let tries = 0;
  while ((await attempts.begin(email, source, now)).wait === 0) tries += 1;
  return tries;
}

describe("guessing at passwords", () => {
  it("is free five times, many at once included, and then slower and slower", async () => {
    const attempts = createAttempts(store, "password");
    expect(await failUntilWait(attempts, "a@x", "1.1.1.1")).toBe(5);
    const waits = [];
    let now = NOW;
    for (let i = 0; i < 12; i++) {
      const { wait } = await attempts.begin("a@x", "1.1.1.1", now);
      waits.push(wait);
      now += wait;
      await attempts.begin("a@x", "1.1.1.1", now);
    }
    expect(waits.slice(0, 5)).toEqual([1, 2, 4, 8, 16]);
    expect(waits.at(-1)).toBe(900);
  });

  it("is forgotten after a quiet while, and after a right password", async () => {
    const attempts = createAttempts(store, "password");
    await failUntilWait(attempts, "a@x", "1.1.1.1");
    expect(await failUntilWait(attempts, "a@x", "1.1.1.1", NOW + 901)).toBe(5);
    const right = await attempts.begin("a@x", "1.1.1.1", NOW + 910);
    if ("succeeded" in right) await right.succeeded();
    expect(await failUntilWait(attempts, "a@x", "1.1.1.1", NOW + 911)).toBe(5);
  });

  it("at one account from everywhere makes its owner wait a minute at most", async () => {
    const attempts = createAttempts(store, "password");
    for (let i = 0; i < 1000; i++) await attempts.begin("a@x", `10.0.${i >> 8}.${i & 255}`, NOW + i * 61);
    expect((await attempts.begin("a@x", "192.0.2.1", NOW + 999 * 61)).wait).toBeLessThanOrEqual(60);
    expect((await attempts.begin("a@x", "192.0.2.1", NOW + 999 * 61)).wait).toBeGreaterThan(0);
  });

  it("at many accounts from one address makes that address wait, and no other", async () => {
    const attempts = createAttempts(store, "password");
    let tries = 0;
    while ((await attempts.begin(`${tries}@x`, "1.1.1.1", NOW)).wait === 0) tries += 1;
    expect(tries).toBe(50);
    expect((await attempts.begin("new@x", "2.2.2.2", NOW)).wait).toBe(0);
  });

  it("from many addresses of one IPv6 network counts as from one", async () => {
    const attempts = createAttempts(store, "password");
    let tries = 0;
    while (tries < 99 && (await attempts.begin(`${tries}@x`, `2001:db8:0:1::${tries.toString(16)}`, NOW)).wait === 0)
      tries += 1;
    expect(tries).toBe(50);
    expect((await attempts.begin("new@x", "2001:db8:0:1:ffff:ffff:ffff:ffff", NOW)).wait).toBeGreaterThan(0);
    expect((await attempts.begin("new@x", "2001:db8:0:2::1", NOW)).wait).toBe(0);
    expect((await attempts.begin("new@x", "::ffff:192.0.2.1", NOW)).wait).toBe(0);
  });

  it("is not forgotten for a flood of other addresses from somebody who has to wait", async () => {
    const attempts = createAttempts(store, "password");
    await failUntilWait(attempts, "a@x", "1.1.1.1");
    for (let i = 0; i < 25_000; i++) await attempts.begin(`${i}@x`, "2.2.2.2", NOW);
    expect((await attempts.begin("a@x", "1.1.1.1", NOW)).wait).toBeGreaterThan(0);
  });

  it("counts an email once, however it is written", async () => {
    const attempts = createAttempts(store, "password");
    await failUntilWait(attempts, "Alice@X", "1.1.1.1");
    expect((await attempts.begin("alice@x", "1.1.1.1", NOW)).wait).toBeGreaterThan(0);
  });
});

describe("guessing at codes", () => {
  it.each([
    ["as soon as they may", 0],
    ["after enough quiet that failures could be forgotten", 901],
  ])("of one account gets through some hundred a day at most, from wherever: %s", async (_how, quiet) => {
    const attempts = createAttempts(store, "code");
    let tries = 0;
    for (let now = NOW; now < NOW + 86_400; ) {
      const { wait } = await attempts.begin("alice", `10.${tries >> 16}.${(tries >> 8) & 255}.${tries & 255}`, now);
      if (wait === 0) tries += 1;
      else now += Math.max(wait, quiet);
    }
    expect(tries).toBeGreaterThan(90);
    expect(tries).toBeLessThan(130);
  });

  it("does not add up for an owner who mistypes now and then, and then gets it right", async () => {
    const attempts = createAttempts(store, "code");
    for (let day = 0; day < 40; day++) {
      const now = NOW + day * 80_000;
      for (let wrong = 0; wrong < 3; wrong++) expect((await attempts.begin("alice", "192.0.2.1", now)).wait).toBe(0);
      const right = await attempts.begin("alice", "192.0.2.1", now);
      expect(right.wait).toBe(0);
      if ("succeeded" in right) await right.succeeded();
    }
  });
});

describe("right passwords", () => {
  it("from one office do not slow each other down", async () => {
    const attempts = createAttempts(store, "password");
    for (let i = 0; i < 500; i++) {
      const attempt = await attempts.begin(`${i}@x`, "1.1.1.1", NOW);
      expect(attempt.wait).toBe(0);
      if ("succeeded" in attempt) await attempt.succeeded();
    }
  });
});
