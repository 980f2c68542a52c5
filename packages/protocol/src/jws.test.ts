import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import {
  checkSignature,
  decodeJws,
  generateSigningKey,
  importSigner,
  JWS_ALGORITHMS,
  type JwsAlgorithm,
  jwksKeys,
  parseJwks,
  signJwt,
  singleAudience,
  typIs,
} from "./jws.ts";

async function made(alg: JwsAlgorithm) {
  const { privateJwk, publicJwk } = await generateSigningKey(alg);
  return { publicJwk, privateJwk, signer: await importSigner(privateJwk), keys: jwksKeys({ keys: [publicJwk] }) };
}

const decoded = (token: string) => {
  const jws = decodeJws(token);
  if (!jws) throw new Error("not a JWS");
  return jws;
};

describe.each(JWS_ALGORITHMS)("%s", (alg) => {
  test("what we sign, we verify, and jose does too", async () => {
    const { publicJwk, signer, keys } = await made(alg);
    const token = await signJwt("test+jwt", { sub: "alice" }, signer);
    expect(await checkSignature(decoded(token), [alg], keys)).toBeUndefined();
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [publicJwk] }));
    expect([payload.sub, protectedHeader.typ, protectedHeader.kid]).toEqual(["alice", "test+jwt", publicJwk.kid]);
  });

  test("what jose signs, we verify", async () => {
    const pair = await generateKeyPair(alg);
    const jwk = { ...(await exportJWK(pair.publicKey)), kty: String((await exportJWK(pair.publicKey)).kty), kid: "k" };
    const token = await new SignJWT({}).setProtectedHeader({ alg, kid: "k" }).sign(pair.privateKey);
    expect(await checkSignature(decoded(token), [alg], jwksKeys({ keys: [jwk] }))).toBeUndefined();
  });

  test("a changed payload is noticed", async () => {
    const { signer, keys } = await made(alg);
    const [head, , tail] = (await signJwt("t", { sub: "alice" }, signer)).split(".");
    const forged = `${head}.${btoa('{"sub":"mallory"}').replaceAll("=", "")}.${tail}`;
    expect(await checkSignature(decoded(forged), [alg], keys)).toBe("signature");
  });

  test("another key's signature is noticed, also under the right kid", async () => {
    const { privateJwk, keys } = await made(alg);
    const stranger = await generateSigningKey(alg);
    const signer = await importSigner({ ...stranger.privateJwk, kid: privateJwk.kid });
    expect(await checkSignature(decoded(await signJwt("t", {}, signer)), [alg], keys)).toBe("signature");
  });
});

describe("a signature is refused", () => {
  test("when its algorithm is not allowed for the issuer", async () => {
    const { signer, keys } = await made("RS256");
    expect(await checkSignature(decoded(await signJwt("t", {}, signer)), ["ES256"], keys)).toBe("algorithm");
  });

  test.each(["none", "HS256", "ES512", "es256"])("when its algorithm is %s", async (alg) => {
    const { keys } = await made("ES256");
    const token = `${btoa(JSON.stringify({ alg })).replaceAll("=", "")}.e30.AAAA`;
    expect(await checkSignature(decoded(token), JWS_ALGORITHMS, keys)).toBe("algorithm");
  });

  test("when the header has a critical extension", async () => {
    const { signer, keys } = await made("ES256");
    const head = btoa(JSON.stringify({ alg: "ES256", crit: ["b64"], b64: false })).replaceAll("=", "");
    const [, body, tail] = (await signJwt("t", {}, signer)).split(".");
    expect(await checkSignature(decoded(`${head}.${body}.${tail}`), JWS_ALGORITHMS, keys)).toBe("crit");
  });

  test("when no key has its kid, or a key of another kind has", async () => {
    const es = await made("ES256");
    const rs = await made("RS256");
    const token = await signJwt("t", {}, es.signer);
    expect(await checkSignature(decoded(token), JWS_ALGORITHMS, rs.keys)).toBe("key");
    const disguised = jwksKeys({ keys: [{ ...rs.publicJwk, kid: es.publicJwk.kid ?? "" }] });
    expect(await checkSignature(decoded(token), JWS_ALGORITHMS, disguised)).toBe("key");
  });

  test("when the key is for encryption, or too short", async () => {
    const es = await made("ES256");
    const token = await signJwt("t", {}, es.signer);
    expect(
      await checkSignature(decoded(token), JWS_ALGORITHMS, jwksKeys({ keys: [{ ...es.publicJwk, use: "enc" }] })),
    ).toBe("key");
    const rs = await made("RS256");
    const short = { ...rs.publicJwk, n: String(rs.publicJwk.n).slice(0, 171) };
    expect(
      await checkSignature(decoded(await signJwt("t", {}, rs.signer)), JWS_ALGORITHMS, jwksKeys({ keys: [short] })),
    ).toBe("key");
  });

  test("when the key is too short, and zeros before its modulus make it look longer", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 1_024 });
    const { n = "", e = "" } = publicKey.export({ format: "jwk" });
    const zeros = Buffer.concat([Buffer.alloc(192), Buffer.from(n, "base64url")]).toString("base64url");
    const input = `${btoa('{"alg":"RS256","kid":"1"}').replaceAll("=", "")}.e30`;
    const token = `${input}.${sign("sha256", Buffer.from(input), privateKey).toString("base64url")}`;
    const keys = jwksKeys({ keys: [{ kty: "RSA", kid: "1", n: zeros, e }] });
    expect(await checkSignature(decoded(token), JWS_ALGORITHMS, keys)).toBe("key");
  });

  test("when it names no kid and two keys fit", async () => {
    const one = await made("ES256");
    const two = await made("ES256");
    const { kid: _, ...anonymous } = one.publicJwk;
    const token = `${btoa('{"alg":"ES256"}').replaceAll("=", "")}.e30.AAAA`;
    expect(await checkSignature(decoded(token), JWS_ALGORITHMS, jwksKeys({ keys: [anonymous, two.publicJwk] }))).toBe(
      "key",
    );
  });
});

test("an RSA key without alg serves RS256 and PS256, one after the other", async () => {
  const { privateJwk, publicJwk } = await generateSigningKey("RS256");
  const { alg: _, ...open } = publicJwk;
  const keys = jwksKeys({ keys: [open] });
  for (const alg of ["RS256", "PS256", "RS256"] as const) {
    const signer = await importSigner({ ...privateJwk, alg });
    expect(await checkSignature(decoded(await signJwt("t", {}, signer)), JWS_ALGORITHMS, keys)).toBeUndefined();
  }
});

test("a JWK set loses its private members when it is read", async () => {
  const { privateJwk } = await generateSigningKey("ES256");
  expect(JSON.stringify(parseJwks({ keys: [privateJwk] }))).not.toContain('"d"');
  expect(parseJwks({ keys: "no" })).toBeUndefined();
  expect(parseJwks([])).toBeUndefined();
  expect(parseJwks({ keys: Array.from({ length: 101 }, () => ({ kty: "EC" })) })).toBeUndefined();
});

describe("decoding", () => {
  test.each([
    ["two parts", "e30.e30"],
    ["four parts", "e30.e30.AA.AA"],
    ["an empty signature", "eyJhbGciOiJFUzI1NiJ9.e30."],
    ["padding", "eyJhbGciOiJFUzI1NiJ9=.e30.AAAA"],
    ["an array as payload", `eyJhbGciOiJFUzI1NiJ9.${btoa("[]").replaceAll("=", "")}.AAAA`],
    ["a header without alg", "e30.e30.AAAA"],
    ["a numeric kid", `${btoa('{"alg":"ES256","kid":1}').replaceAll("=", "")}.e30.AAAA`],
    ["too many characters", `eyJhbGciOiJFUzI1NiJ9.e30.${"A".repeat(16_384)}`],
  ])("refuses %s", (_, token) => {
    expect(decodeJws(token)).toBeUndefined();
  });

  test("never throws, whatever the text", () => {
    fc.assert(fc.property(fc.string(), (text) => decodeJws(text) === undefined || typeof decodeJws(text) === "object"));
    const part = fc.string().map((text) => Buffer.from(text).toString("base64url"));
    fc.assert(fc.property(part, part, part, (a, b, c) => decodeJws(`${a}.${b}.${c}`) !== null));
  });
});

test.each([
  ["oauth-id-jag+jwt", true],
  ["application/oauth-id-jag+jwt", true],
  ["OAuth-ID-JAG+JWT", true],
  ["JWT", false],
  ["oauth-id-jag+jwtx", false],
  [undefined, false],
])("typ %s counts as an ID-JAG's: %s", (typ, expected) => {
  expect(typIs({ alg: "ES256", ...(typ === undefined ? {} : { typ }) }, "oauth-id-jag+jwt")).toBe(expected);
});

test.each<[string, unknown, string | undefined]>([
  ["a string", "https://a.example", "https://a.example"],
  ["a list of one", ["https://a.example"], "https://a.example"],
  ["a list of several", ["https://a.example", "https://b.example"], undefined],
  ["a list of twice the same", ["https://a.example", "https://a.example"], undefined],
  ["an empty list", [], undefined],
  ["a list in a list", [["https://a.example"]], undefined],
  ["a list of a number", [1], undefined],
  ["an object that looks like a list", { 0: "https://a.example", length: 1 }, undefined],
  ["nothing", undefined, undefined],
  ["null", null, undefined],
])("the one audience of an aud that is %s", (_, aud, one) => {
  expect(singleAudience(aud)).toBe(one);
});
