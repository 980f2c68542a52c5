import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { webCrypto } from "../crypto.ts";
import { expectRefused, house, NOON } from "../house.testing.ts";
import { nodeCrypto } from "../node/crypto.ts";
import { memoryReplayStore, storeKeys } from "../replay.ts";
import { memoryStore } from "../store.ts";

const statuses = (answers: readonly { readonly status: number }[]) => ({
  granted: answers.filter(({ status }) => status === 200).length,
  refused: answers.filter(({ status }) => status === 400).length,
});

describe("single use", () => {
  test("the same ID-JAG redeemed 100 times at once: exactly one succeeds", async () => {
    await using home = await house(undefined, { replay: "single-use" });
    const assertion = await home.idJag();
    const answers = await Promise.all(Array.from({ length: 100 }, () => home.redeem({ assertion })));
    expect(statuses(answers)).toEqual({ granted: 1, refused: 99 });
    const reasons = home.events.map(({ outcome, reason }) => reason ?? outcome).sort();
    expect(reasons).toEqual(["granted", ...Array<string>(99).fill("id-jag-replayed")]);
  });

  test("50 rounds of 50 at once: exactly one each", async () => {
    await using home = await house();
    for (let round = 0; round < 50; round++) {
      const assertion = await home.idJag();
      const answers = await Promise.all(Array.from({ length: 50 }, () => home.redeem({ assertion })));
      expect(statuses(answers)).toEqual({ granted: 1, refused: 49 });
    }
  }, 60_000);

  test("holds to the last second in which the ID-JAG counts, skew included", async () => {
    await using home = await house();
    const assertion = await home.idJag({ exp: NOON + 60 });
    expect((await home.redeem({ assertion })).status).toBe(200);
    home.clock.now = NOON + 89;
    expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "id-jag-replayed");
    home.clock.now = NOON + 90;
    expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "id-jag-expired");
  });

  test("holds while the store's clock is a minute ahead of the server's", async () => {
    const store = { ahead: 59, now: () => NOON };
    await using home = await house(() => ({ store: memoryStore({ now: () => store.now() + store.ahead }) }));
    store.now = () => home.clock.now;
    const assertion = await home.idJag({ exp: NOON + 60 });
    expect((await home.redeem({ assertion })).status).toBe(200);
    home.clock.now = NOON + 89;
    expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "id-jag-replayed");
  });

  test("is per issuer: the same jti from another IdP is another ID-JAG", async () => {
    await using second = await house();
    await using home = await house((_, idp) => ({
      customers: [
        { id: "acme", issuers: [{ issuer: idp.issuer }] },
        { id: "globex", issuers: [{ issuer: second.idp.issuer }] },
      ],
      resolveSubject: () => ({ id: "somebody" }),
    }));
    const ours = await home.idJag({ jti: "1" });
    const theirs = await home.idJag({ jti: "1", iss: second.idp.issuer }, second.idp.key.signer);
    expect((await home.redeem({ assertion: ours })).status).toBe(200);
    expect((await home.redeem({ assertion: theirs })).status).toBe(200);
  });

  test("a refused redemption does not burn the ID-JAG", async () => {
    const app = { alive: false, account: false, policy: false };
    await using home = await house(() => ({
      isAlive: () => app.alive,
      resolveSubject: () => (app.account ? { id: "alice" } : undefined),
      narrow: ({ scope }) => (app.policy ? scope : []),
    }));
    const assertion = await home.idJag();
    const reason = async (form: Record<string, string> = {}) =>
      (await home.redeem({ assertion, ...form })).event?.reason ?? "granted";
    expect(await reason()).toBe("id-jag-revoked");
    app.alive = true;
    expect(await reason({ scope: "ledger.write" })).toBe("scope-beyond-grant");
    expect(await reason()).toBe("subject-unresolved");
    app.account = true;
    expect(await reason()).toBe("nothing-granted");
    app.policy = true;
    expect(await reason()).toBe("granted");
    expect(await reason()).toBe("id-jag-replayed");
  });
});

test("re-submission until it expires, where the issuer is set so: each time a token of its own", async () => {
  await using home = await house(undefined, { replay: "resubmit" });
  const assertion = await home.idJag();
  const answers = [await home.redeem({ assertion }), await home.redeem({ assertion })];
  expect(statuses(answers)).toEqual({ granted: 2, refused: 0 });
  expect(answers[0]?.event?.accessToken).not.toBe(answers[1]?.event?.accessToken);
  home.clock.now = NOON + 330;
  expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "id-jag-expired");
});

describe("when something fails, nothing is issued", () => {
  const down = async (): Promise<never> => {
    throw new Error("connection lost: password=hunter2");
  };
  const nobody = () => undefined;
  test.each([
    ["the store", { store: { ...memoryStore(), consume: down } }, "store-unavailable", "store.consume"],
    ["the account look-up", { resolveSubject: down }, "internal-fault", "resolveSubject"],
    ["the link to an account", { resolveSubject: nobody, linkSubject: down }, "internal-fault", "linkSubject"],
    ["the making of an account", { resolveSubject: nobody, provision: down }, "internal-fault", "provision"],
    ["local policy", { narrow: down }, "internal-fault", "narrow"],
    ["liveness", { isAlive: down }, "internal-fault", "isAlive"],
    ["the client look-up", { clients: down }, "internal-fault", "clients"],
    ["the customer look-up", { customers: down }, "internal-fault", "customers"],
    ["the signer", { accessToken: { issue: down, check: down } }, "signer-unavailable", "accessToken.issue"],
  ])("%s: 503, and the record says which it was, with the cause", async (_, options, reason, name) => {
    await using home = await house(() => ({ provision: () => ({ id: "made" }), ...options }), { jit: true });
    const answer = await home.redeem({ assertion: await home.idJag({ email: "alice@acme.example" }) });
    expect(answer.event?.detail).toBe(`${name} failed`);
    expectRefused(answer, 503, "temporarily_unavailable", reason);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(JSON.stringify(answer.body)).not.toContain("hunter2");
    expect(answer.event?.cause).toBeInstanceOf(Error);
  });

  test("the record: 503 and no token, for a grant", async () => {
    await using home = await house(() => ({ record: down }));
    const answer = await home.redeem();
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 503,
      error: "temporarily_unavailable",
    });
    expect(answer.body).not.toHaveProperty("access_token");
  });

  test("a grant that was revoked, by anything but a clear yes", async () => {
    // A JavaScript caller may answer anything; only `true` is a yes.
    await using home = await house(() => ({ isAlive: () => "no" as unknown as boolean }));
    expectRefused(await home.redeem(), 400, "invalid_grant", "id-jag-revoked");
  });
});

describe("the store in memory", () => {
  test.each(["", "id-jag:a b", "x".repeat(201)])("takes no key that another store would not: %j", async (key) => {
    const store = memoryReplayStore({ now: () => NOON });
    await expect(store.consume(key, NOON + 10)).rejects.toMatchObject({ code: "configuration" });
  });

  test("marks once, forgets what has expired, and refuses rather than forget what has not", async () => {
    const clock = { now: NOON };
    const store = memoryReplayStore({ max: 2, now: () => clock.now });
    expect(await store.consume("a", NOON + 10)).toBe("first");
    expect(await store.consume("a", NOON + 10)).toBe("again");
    expect(await store.consume("b", NOON + 20)).toBe("first");
    await expect(store.consume("c", NOON + 20)).rejects.toThrow("full");
    expect(await store.consume("a", NOON + 10)).toBe("again");
    clock.now = NOON + 10;
    expect(await store.consume("c", NOON + 20)).toBe("first");
    expect(await store.consume("b", NOON + 20)).toBe("again");
    expect(await store.consume("b", NOON + 20)).toBe("again");
  });
});

describe("a store's key", () => {
  const parts = ["https://idp.example", undefined, "jti 1"] as const;
  const hash = createHash("sha256").update('["https://idp.example",null,"jti 1"]').digest("base64url");

  test.each([
    ["WebCrypto", webCrypto],
    ["node:crypto", nodeCrypto],
  ])("says what kind it is of, and nothing of its parts, by %s", async (_, crypto) => {
    expect(await storeKeys(crypto)("id-jag", ...parts)).toBe(`id-jag:${hash}`);
  });

  test("is there at once where hashes are, so that nobody waits for it", () => {
    expect(storeKeys(nodeCrypto)("dpop", ...parts)).toBe(`dpop:${hash}`);
  });

  test("of one text is not that of its pieces", async () => {
    const key = storeKeys(webCrypto);
    expect(await key("id-jag", "ab")).not.toBe(await key("id-jag", "a", "b"));
    expect(await key("id-jag", "a", undefined)).not.toBe(await key("id-jag", "a"));
  });
});

describe("marks in memory", () => {
  test("are not gone through, however many come while the store is full of what is needed", async () => {
    const clock = { now: NOON };
    const store = memoryReplayStore({ max: 1_000, now: () => clock.now });
    for (let i = 0; i < 1_000; i += 1) await store.consume(`mark-${i}`, NOON + 10 + (i % 10));
    const walks = [vi.spyOn(Map.prototype, "keys"), vi.spyOn(Map.prototype, Symbol.iterator)];
    try {
      for (let i = 0; i < 1_000; i += 1) {
        clock.now = NOON + i / 111;
        await expect(store.consume(`more-${i}`, NOON + 60)).rejects.toMatchObject({ reason: "store-unavailable" });
      }
      expect(walks.reduce((calls, { mock }) => calls + mock.calls.length, 0)).toBeLessThan(5);
    } finally {
      for (const walk of walks) walk.mockRestore();
    }
    clock.now = NOON + 10;
    const room = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => store.consume(`new-${i}`, NOON + 60)));
    expect(room.filter(({ status }) => status === "fulfilled")).toHaveLength(100);
  });

  test("are as a list that is gone through each time would have them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -2, max: 12 }), fc.nat({ max: 6 }))),
        async (uses) => {
          const clock = { now: NOON };
          const store = memoryReplayStore({ max: 4, now: () => clock.now });
          let list = new Map<string, number>();
          for (const [key, lifetime, passed] of uses) {
            clock.now += passed / 2;
            const until = Math.ceil(clock.now + lifetime);
            list = new Map([...list].filter(([, end]) => end > clock.now));
            const known = list.has(`k${key}`);
            const expected = known ? "again" : list.size < 4 ? "first" : "full";
            const outcome = await store.consume(`k${key}`, clock.now + lifetime).catch(() => "full");
            expect(outcome).toBe(expected);
            if (outcome === "first" && until > clock.now) list.set(`k${key}`, until);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
