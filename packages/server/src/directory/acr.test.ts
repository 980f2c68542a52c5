import { describe, expect, it } from "vitest";
import { ACR_VALUES, acrOf, acrSatisfies, amrOf, methodsOf } from "./acr.ts";

describe("a sign-in", () => {
  it.each<[string, Parameters<typeof acrOf>[0], string | undefined, string[]]>([
    ["by password", ["password"], "urn:credence:acr:password", ["pwd"]],
    ["by password and code", ["password", "totp"], "urn:credence:acr:mfa", ["pwd", "otp", "mfa"]],
    ["by passkey", ["passkey"], "phr", ["swk", "user", "mfa"]],
    ["by a passkey of one device", ["device-bound-passkey"], "phrh", ["hwk", "user", "mfa"]],
    ["by password and passkey", ["password", "passkey"], "phr", ["pwd", "swk", "user", "mfa"]],
    ["by a code alone", ["totp"], undefined, ["otp"]],
    ["by nothing", [], undefined, []],
  ])("%s has its acr and amr", (_, methods, acr, amr) => {
    expect([acrOf(methods), amrOf(methods)]).toEqual([acr, amr]);
    expect(methodsOf(amrOf(methods))).toEqual(methods);
  });

  it("satisfies what is as strong or weaker, and nothing stronger", () => {
    for (const [i, have] of ACR_VALUES.entries()) {
      for (const [j, wanted] of ACR_VALUES.entries()) expect(acrSatisfies(have, [wanted])).toBe(i >= j);
    }
  });

  it("satisfies any of several", () => {
    expect(acrSatisfies("phr", ["phrh", "urn:credence:acr:password"])).toBe(true);
  });

  it.each([
    ["a missing acr", undefined, ["urn:credence:acr:password"]],
    ["an unknown acr", "gold", ["urn:credence:acr:password"]],
    ["an unknown wish", "phrh", ["gold"]],
    ["the same unknown value on both sides", "gold", ["gold"]],
    ["no wish at all", "phrh", []],
  ])("%s never passes", (_, have, wanted) => {
    expect(acrSatisfies(have, wanted)).toBe(false);
  });
});
