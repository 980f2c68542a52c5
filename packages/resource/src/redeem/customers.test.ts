import { describe, expect, test } from "vitest";
import { oddLimit, trustFinder } from "./customers.ts";

const ISSUER = "https://idp.acme.example";

describe("the limits of a trusted issuer", () => {
  test.each<[string, unknown]>([
    ["text", "60"],
    ["no number", Number.NaN],
    ["without end", Number.POSITIVE_INFINITY],
    ["before zero", -1],
    ["nothing", null],
  ])("are refused where one is %s: it would hold for nothing", async (_, value) => {
    for (const member of ["skew", "maxLifetime"] as const) {
      const issuer = { issuer: ISSUER, [member]: value };
      expect(oddLimit(issuer as Parameters<typeof oddLimit>[0])).toBe(member);
      const find = trustFinder([{ id: "acme", issuers: [issuer as never] }]);
      await expect(find(ISSUER, undefined)).rejects.toMatchObject({
        code: "configuration",
        message: `${member} of a trusted issuer is not a number of seconds`,
      });
    }
  });

  test("may be zero, or left to the defaults", async () => {
    expect(oddLimit({ issuer: ISSUER, skew: 0, maxLifetime: 0 })).toBeUndefined();
    const find = trustFinder([{ id: "acme", issuers: [{ issuer: ISSUER }] }]);
    expect(await find(ISSUER, undefined)).toMatchObject({ customer: { id: "acme" } });
  });
});
