import { generateSigningKey, jwksKeys, type KeySource, type Verifier } from "@credence/protocol/jws";
import { nodeSigner } from "@credence/protocol/node";
import { describe, expect, test } from "vitest";
import { webCrypto } from "../crypto.ts";
import { house, NOON } from "../house.testing.ts";
import { nodeCrypto } from "../node.ts";
import { signAccessToken } from "./access-token.ts";
import type { AccessTokenClaims } from "./claims.ts";
import { rememberingVerifier } from "./verified.ts";

const ISSUER = "https://ledger.example";
const claims: AccessTokenClaims = {
  iss: ISSUER,
  aud: `${ISSUER}/mcp`,
  sub: "acme/alice",
  client_id: "assistant",
  jti: "token-1",
  iat: NOON,
  exp: NOON + 300,
  customer: "acme",
  root: { iss: "https://idp.example", jti: "id-jag-1", iat: NOON, sub: "alice" },
};

/** A verifier of tokens that tells how many signatures were checked, and whose keys can be changed. */
async function counting() {
  const { privateJwk, publicJwk } = await generateSigningKey("ES256");
  const source = { checked: 0, keys: jwksKeys({ keys: [publicJwk] }) };
  const wrapped = new Map<Verifier, Verifier>();
  const keys: KeySource = async (header) => {
    const found = await source.keys(header);
    if (found === undefined) return undefined;
    const verify: Verifier["verify"] = (data, signature) => {
      source.checked += 1;
      return found.verify(data, signature);
    };
    const one = wrapped.get(found) ?? { alg: found.alg, verify };
    wrapped.set(found, one);
    return one;
  };
  const verify = rememberingVerifier({ issuer: ISSUER, keys, algorithms: ["ES256"] }, nodeCrypto);
  return { source, verify, publicJwk, signer: nodeSigner(privateJwk) };
}

describe("a signature that was good", () => {
  test("is not checked again, and the claims are the same", async () => {
    const { source, verify, signer } = await counting();
    const token = await signAccessToken(claims, signer);
    const [first, again] = [await verify(token), await verify(token)];
    expect(first).toEqual({ ok: true, value: claims });
    expect(again).toEqual(first);
    expect(source.checked).toBe(1);
  });

  test("is of that token alone: one that differs anywhere is checked, and refused", async () => {
    const { source, verify, signer } = await counting();
    const token = await signAccessToken(claims, signer);
    const other = await signAccessToken({ ...claims, jti: "token-2", scope: "ledger.write" }, signer);
    expect((await verify(token)).ok).toBe(true);
    const [head = "", , tail = ""] = token.split(".");
    const [, body = ""] = other.split(".");
    expect(await verify(`${head}.${body}.${tail}`)).toMatchObject({ refusal: { reason: "access-token-signature" } });
    // The last character of 64 bytes has four bits that count: this one changes none of them, and still is another token.
    const last = { A: "B", Q: "R", g: "h", w: "x" }[token.slice(-1)] ?? "A";
    await verify(token.slice(0, -1) + last);
    expect(source.checked).toBe(3);
  });

  test("counts no longer when its key is gone, nor under another key of that name", async () => {
    const { source, verify, signer } = await counting();
    const token = await signAccessToken(claims, signer);
    await verify(token);
    const known = source.keys;
    source.keys = async () => undefined;
    expect(await verify(token)).toMatchObject({ refusal: { reason: "access-token-signature", detail: "key" } });
    const { publicJwk } = await generateSigningKey("ES256");
    source.keys = jwksKeys({ keys: [{ ...publicJwk, kid: signer.kid }] });
    expect(await verify(token)).toMatchObject({ refusal: { reason: "access-token-signature" } });
    source.keys = known;
    expect((await verify(token)).ok).toBe(true);
    expect(source.checked).toBe(3);
  });

  test("is forgotten when 10,000 others came after it", async () => {
    const { source, verify, signer } = await counting();
    const tokenOf = (number: number) => signAccessToken({ ...claims, jti: `token-${number}` }, signer);
    const first = await tokenOf(0);
    await verify(first);
    for (let number = 1; number < 10_000; number += 1) await verify(await tokenOf(number));
    await verify(first);
    expect(source.checked).toBe(10_000);
    await verify(await tokenOf(10_000));
    await verify(first);
    expect(source.checked).toBe(10_002);
  }, 60_000);

  test("nobody changes the claims for those who come after", async () => {
    const { verify, signer } = await counting();
    const token = await signAccessToken({ ...claims, act: { sub: "agent" } }, signer);
    const checked = await verify(token);
    if (!checked.ok) throw new Error("the token is good");
    for (const part of [checked.value, checked.value.root, checked.value.act]) {
      expect(() => Object.assign(part ?? {}, { sub: "mallory" })).toThrow(TypeError);
    }
  });

  test("is of claims that may be null within, which nobody can change either", async () => {
    const { verify, signer } = await counting();
    const act = { sub: "agent", sub_profile: null };
    const token = await signAccessToken({ ...claims, act }, signer);
    expect([await verify(token), await verify(token)]).toEqual(Array(2).fill({ ok: true, value: { ...claims, act } }));
  });

  test("one that was not good is checked each time", async () => {
    const { source, verify } = await counting();
    const stranger = nodeSigner((await generateSigningKey("ES256")).privateJwk);
    const token = await signAccessToken(claims, { ...stranger, kid: (await counting()).signer.kid });
    for (let time = 0; time < 3; time += 1) expect((await verify(token)).ok).toBe(false);
    expect(source.checked).toBe(0);
    const good = await counting();
    const forged = await signAccessToken(claims, { ...stranger, kid: good.signer.kid });
    for (let time = 0; time < 3; time += 1) expect((await good.verify(forged)).ok).toBe(false);
    expect(good.source.checked).toBe(3);
  });
});

describe.each([
  ["WebCrypto", webCrypto],
  ["node:crypto", nodeCrypto],
])("a token that was seen before, by %s", (_, crypto) => {
  async function seen() {
    const home = await house(({ issuer }) => ({
      crypto,
      resources: {
        [`${issuer}/mcp`]: { scopes: { "ledger.read": "Read", "ledger.write": "Write" } },
        [`${issuer}/other`]: { scopes: { "ledger.read": "Read" } },
      },
    }));
    const token = String((await home.redeem()).body.access_token);
    const check = async (needs: { resource?: string; scopes?: string[]; maxAge?: number } = {}, scheme = "bearer") => {
      const checked = await home.server.check(token, { resource: home.resource, ...needs }, { scheme });
      return checked.ok ? "good" : checked.refusal.reason;
    };
    expect([await check(), await check()]).toEqual(["good", "good"]);
    return { home, check, [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
  }

  test("is refused once it has expired", async () => {
    await using own = await seen();
    own.home.clock.now = NOON + 300;
    expect(await own.check()).toBe("access-token-expired");
  });

  test("is refused at another resource, for another scope, as a bound token, and for a fresher sign-in", async () => {
    await using own = await seen();
    expect(await own.check({ resource: `${own.home.url}/other` })).toBe("access-token-audience");
    expect(await own.check({ scopes: ["ledger.write"] })).toBe("scope-insufficient");
    expect(await own.check({}, "dpop")).toBe("access-token-proof");
    expect(await own.check({ maxAge: 60 })).toBe("sign-in-too-old");
    expect(await own.check()).toBe("good");
  });

  test.each<[string, object]>([
    ["the person", { sub: "alice" }],
    ["the client", { clientId: "ledger-assistant" }],
    ["both", { sub: "alice", clientId: "ledger-assistant" }],
    ["the whole issuer", {}],
  ])("is refused once %s is revoked", async (_name, what) => {
    await using own = await seen();
    await own.home.server.revoke({ iss: own.home.idp.issuer, ...what });
    expect(await own.check()).toBe("access-token-revoked");
  });
});
