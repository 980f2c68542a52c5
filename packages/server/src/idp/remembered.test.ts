import {
  decodeJws,
  generateSigningKey,
  type KeySource,
  type PublicJwk,
  signJwt,
  type Verifier,
} from "@credence/protocol/jws";
import { nodeKeys, nodeSigner } from "@credence/protocol/node";
import { beforeEach, describe, expect, test } from "vitest";
import { rememberingCheck } from "./remembered.ts";

const own = await generateSigningKey("ES256");
const signer = nodeSigner(own.privateJwk);

let verifications: number;
beforeEach(() => {
  verifications = 0;
});

/** The keys of a set, which tell how often they verified something. */
function counted(keys: readonly PublicJwk[]): KeySource {
  const source = nodeKeys({ keys });
  const counting = new Map<Verifier, Verifier>();
  return async (header) => {
    const verifier = await source(header);
    if (verifier === undefined) return undefined;
    const known = counting.get(verifier) ?? {
      alg: verifier.alg,
      verify(data, signature) {
        verifications += 1;
        return verifier.verify(data, signature);
      },
    };
    counting.set(verifier, known);
    return known;
  };
}

function taken(token: string) {
  const jws = decodeJws(token);
  if (jws === undefined) throw new Error("no JWS");
  return [token, jws] as const;
}

const signed = (claims: object = {}) => signJwt("JWT", claims, signer);

describe("a signature that was found to be good", () => {
  test("is not verified again", async () => {
    const check = rememberingCheck(["ES256"], counted([own.publicJwk]));
    const token = await signed({ sub: "alice" });
    for (let n = 0; n < 10; n += 1) expect(await check(...taken(token))).toBeUndefined();
    expect(verifications).toBe(1);
  });

  test("says nothing of another token: not of one with other claims, another signature, or a part of it elsewhere", async () => {
    const check = rememberingCheck(["ES256"], counted([own.publicJwk]));
    const good = await signed({ sub: "alice" });
    expect(await check(...taken(good))).toBeUndefined();
    const [head, body, tail] = good.split(".");
    const [, otherBody, otherTail] = (await signed({ sub: "bob" })).split(".");
    for (const spliced of [`${head}.${otherBody}.${tail}`, `${head}.${body}.${otherTail}`, `${head}.${body}.AAAA`]) {
      for (const again of [1, 2]) expect(await check(...taken(spliced)), `time ${again}`).toBe("signature");
    }
    expect(verifications).toBe(7);
  });

  test("counts only as long as its key does: one that is gone, or another under the same kid, is asked again", async () => {
    let keys = counted([own.publicJwk]);
    const check = rememberingCheck(["ES256"], (header) => keys(header));
    const token = await signed();
    expect(await check(...taken(token))).toBeUndefined();
    const stranger = { ...(await generateSigningKey("ES256")).publicJwk, kid: String(own.publicJwk.kid) };
    keys = counted([stranger]);
    expect(await check(...taken(token))).toBe("signature");
    keys = counted([]);
    expect(await check(...taken(token))).toBe("key");
    keys = counted([own.publicJwk]);
    expect(await check(...taken(token))).toBeUndefined();
    expect(verifications).toBe(3);
  });

  test("is forgotten in favour of later ones, and then verified again", async () => {
    const good: KeySource = async () => ({ alg: "ES256", verify: async () => ++verifications > 0 });
    const source = await good({ alg: "ES256" });
    const check = rememberingCheck(["ES256"], async () => source);
    const [, jws] = taken(await signed());
    for (let n = 0; n <= 20_000; n += 1) await check(`token ${n}`, jws);
    await check("token 20000", jws);
    expect(verifications).toBe(20_001);
    await check("token 0", jws);
    expect(verifications).toBe(20_002);
  });
});

test("a signature that was not good is verified each time, and an algorithm that is not allowed never counts", async () => {
  const check = rememberingCheck(["ES256"], counted([own.publicJwk]));
  const forged = `${(await signed()).slice(0, -8)}AAAAAAAA`;
  for (const time of [1, 2, 3]) expect(await check(...taken(forged)), `time ${time}`).toBe("signature");
  expect(verifications).toBe(3);
  const narrow = rememberingCheck(["RS256"], counted([own.publicJwk]));
  const token = await signed();
  for (const time of [1, 2]) expect(await narrow(...taken(token)), `time ${time}`).toBe("algorithm");
});
