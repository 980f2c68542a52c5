import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
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
  type PublicJwk,
  signJwt,
} from "../jws.ts";
import { nodeKeys, nodeSigner, nodeVerifier } from "../node.ts";

async function made(alg: JwsAlgorithm) {
  const { privateJwk, publicJwk } = await generateSigningKey(alg);
  return { privateJwk, publicJwk, signer: nodeSigner(privateJwk), keys: nodeKeys({ keys: [publicJwk] }) };
}

function thrownBy(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

const decoded = (token: string) => {
  const jws = decodeJws(token);
  if (!jws) throw new Error("not a JWS");
  return jws;
};

describe.each(JWS_ALGORITHMS)("%s on Node", (alg) => {
  test("what we sign, jose verifies and WebCrypto does", async () => {
    const { publicJwk, signer } = await made(alg);
    // ES256: r and s have leading zeros now and then.
    for (let n = 0; n < 50; n += 1) {
      const token = await signJwt("test+jwt", { sub: "alice", n }, signer);
      const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [publicJwk] }));
      expect([payload.n, protectedHeader.typ, protectedHeader.kid]).toEqual([n, "test+jwt", publicJwk.kid]);
      expect(await checkSignature(decoded(token), [alg], jwksKeys({ keys: [publicJwk] }))).toBeUndefined();
    }
  });

  test("what jose signs, we verify", async () => {
    const pair = await generateKeyPair(alg);
    const bare = await exportJWK(pair.publicKey);
    const keys = nodeKeys({ keys: [{ ...bare, kty: String(bare.kty), kid: "k" }] });
    for (let n = 0; n < 50; n += 1) {
      const token = await new SignJWT({ n }).setProtectedHeader({ alg, kid: "k" }).sign(pair.privateKey);
      expect(await checkSignature(decoded(token), [alg], keys)).toBeUndefined();
    }
  });

  test("what WebCrypto signs, we verify", async () => {
    const { privateJwk, keys } = await made(alg);
    const token = await signJwt("t", {}, await importSigner(privateJwk));
    expect(await checkSignature(decoded(token), [alg], keys)).toBeUndefined();
  });

  test("a signature that was changed, cut, lengthened or spelled otherwise does not count", async () => {
    const { keys, signer, publicJwk } = await made(alg);
    const { signingInput, signature } = decoded(await signJwt("t", { sub: "alice" }, signer));
    const verifier = nodeVerifier(publicJwk, alg);
    expect(await verifier.verify(signingInput, signature)).toBe(true);
    const changes = [
      signature.map((byte, n) => (n === 40 ? byte ^ 1 : byte)),
      signature.subarray(1),
      signature.subarray(0, -1),
      Uint8Array.from([...signature, 0]),
      Uint8Array.from([0, ...signature]),
      new Uint8Array(signature.length),
      new Uint8Array(signature.length).fill(255),
      new Uint8Array(),
    ];
    for (const changed of changes) expect(await verifier.verify(signingInput, changed)).toBe(false);
    expect(await verifier.verify(signingInput.subarray(1), signature)).toBe(false);
    expect(await keys({ alg, kid: "another" })).toBeUndefined();
  });

  test("another key's signature does not count, also under the right kid", async () => {
    const { privateJwk, keys } = await made(alg);
    const stranger = nodeSigner({ ...(await generateSigningKey(alg)).privateJwk, kid: privateJwk.kid });
    expect(await checkSignature(decoded(await signJwt("t", {}, stranger)), [alg], keys)).toBe("signature");
  });

  test("a private key is no key to sign with where its private member is missing or broken, and nothing of it is told", async () => {
    const { privateJwk, publicJwk } = await made(alg);
    const { d: _, ...halved } = privateJwk;
    for (const jwk of [halved, { ...privateJwk, d: 17 }, publicJwk]) {
      const error = thrownBy(() => nodeSigner({ ...jwk, kid: "k", alg }));
      expect(error).toMatchObject({ code: "configuration", message: "The signing key does not fit its algorithm" });
      expect(error).not.toHaveProperty("cause");
    }
  });
});

test("an ES256 signature in DER does not count: JWS has r||s", async () => {
  const { privateJwk, publicJwk } = await made("ES256");
  const der = sign("sha256", Buffer.from("text"), createPrivateKey({ key: { ...privateJwk }, format: "jwk" }));
  expect(await nodeVerifier(publicJwk, "ES256").verify(Buffer.from("text"), der)).toBe(false);
});

describe("a key that does not fit is refused", () => {
  const bad = async (): Promise<readonly (readonly [string, JwsAlgorithm, PublicJwk])[]> => {
    const [es, rs, ed] = await Promise.all([made("ES256"), made("RS256"), made("EdDSA")]);
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" });
    const rsa1024 = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({ format: "jwk" });
    const zeros = Buffer.concat([Buffer.alloc(192), Buffer.from(String(rsa1024.n), "base64url")]).toString("base64url");
    return [
      ["of another kind", "ES256", rs.publicJwk],
      ["of another algorithm", "PS256", rs.publicJwk],
      ["on another curve", "ES256", { ...p384, kty: "EC" }],
      ["for encryption", "ES256", { ...es.publicJwk, use: "enc" }],
      ["whose point is not on the curve", "ES256", { ...es.publicJwk, y: es.publicJwk.x }],
      ["without a coordinate", "ES256", { kty: "EC", crv: "P-256", x: es.publicJwk.x }],
      ["of too few bytes", "EdDSA", { ...ed.publicJwk, x: "AAAA" }],
      ["that is symmetric", "ES256", { kty: "oct", k: "AAAA" }],
      ["that is too short", "RS256", { kty: "RSA", n: rsa1024.n, e: rsa1024.e }],
      ["that zeros before its modulus make look long", "RS256", { kty: "RSA", n: zeros, e: rsa1024.e }],
    ];
  };

  test("by the verifier, and by the set that holds it", async () => {
    for (const [what, alg, jwk] of await bad()) {
      expect(() => nodeVerifier(jwk, alg), what).toThrow(expect.objectContaining({ code: "configuration" }));
      expect(await nodeKeys({ keys: [{ ...jwk, kid: "k" }] })({ alg, kid: "k" }), what).toBeUndefined();
    }
  });

  test("by the signer", async () => {
    const { privateJwk } = await made("RS256");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 1_024 });
    const short = { ...privateKey.export({ format: "jwk" }), kty: "RSA" };
    for (const jwk of [
      { ...privateJwk, alg: "ES256" },
      { ...privateJwk, alg: "RS512" },
      { ...short, alg: "RS256", kid: "k" },
    ])
      expect(() => nodeSigner(jwk)).toThrow(expect.objectContaining({ code: "configuration" }));
  });
});

test("private members and key_ops of a key in a set are not read", async () => {
  const { privateJwk, signer } = await made("ES256");
  const keys = nodeKeys({ keys: [{ ...privateJwk, key_ops: ["sign"] }] });
  expect(await checkSignature(decoded(await signJwt("t", {}, signer)), ["ES256"], keys)).toBeUndefined();
});

test("an RSA key without alg serves RS256 and PS256, one after the other", async () => {
  const { privateJwk, publicJwk } = await made("RS256");
  const { alg: _, ...open } = publicJwk;
  const keys = nodeKeys({ keys: [open] });
  for (const alg of ["RS256", "PS256", "RS256"] as const) {
    const signer = nodeSigner({ ...privateJwk, alg });
    expect(await checkSignature(decoded(await signJwt("t", {}, signer)), JWS_ALGORITHMS, keys)).toBeUndefined();
  }
});
