/** What a DPoP proof is checked for, bound by bound, and which detail the record has of it. */
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { createDpopProof, type DpopExpectations, dpopNonces, generateDpopKey, verifyDpopProof } from "./dpop.ts";
import { decodeJws } from "./jws.ts";

const NOW = 1_800_000_000;
const URL = "https://as.example/token";
let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let jwk: JWK;
beforeAll(async () => {
  pair = await generateKeyPair("ES256", { extractable: true });
  jwk = await exportJWK(pair.publicKey);
});

async function proofWith(claims: object = {}, header: object = {}): Promise<string> {
  const all = { jti: "j", htm: "POST", htu: URL, iat: NOW, ...claims };
  return new SignJWT(JSON.parse(JSON.stringify(all)))
    .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk, ...header })
    .sign(pair.privateKey);
}

/** The mark of a good proof; of another the reason and its detail. */
async function verified(proof: string, more: Partial<DpopExpectations> = {}) {
  const outcome = await verifyDpopProof(proof, { method: "POST", url: URL, now: NOW, ...more });
  return outcome.ok ? outcome.value.mark[1] : [outcome.refusal.reason, outcome.refusal.detail];
}

describe("the key in a proof", () => {
  test.each(["d", "p", "q", "dp", "dq", "qi", "oth", "k"])(
    "that has the private member %s is refused, though it verifies",
    async (member) => {
      const proof = await proofWith({}, { jwk: { ...jwk, [member]: "" } });
      expect(await verified(proof)).toEqual(["dpop-malformed", "jwk or alg"]);
    },
  );

  test.each<[string, unknown]>([
    ["missing", undefined],
    ["null", null],
    ["a text", "key"],
    ["without kty", { crv: "P-256" }],
    ["of a kty that is no text", { kty: 1 }],
  ])("that is %s is refused", async (_, value) => {
    // Not by SignJWT: it would want a key that it knows.
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const proof = `${encode({ alg: "ES256", typ: "dpop+jwt", jwk: value })}.${encode({})}.${"A".repeat(86)}`;
    expect(await verified(proof)).toEqual(["dpop-malformed", "jwk or alg"]);
  });

  test("that is none of its algorithm is refused, and so is an algorithm that nobody knows", async () => {
    expect(await verified(await proofWith({}, { jwk: { kty: "EC", crv: "P-256", x: "a", y: "b" } }))).toEqual([
      "dpop-malformed",
      "jwk",
    ]);
    const { publicKey, privateKey } = await generateKeyPair("ES512", { extractable: true });
    const odd = await new SignJWT({ jti: "j", htm: "POST", htu: URL, iat: NOW })
      .setProtectedHeader({ alg: "ES512", typ: "dpop+jwt", jwk: await exportJWK(publicKey) })
      .sign(privateKey);
    expect(await verified(odd)).toEqual(["dpop-malformed", "jwk or alg"]);
  });
});

describe("a proof is refused, and the record has what it was", () => {
  test.each<[string, object, readonly unknown[]]>([
    ["an empty jti", { jti: "" }, ["dpop-malformed", "jti"]],
    ["a jti of 257 characters", { jti: "x".repeat(257) }, ["dpop-malformed", "jti"]],
    ["no iat", { iat: undefined }, ["dpop-malformed", "iat"]],
    ["a clock 31 seconds ahead", { iat: NOW + 31 }, ["dpop-time", "the client's clock is ahead"]],
    ["a proof of 61 seconds ago", { iat: NOW - 61 }, ["dpop-time", "too old, or the clock behind"]],
    ["only a user in its URL", { htu: URL.replace("//", "//a@") }, ["dpop-url", undefined]],
    ["only a password in its URL", { htu: URL.replace("//", "//:b@") }, ["dpop-url", undefined]],
    [
      "a URL of more than 2,048 characters",
      { htu: `${URL}?${"x".repeat(2_048 - URL.length)}` },
      ["dpop-url", undefined],
    ],
  ])("%s", async (_, claims, refusal) => {
    expect(await verified(await proofWith(claims))).toEqual(refusal);
  });

  test("another type", async () => {
    expect(await verified(await proofWith({}, { typ: "JWT" }))).toEqual(["dpop-malformed", "typ"]);
    expect(await verified(await proofWith({}, { typ: "DPoP+JWT" }))).toBeTypeOf("number");
  });

  test("more than 8,192 characters", async () => {
    const lengthOf = async (padding: number) => (await proofWith({ padding: "x".repeat(padding) })).length;
    const bare = await lengthOf(0);
    // Three characters of a payload are four of base64url.
    const padding = Math.floor(((8_192 - bare) * 3) / 4);
    const around = await Promise.all(
      [-2, -1, 0, 1, 2, 3].map((more) => proofWith({ padding: "x".repeat(padding + more) })),
    );
    const longest = around.filter(({ length }) => length <= 8_192).at(-1) ?? "";
    expect(longest.length).toBeGreaterThan(8_188);
    expect(await verified(longest)).toBeTypeOf("number");
    const tooLong = around.find(({ length }) => length > 8_192) ?? "";
    expect(await verified(tooLong)).toEqual(["dpop-malformed", undefined]);
  });
});

describe("a proof at the edge of what is allowed is good", () => {
  test.each<[string, object]>([
    ["a jti of 256 characters", { jti: "x".repeat(256) }],
    ["a clock 30 seconds ahead", { iat: NOW + 30 }],
    ["a proof of 60 seconds ago", { iat: NOW - 60 }],
    ["a URL of 2,048 characters", { htu: `${URL}?${"x".repeat(2_047 - URL.length)}` }],
  ])("%s", async (_, claims) => {
    expect(await verified(await proofWith(claims))).toBeTypeOf("number");
  });
});

describe("the mark of a proof is kept as long as the proof would be good again", () => {
  test.each([
    ["made now", NOW, NOW + 90],
    ["made by a clock that is behind", NOW - 60, NOW + 90],
    ["made by a clock that is ahead", NOW + 30, NOW + 120],
  ])("%s", async (_, iat, until) => {
    expect(await verified(await proofWith({ iat }))).toBe(until);
  });

  test("with a nonce, as long as the nonce is", async () => {
    const nonces = dpopNonces(new Uint8Array(32).fill(1), 600);
    const proof = await proofWith({ nonce: await nonces.current(NOW), iat: NOW - 3_000 });
    expect(await verified(proof, { nonces })).toBe(NOW + (nonces.lifetime ?? Number.NaN));
  });

  test("a nonce that nobody asked for makes no proof younger", async () => {
    expect(await verified(await proofWith({ nonce: "x", iat: NOW - 61 }))).toEqual([
      "dpop-time",
      "too old, or the clock behind",
    ]);
  });

  test.each<[string, unknown]>([
    ["no text", 7],
    ["longer than 256 characters", "x".repeat(257)],
  ])("a nonce that is %s is not even looked up", async (_, nonce) => {
    const asked: unknown[] = [];
    const nonces = { lifetime: 60, accepts: async (one: string) => asked.push(one) > 0 };
    expect(await verified(await proofWith({ nonce }), { nonces })).toEqual(["dpop-nonce-wanted", undefined]);
    expect(asked).toEqual([]);
    expect(await verified(await proofWith({ nonce: "x".repeat(256) }), { nonces })).toBeTypeOf("number");
  });
});

test("a proof that we make carries the nonce and the hash of the access token where there are some, and only there", async () => {
  const key = await generateDpopKey();
  const claimsOf = async (more: object) =>
    decodeJws(await createDpopProof(key, { method: "POST", url: URL, now: NOW + 0.7, ...more }))?.payload;
  expect(Object.keys((await claimsOf({})) ?? {}).sort()).toEqual(["htm", "htu", "iat", "jti"]);
  expect(await claimsOf({ nonce: "n" })).toMatchObject({ nonce: "n", iat: NOW });
  expect(await claimsOf({ accessToken: "t" })).toMatchObject({ ath: expect.stringMatching(/^[\w-]{43}$/) });
});
