import { describe, expect, it } from "vitest";
import { hashPassword } from "../sign-in/password.ts";
import { parsePasswordHash } from "./password-hash.ts";

describe("a password hash", () => {
  it("is what `credence password-hash` prints", async () => {
    expect(parsePasswordHash(await hashPassword("correct horse"))).toMatchObject({ memory: 19_456, passes: 2 });
  });

  const salt = "A".repeat(11);
  const tag = "A".repeat(22);
  it.each([
    ["the least", "m=8,t=1,p=1", salt, tag, true],
    ["the most", "m=262144,t=16,p=16", "A".repeat(86), "A".repeat(86), true],
    ["8 KiB for each lane", "m=16,t=1,p=2", salt, tag, true],
    ["less than 8 KiB for each lane", "m=15,t=1,p=2", salt, tag, false],
    ["more memory", "m=262145,t=1,p=1", salt, tag, false],
    ["more passes", "m=64,t=17,p=1", salt, tag, false],
    ["more lanes", "m=999,t=1,p=17", salt, tag, false],
    ["a shorter salt", "m=8,t=1,p=1", "A".repeat(10), tag, false],
    ["a longer salt", "m=8,t=1,p=1", "A".repeat(88), tag, false],
    ["a shorter tag", "m=8,t=1,p=1", salt, "A".repeat(21), false],
    ["a longer tag", "m=8,t=1,p=1", salt, "A".repeat(88), false],
  ])("is bounded: %s", (_, cost, saltText, tagText, good) => {
    expect(parsePasswordHash(`$argon2id$v=19$${cost}$${saltText}$${tagText}`) !== undefined).toBe(good);
  });
});
