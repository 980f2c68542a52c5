import { randomBytes } from "node:crypto";
import { checkSignature, decodeJws, type JwsAlgorithm, signJwt, thumbprint } from "@credence/protocol/jws";
import { nodeKeys } from "@credence/protocol/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { externalSigner } from "./external-keys.ts";
import { startTransit, type TransitEngine, type TransitFault } from "./transit.testing.ts";
import { transitKeyEncryption, transitKeys } from "./transit.ts";

let engine: TransitEngine;
beforeAll(async () => {
  engine = await startTransit();
});
afterEach(() => {
  engine.fault = undefined;
});
afterAll(() => engine.close());

const options = () => ({
  url: engine.url,
  token: () => engine.token,
  // Long enough for an RSA key on a busy machine; who never answers is not waited for.
  get timeoutMs() {
    return engine.fault === "silent" ? 200 : 20_000;
  },
});

describe("a key-encryption key in a KMS", () => {
  it("opens what it sealed, and is known by its place", async () => {
    const kek = transitKeyEncryption("credence", options());
    const dataKey = randomBytes(32);
    const wrapped = await kek.wrap(dataKey);
    expect(wrapped).not.toContain(dataKey.toString("base64"));
    expect(Buffer.from(await kek.unwrap(wrapped))).toEqual(dataKey);
    expect(kek.id).toBe(`kms:${engine.url}/credence`);
    await expect(transitKeyEncryption("other", options()).unwrap(wrapped)).rejects.toMatchObject({ code: "network" });
  });

  it.each<[TransitFault, string, string]>([
    ["down", "network", "kms-unavailable"],
    ["silent", "network", "kms-unavailable"],
    ["500", "network", "kms-refused"],
    ["403", "configuration", "kms-refused"],
    ["no JSON", "response_invalid", "kms-answer-invalid"],
    ["no data", "response_invalid", "kms-answer-invalid"],
    ["huge", "network", "kms-unavailable"],
    ["redirect", "network", "kms-unavailable"],
  ])("that is or answers %s opens nothing, and says why without its token", async (fault, code, reason) => {
    const kek = transitKeyEncryption("credence", options());
    const wrapped = await kek.wrap(randomBytes(32));
    engine.fault = fault;
    const failure: unknown = await kek.unwrap(wrapped).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, reason });
    expect(String(failure)).toContain(engine.url);
    expect(String(failure)).not.toContain(engine.token);
  });

  it("refuses a plaintext that is no data key", async () => {
    const kek = transitKeyEncryption("credence", options());
    await expect(kek.unwrap(await kek.wrap(randomBytes(16)))).rejects.toMatchObject({ reason: "kms-answer-invalid" });
  });

  it("is asked with the token that counts then", async () => {
    let token = "an old one";
    const kek = transitKeyEncryption("credence", { ...options(), token: () => token });
    await expect(kek.wrap(randomBytes(32))).rejects.toMatchObject({ reason: "kms-refused", status: 403 });
    ({ token } = engine);
    await kek.wrap(randomBytes(32));
  });
});

describe("signing keys that are kept elsewhere", () => {
  async function made(alg: JwsAlgorithm) {
    const keys = transitKeys(options());
    const { name: external, publicJwk } = await keys.create(alg);
    const kid = await thumbprint(publicJwk);
    return { keys, external, publicJwk, signer: externalSigner({ kid, alg, publicJwk, external }, keys) };
  }

  it.each<JwsAlgorithm>(["ES256", "ES384", "RS256", "PS256", "EdDSA"])("sign %s as JWS wants it", async (alg) => {
    const { signer, publicJwk } = await made(alg);
    expect(publicJwk).not.toHaveProperty("d");
    const jws = decodeJws(await signJwt("test+jwt", { sub: "alice" }, signer));
    expect(jws?.header).toMatchObject({ alg, kid: signer.kid });
    expect(
      jws && (await checkSignature(jws, [alg], nodeKeys({ keys: [{ ...publicJwk, kid: signer.kid }] }))),
    ).toBeUndefined();
  });

  it.each<[TransitFault, string]>([
    ["wrong signature", "signature-wrong"],
    ["down", "signer-unavailable"],
    ["silent", "signer-unavailable"],
    ["500", "signer-unavailable"],
    ["403", "signer-unavailable"],
    ["no JSON", "signer-unavailable"],
    ["no data", "signer-unavailable"],
  ])("let nothing out when the answer is: %s", async (fault, reason) => {
    const { signer } = await made("ES256");
    engine.fault = fault;
    const failure: unknown = await signJwt("test+jwt", {}, signer).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "temporarily_unavailable", status: 503, reason });
    expect(String(failure)).not.toContain(engine.token);
  });

  it("are destroyed there", async () => {
    const { keys, external } = await made("ES256");
    expect(engine.keys.has(external)).toBe(true);
    await keys.destroy?.(external);
    expect(engine.keys.has(external)).toBe(false);
  });
});
