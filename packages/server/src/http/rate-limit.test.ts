import { describe, expect, it } from "vitest";
import { networkOf } from "../sign-in/source.ts";
import { createFloodGuard, DEFAULT_LIMITS } from "./limits.ts";
import { createRateLimit } from "./rate-limit.ts";

describe("a limit of so many a minute", () => {
  it("lets all of a minute through at once, and then one as each is due", () => {
    const limit = createRateLimit(60);
    const waits = Array.from({ length: 61 }, () => limit.take("a", 1_000));
    expect(waits).toEqual([...Array(60).fill(0), 1]);
    expect([limit.take("a", 2_000), limit.take("a", 2_000)]).toEqual([0, 1]);
  });

  it.each([1, 7, 60, 1_200, 300_000])(
    "of %d says truly after how many whole seconds one is let through",
    (perMinute) => {
      const limit = createRateLimit(perMinute);
      let [passed, now] = [0, 5_000];
      while (limit.take("a", now) === 0) passed += 1;
      expect(passed).toBe(perMinute);
      for (let round = 0; round < 20; round += 1) {
        const wait = limit.take("a", now);
        expect(Number.isInteger(wait) && wait >= 1).toBe(true);
        // Not a second too long either.
        if (wait > 1) expect(limit.take("a", now + (wait - 1) * 1_000 - 1)).toBeGreaterThan(0);
        now += wait * 1_000;
        expect(limit.take("a", now)).toBe(0);
        while (limit.take("a", now) === 0);
      }
    },
  );

  it("charges nothing to who is turned away: a flood does not make the wait longer", () => {
    const limit = createRateLimit(1);
    limit.take("a", 0);
    for (let i = 0; i < 1_000; i += 1) expect(limit.take("a", 30_000)).toBe(30);
  });

  it("keeps keys apart", () => {
    const limit = createRateLimit(1);
    expect([limit.take("a", 0), limit.take("b", 0), limit.take("a", 0)]).toEqual([0, 0, 60]);
  });

  it("takes back what was not meant, and never makes more of it than there is", () => {
    const limit = createRateLimit(2);
    limit.take("a", 0);
    limit.take("a", 0);
    limit.giveBack("a", 0);
    expect(limit.take("a", 0)).toBe(0);
    for (let i = 0; i < 10; i += 1) limit.giveBack("b", 0);
    expect([limit.take("b", 0), limit.take("b", 0), limit.take("b", 0)]).toEqual([0, 0, 30]);
  });

  it("remembers two generations of keys at the most, whatever comes", () => {
    const limit = createRateLimit(1, 1_000);
    for (let i = 0; i < 1_000_000; i += 1) limit.take(`key ${i}`, 0);
    expect(limit.size()).toBeLessThanOrEqual(2_000);
    // Who came a moment ago is not forgotten.
    expect(limit.take("key 999999", 0)).toBe(60);
  });
});

describe("the guard against floods", () => {
  const guardOf = (limits: Partial<typeof DEFAULT_LIMITS>) =>
    createFloodGuard({ ...DEFAULT_LIMITS, ...limits }, () => 0);

  it("lets an address have back what a client that has proven itself took", () => {
    const guard = guardOf({ failedRequests: 3 });
    for (let i = 0; i < 100; i += 1) {
      expect(guard.admit("client", "192.0.2.1")).toBe(0);
      expect(guard.proven("192.0.2.1", "assistant")).toBe(0);
    }
    const strangers = Array.from({ length: 4 }, () => guard.admit("client", "192.0.2.1"));
    expect(strangers).toEqual([0, 0, 0, 20]);
  });

  it("counts a client wherever it comes from, and no other client for it", () => {
    const guard = guardOf({ clientRequests: 2 });
    expect([guard.proven("192.0.2.1", "a"), guard.proven("192.0.2.2", "a")]).toEqual([0, 0]);
    expect(guard.proven("192.0.2.3", "a")).toBe(30);
    expect(guard.proven("192.0.2.3", "b")).toBe(0);
  });

  it("counts the addresses of one /64 as one, and those of IPv4 each by itself", () => {
    const guard = guardOf({ signIns: 1 });
    expect(guard.admit("sign-in", "2001:db8:1:2::1")).toBe(0);
    expect(guard.admit("sign-in", "2001:db8:1:2:ffff::9")).toBe(60);
    expect(guard.admit("sign-in", "2001:db8:1:3::1")).toBe(0);
    expect([guard.admit("sign-in", "192.0.2.1"), guard.admit("sign-in", "192.0.2.2")]).toEqual([0, 0]);
  });

  it("keeps what is counted apart: who begins too many sign-ins can still finish one", () => {
    const guard = guardOf({ signIns: 1, forms: 1, failedRequests: 1 });
    for (const counted of ["sign-in", "form", "client"] as const) {
      expect([guard.admit(counted, "192.0.2.1"), guard.admit(counted, "192.0.2.1")]).toEqual([0, 60]);
    }
  });

  it("knows no limit where it is 0", () => {
    const guard = guardOf({ clientRequests: 0, failedRequests: 0, signIns: 0, forms: 0 });
    for (let i = 0; i < 10_000; i += 1) {
      expect(guard.admit("client", "192.0.2.1") + guard.admit("form", "192.0.2.1") + guard.proven("", "a")).toBe(0);
    }
  });
});

describe("the network of an address", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["2001:DB8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::1", "2001:db8:1:2"],
    ["2001:db8:1::1", "2001:db8:1:0"],
    ["2001:db8::2:3:4:5:6", "2001:db8:0:2"],
    ["2001:db8::", "2001:db8:0:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["::1", "0:0:0:0"],
    ["::", "0:0:0:0"],
    ["", ""],
  ])("%s is of %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
