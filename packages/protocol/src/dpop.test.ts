import { createHash } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeEach, describe, expect, test } from "vitest";
import {
  checkDpopProof,
  createDpopProof,
  type DpopExpectations,
  dpopNonces,
  generateDpopKey,
  importDpopKey,
  type MarkProof,
  parseConfirmation,
  sameConfirmation,
  verifyDpopProof,
} from "./dpop.ts";
import { generateSigningKey } from "./jws.ts";

const NOW = 1_800_000_000;
const URL = "https://as.example/token";
const key = await generateDpopKey();
let used: Set<string>;
beforeEach(() => {
  used = new Set();
});

const markUsed: MarkProof = async (mark) => {
  if (used.has(mark)) return "again";
  used.add(mark);
  return "first";
};
const expected = (more: Partial<DpopExpectations> = {}) => ({ method: "POST", url: URL, now: NOW, markUsed, ...more });
const outcome = async (proof: string, more: Partial<DpopExpectations> = {}) => {
  const checked = await checkDpopProof(proof, expected(more));
  return checked.ok ? checked.value : checked.refusal.reason;
};

/** A proof by another implementation. */
async function foreign(
  change: { header?: Record<string, unknown>; claims?: Record<string, unknown>; alg?: string } = {},
): Promise<string> {
  const alg = change.alg ?? "ES256";
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const claims = { jti: crypto.randomUUID(), htm: "POST", htu: URL, iat: NOW, ...change.claims };
  return new SignJWT(JSON.parse(JSON.stringify(claims)))
    .setProtectedHeader({ alg, typ: "dpop+jwt", jwk: await exportJWK(publicKey), ...change.header })
    .sign(privateKey);
}

describe("a DPoP proof", () => {
  test("that is only verified leaves no mark, and counts once afterwards", async () => {
    const proof = await createDpopProof(key, { method: "POST", url: URL, now: NOW });
    expect(await verifyDpopProof(proof, expected())).toMatchObject({ ok: true, value: { jkt: key.jkt } });
    expect(used.size).toBe(0);
    expect([await outcome(proof), await outcome(proof)]).toEqual([{ jkt: key.jkt }, "dpop-replayed"]);
  });

  test.each(["ES256", "ES384", "RS256", "PS256", "EdDSA"] as const)(
    "of ours by %s is accepted, for its key",
    async (alg) => {
      const mine = await generateDpopKey(alg);
      expect(await outcome(await createDpopProof(mine, { method: "POST", url: URL, now: NOW }))).toEqual({
        jkt: mine.jkt,
      });
    },
  );

  test("of another implementation is accepted, and its thumbprint is RFC 7638's", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = await exportJWK(publicKey);
    const proof = await new SignJWT({ jti: "j", htm: "POST", htu: URL, iat: NOW })
      .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk })
      .sign(privateKey);
    expect(await outcome(proof)).toEqual({ jkt: await calculateJwkThumbprint(jwk) });
  });

  test("keeps its key over a restart", async () => {
    const { privateJwk } = await generateSigningKey("ES256");
    expect((await importDpopKey(privateJwk)).jkt).toBe((await importDpopKey(privateJwk)).jkt);
  });

  test("leaves query and fragment of the URL out, and is never the same twice", async () => {
    const made = () => createDpopProof(key, { method: "POST", url: `${URL}?a=1#b`, now: NOW });
    const [one, two] = await Promise.all([made(), made()]);
    expect(one).not.toBe(two);
    expect(await outcome(one)).toEqual({ jkt: key.jkt });
  });

  test("has no private member of the key", async () => {
    const proof = await createDpopProof(key, { method: "POST", url: URL, now: NOW });
    const header = JSON.parse(atob(String(proof.split(".")[0]).replaceAll("-", "+").replaceAll("_", "/")));
    expect(Object.keys(header.jwk).sort()).toEqual(["crv", "kty", "x", "y"]);
  });

  test.each<[string, Parameters<typeof foreign>[0], string]>([
    ["another typ", { header: { typ: "JWT" } }, "dpop-malformed"],
    ["no typ", { header: { typ: undefined } }, "dpop-malformed"],
    ["no key", { header: { jwk: undefined } }, "dpop-malformed"],
    ["a private key", { header: { jwk: { kty: "EC", crv: "P-256", x: "a", y: "b", d: "c" } } }, "dpop-malformed"],
    ["a symmetric key", { header: { jwk: { kty: "oct", k: "a" } } }, "dpop-malformed"],
    ["another key than it was signed with", { header: { jwk: key.publicJwk } }, "dpop-signature"],
    ["an algorithm that we do not take", { alg: "ES512" }, "dpop-malformed"],
    ["no jti", { claims: { jti: undefined } }, "dpop-malformed"],
    ["a jti without end", { claims: { jti: "x".repeat(1_000) } }, "dpop-malformed"],
    ["another method", { claims: { htm: "GET" } }, "dpop-method"],
    ["the method in lower case", { claims: { htm: "post" } }, "dpop-method"],
    ["no URL", { claims: { htu: undefined } }, "dpop-url"],
    ["another path", { claims: { htu: `${URL}/x` } }, "dpop-url"],
    ["another host", { claims: { htu: "https://as.example.evil/token" } }, "dpop-url"],
    ["a URL that is none", { claims: { htu: "token" } }, "dpop-url"],
    ["a URL with credentials", { claims: { htu: URL.replace("//", "//a:b@") } }, "dpop-url"],
    ["another port", { claims: { htu: URL.replace(".example", ".example:8443") } }, "dpop-url"],
    ["another scheme", { claims: { htu: URL.replace("https:", "http:") } }, "dpop-url"],
    ["the path in capitals", { claims: { htu: URL.replace("/token", "/TOKEN") } }, "dpop-url"],
    ["no time", { claims: { iat: undefined } }, "dpop-malformed"],
    ["a time that is text", { claims: { iat: "now" } }, "dpop-malformed"],
    ["a time of five minutes ago", { claims: { iat: NOW - 300 } }, "dpop-time"],
    ["a time in five minutes", { claims: { iat: NOW + 300 } }, "dpop-time"],
  ])("with %s is refused", async (_, change, reason) => {
    expect(await outcome(await foreign(change))).toBe(reason);
  });

  test.each([
    ["nothing", ""],
    ["no JWT", "x"],
    ["two", "a.b.c, d.e.f"],
    ["one without signature", "eyJhbGciOiJub25lIiwidHlwIjoiZHBvcCtqd3QifQ.e30."],
    ["one without end", `${"x".repeat(10_000)}.x.x`],
  ])("that is %s is refused", async (_, proof) => {
    expect(await outcome(proof)).toBe("dpop-malformed");
  });

  test("from a clock within the skew is accepted", async () => {
    expect(await outcome(await foreign({ claims: { iat: NOW + 29 } }))).toHaveProperty("jkt");
    expect(await outcome(await foreign({ claims: { iat: NOW - 59 } }))).toHaveProperty("jkt");
  });

  test("compares the URL after normalization", async () => {
    expect(await outcome(await foreign({ claims: { htu: "HTTPS://AS.example:443/token?x=1" } }))).toHaveProperty("jkt");
  });

  test("counts once; another key's jti is its own", async () => {
    const proof = await foreign({ claims: { jti: "same" } });
    expect(await outcome(proof)).toHaveProperty("jkt");
    expect(await outcome(proof)).toBe("dpop-replayed");
    expect(await outcome(await foreign({ claims: { jti: "same" } }))).toHaveProperty("jkt");
  });

  test("that is not good is not marked: nobody can burn another's", async () => {
    await outcome(await foreign({ claims: { htm: "GET" } }));
    expect(used.size).toBe(0);
  });

  test("with an access token is for that token alone", async () => {
    const proof = await createDpopProof(key, { method: "POST", url: URL, now: NOW, accessToken: "token" });
    expect(await outcome(proof, { accessToken: "another" })).toBe("dpop-token");
    expect(await outcome(proof, { accessToken: "token" })).toEqual({ jkt: key.jkt });
    const ath = createHash("sha256").update("token").digest("base64url");
    expect(await outcome(await foreign({ claims: { ath } }), { accessToken: "token" })).toHaveProperty("jkt");
  });
});

describe("nonces", () => {
  const nonces = dpopNonces(new Uint8Array(32).fill(1));
  const wanted = (now = NOW) => expected({ now, nonces });

  test("are the same for every process with the secret, and for nobody without", async () => {
    expect(await dpopNonces(new Uint8Array(32).fill(1)).current(NOW)).toBe(await nonces.current(NOW));
    expect(await dpopNonces(new Uint8Array(32).fill(2)).current(NOW)).not.toBe(await nonces.current(NOW));
  });

  test("are wanted where the server has some", async () => {
    const without = await checkDpopProof(await foreign(), wanted());
    expect(without.ok ? "" : without.refusal.reason).toBe("dpop-nonce-wanted");
    const made = await foreign({ claims: { nonce: await nonces.current(NOW) } });
    expect((await checkDpopProof(made, wanted())).ok).toBe(true);
  });

  test("say when the proof was made, whatever the client's clock says", async () => {
    const slow = await foreign({ claims: { nonce: await nonces.current(NOW), iat: NOW - 3_000 } });
    expect((await checkDpopProof(slow, wanted())).ok).toBe(true);
  });

  test.each([
    ["of its own period", 60, 0],
    ["of a process whose clock is ahead", 60, 60],
    ["of a long period", 600, 0],
  ])("let a proof with one %s be used once, for as long as the nonce is good", async (_, period, ahead) => {
    const some = dpopNonces(new Uint8Array(32).fill(1), period);
    const marks = new Map<string, number>();
    const use = async (proof: string, now: number) => {
      const checked = await checkDpopProof(proof, {
        ...expected({ now }),
        nonces: some,
        // A store forgets a mark when it has expired.
        async markUsed(mark, expiresAt) {
          if ((marks.get(mark) ?? 0) > now) return "again";
          marks.set(mark, expiresAt);
          return "first";
        },
      });
      return checked.ok;
    };
    const proof = await foreign({ claims: { nonce: await some.current(NOW + ahead) } });
    const outcomes: boolean[] = [];
    for (let later = 0; later < 4 * period; later += period / 6) outcomes.push(await use(proof, NOW + later));
    expect(outcomes.filter((good) => good)).toHaveLength(1);
  });

  test.each([61 * 2, 600, -600])("are refused %d seconds later", async (later) => {
    const made = await foreign({ claims: { nonce: await nonces.current(NOW), iat: NOW + later } });
    const checked = await checkDpopProof(made, wanted(NOW + later));
    expect(checked.ok ? "" : checked.refusal.reason).toBe("dpop-nonce-wanted");
  });
});

describe("a confirmation", () => {
  const print = "a".repeat(43);
  test.each<[string, unknown, object | undefined]>([
    ["of a key", { jkt: print }, { jkt: print }],
    ["of a certificate", { "x5t#S256": print }, { "x5t#S256": print }],
    ["of both", { jkt: print, "x5t#S256": print }, undefined],
    ["of a key, and something else", { jkt: print, kid: "x" }, undefined],
    ["of nothing", {}, undefined],
    ["of an unknown kind", { jwk: {} }, undefined],
    ["that is too short", { jkt: "a" }, undefined],
    ["that is no text", { jkt: 1 }, undefined],
    ["that is no object", print, undefined],
    ["that is a list", [print], undefined],
  ])("%s", (_, cnf, parsed) => {
    expect(parseConfirmation(cnf)).toEqual(parsed);
  });

  test("of a key is never the same as one of a certificate", () => {
    expect(sameConfirmation({ jkt: print }, { "x5t#S256": print })).toBe(false);
    expect(sameConfirmation({ jkt: print }, { jkt: print })).toBe(true);
  });
});
