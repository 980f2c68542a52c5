import { describe, expect, it } from "vitest";
import { parsePasswordHash } from "../directory/password-hash.ts";
import { hashPassword, PASSWORD_MAX_BYTES, verifyAgainstNobody, verifyPassword } from "./password.ts";

describe("a password", () => {
  it("fits its own hash, and no other password does", async () => {
    const phc = await hashPassword("correct horse battery staple");
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(await verifyPassword(phc, "correct horse battery staple")).toBe(true);
    expect(await verifyPassword(phc, "correct horse battery stapl")).toBe(false);
    expect(await verifyPassword(phc, "")).toBe(false);
  });

  it("has another hash each time", async () => {
    expect(await hashPassword("once more")).not.toBe(await hashPassword("once more"));
  });

  it("is the same however its accents are composed", async () => {
    expect(await verifyPassword(await hashPassword("caf\u00e9 noir"), "cafe\u0301 noir")).toBe(true);
  });

  it("fits a hash that another implementation made", async () => {
    // The vector of the PHC reference implementation: argon2id, v=19, t=2, m=65536, p=1, "password", "somesalt".
    const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    expect(await verifyPassword(reference, "password")).toBe(true);
    expect(await verifyPassword(reference, "passwore")).toBe(false);
  });

  it("is bounded, and may not be empty", async () => {
    const longest = "x".repeat(PASSWORD_MAX_BYTES);
    expect(await verifyPassword(await hashPassword(longest), longest)).toBe(true);
    await expect(hashPassword(`${longest}x`)).rejects.toMatchObject({ code: "configuration" });
    await expect(hashPassword("é".repeat(PASSWORD_MAX_BYTES / 2 + 1))).rejects.toMatchObject({ code: "configuration" });
    await expect(hashPassword("")).rejects.toMatchObject({ code: "configuration" });
    expect(await verifyPassword(await hashPassword("short"), `${longest}x`)).toBe(false);
  });

  it("of somebody unknown fits nothing", async () => {
    expect(await verifyAgainstNobody("anything")).toBe(false);
    expect(await verifyAgainstNobody("x".repeat(5000))).toBe(false);
  });
});

describe("a hash that can not be trusted fits nothing", () => {
  const salt = "c29tZXNhbHQ";
  const tag = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  it.each([
    ["empty", ""],
    ["plain text", "password"],
    ["argon2i", `$argon2i$v=19$m=65536,t=2,p=1$${salt}$${tag}`],
    ["an older version", `$argon2id$v=16$m=65536,t=2,p=1$${salt}$${tag}`],
    ["no version", `$argon2id$m=65536,t=2,p=1$${salt}$${tag}`],
    ["too much memory", `$argon2id$v=19$m=4194304,t=2,p=1$${salt}$${tag}`],
    ["too many passes", `$argon2id$v=19$m=65536,t=17,p=1$${salt}$${tag}`],
    ["too many lanes", `$argon2id$v=19$m=65536,t=2,p=17$${salt}$${tag}`],
    ["less memory than its lanes need", `$argon2id$v=19$m=8,t=2,p=2$${salt}$${tag}`],
    ["a short tag", `$argon2id$v=19$m=65536,t=2,p=1$${salt}$CTFhFdXPJO1aFaMa`],
    ["something after it", `$argon2id$v=19$m=65536,t=2,p=1$${salt}$${tag}\n`],
  ])("%s", async (_name, phc) => {
    expect(parsePasswordHash(phc)).toBeUndefined();
    expect(await verifyPassword(phc, "password")).toBe(false);
  });
});
