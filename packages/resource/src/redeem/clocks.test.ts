import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { describe, expect, test } from "vitest";
import { expectRefused, house, NOON } from "../house.testing.ts";

/** An ID-JAG of an IdP whose clock is off by so many seconds, at a receiver that allows a difference. */
async function redeemAt(off: number, skew?: number) {
  await using home = await house(undefined, skew === undefined ? {} : { skew });
  const assertion = await home.idJag({ iat: NOON + off, exp: NOON + off + 300 });
  return await home.redeem({ assertion });
}

describe("an IdP's clock that is off", () => {
  test.each([
    ["30 seconds ahead", 30, undefined],
    ["30 seconds behind", -30, undefined],
    ["five minutes ahead, where the issuer may be", 300, 300],
    ["five minutes behind, where the issuer may be", -300, 300],
    ["behind, but by less than the ID-JAG lives", -299, undefined],
  ])("%s: accepted", async (_, off, skew) => {
    expect((await redeemAt(off, skew)).status).toBe(200);
  });

  test.each([
    ["five minutes ahead", 300, undefined, "id-jag-not-yet-valid", "iat: the clocks differ"],
    ["five and a half minutes behind", -330, undefined, "id-jag-expired", "exp: it is old, or the clocks differ"],
    ["a second more than the issuer may be", 301, 300, "id-jag-not-yet-valid", "iat: the clocks differ"],
    ["31 seconds ahead", 31, undefined, "id-jag-not-yet-valid", "iat: the clocks differ"],
    [
      "five minutes ahead, at an issuer that may not be off at all",
      300,
      0,
      "id-jag-not-yet-valid",
      "iat: the clocks differ",
    ],
  ])("%s: refused, and the record says that it is the clocks", async (_, off, skew, reason, detail) => {
    const answer = await redeemAt(off, skew);
    expectRefused(answer, 400, "invalid_grant", reason);
    expect(answer.event?.detail).toBe(detail);
    expect(answer.event?.detail).toContain("clock");
  });

  test("is told of nbf, too", async () => {
    await using home = await house();
    const answer = await home.redeem({ assertion: await home.idJag({ nbf: NOON + 300 }) });
    expectRefused(answer, 400, "invalid_grant", "id-jag-not-yet-valid");
    expect(answer.event?.detail).toBe("nbf: the clocks differ");
  });
});

test("a client's clock that is five minutes off: its proof is refused, and the record says that it is the clock", async () => {
  await using home = await house();
  const key = await generateDpopKey();
  for (const off of [300, -300]) {
    const dpop = await createDpopProof(key, { method: "POST", url: `${home.url}/token`, now: NOON + off });
    const answer = await home.redeem({}, { dpop });
    expectRefused(answer, 400, "invalid_dpop_proof", "dpop-time");
    expect(answer.event?.detail).toContain("clock");
  }
});
