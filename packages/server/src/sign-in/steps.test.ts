import { describe, expect, it } from "vitest";
import { type AuthenticationMethod, acrOf, acrSatisfies } from "../directory/acr.ts";
import { type Means, type NextStep, nextStep } from "./steps.ts";

const NOTHING: Means = { totp: false, passkey: false, deviceBoundPasskey: false };
const APP: Means = { ...NOTHING, totp: true };
const PASSKEY: Means = { ...NOTHING, passkey: true };
const KEY: Means = { ...NOTHING, deviceBoundPasskey: true };
const BOTH: Means = { ...APP, passkey: true };
const MFA = ["urn:credence:acr:mfa"];

describe("what comes next in a sign-in", () => {
  it.each<[string, readonly AuthenticationMethod[], Means, readonly string[] | undefined, NextStep]>([
    ["nothing shown yet", [], BOTH, undefined, "first"],
    ["a code alone", ["totp"], APP, undefined, "first"],
    ["a password is all there is", ["password"], NOTHING, undefined, "done"],
    ["a password, and an app is set up", ["password"], APP, undefined, "code"],
    ["a password, and a passkey that nobody asked for", ["password"], PASSKEY, undefined, "done"],
    ["a password and its code", ["password", "totp"], APP, undefined, "done"],
    ["a passkey", ["passkey"], BOTH, undefined, "done"],
    ["a passkey, where two factors are wanted", ["passkey"], BOTH, MFA, "done"],
    ["a password, where two factors are wanted and there is an app", ["password"], APP, MFA, "code"],
    ["a password, where two factors are wanted and there is a passkey", ["password"], PASSKEY, MFA, "passkey"],
    ["a password, where two factors are wanted and there is nothing", ["password"], NOTHING, MFA, "impossible"],
    ["a password, where only a passkey is enough: the code is left out", ["password"], BOTH, ["phr"], "passkey"],
    ["a password and code, where only a passkey is enough", ["password", "totp"], BOTH, ["phr"], "passkey"],
    [
      "a password and code, where only a passkey is enough and there is none",
      ["password", "totp"],
      APP,
      ["phr"],
      "impossible",
    ],
    ["a password, where only a passkey is enough and there is but an app", ["password"], APP, ["phr"], "impossible"],
    ["a passkey that is backed up, where it may not be", ["passkey"], PASSKEY, ["phrh"], "impossible"],
    [
      "a passkey that is backed up, where another may not be",
      ["passkey"],
      { ...PASSKEY, ...KEY, passkey: true },
      ["phrh"],
      "passkey",
    ],
    ["a password, where it must not be backed up and one is not", ["password"], KEY, ["phrh"], "passkey"],
    ["any of several is wanted", ["password"], NOTHING, ["phrh", "urn:credence:acr:password"], "done"],
    ["what nobody knows is wanted", ["passkey"], BOTH, ["gold"], "impossible"],
  ])("%s", (_, done, has, wanted, next) => {
    expect(nextStep(done, has, wanted)).toBe(next);
  });

  it("is never done with less than what is wanted, whatever somebody has", () => {
    const all = ["password", "totp", "passkey", "device-bound-passkey"] as const;
    const wishes = [undefined, ["urn:credence:acr:password"], MFA, ["phr"], ["phrh"], ["gold"], []];
    for (let done = 0; done < 16; done++) {
      for (let has = 0; has < 8; has++) {
        for (const wanted of wishes) {
          const methods = all.filter((_, i) => done & (1 << i));
          const means = { totp: !!(has & 1), passkey: !!(has & 2), deviceBoundPasskey: !!(has & 4) };
          if (nextStep(methods, means, wanted) !== "done") continue;
          const acr = acrOf(methods);
          expect(acr).toBeDefined();
          if (wanted !== undefined) expect(acrSatisfies(acr, wanted)).toBe(true);
          const passwordAlone = methods.length === 1 && methods[0] === "password";
          expect(passwordAlone && means.totp).toBe(false);
        }
      }
    }
  });
});
