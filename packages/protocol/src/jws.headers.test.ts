/** Headers that were read before are not read again; nothing that is seen of a token may depend on that. */
import { beforeAll, describe, expect, test } from "vitest";
import { encodeBase64url } from "./encoding.ts";
import {
  checkSignature,
  type DecodedJws,
  decodeJws,
  generateSigningKey,
  importSigner,
  jwksKeys,
  type KeySource,
  type Signer,
} from "./jws.ts";

let signer: Signer;
let keys: KeySource;
beforeAll(async () => {
  const key = await generateSigningKey("ES256");
  signer = await importSigner(key.privateJwk);
  keys = jwksKeys({ keys: [key.publicJwk] });
});

const tokenOf = (header: unknown, payload: object = {}, tail = "AAAA"): string =>
  `${encodeBase64url(JSON.stringify(header))}.${encodeBase64url(JSON.stringify(payload))}.${tail}`;

function decoded(token: string): DecodedJws {
  const jws = decodeJws(token);
  if (!jws) throw new Error("not a JWS");
  return jws;
}

/** A header that no other test has. */
let made = 0;
const fresh = (change: object = {}) => ({ alg: "ES256", kid: `headers-${made++}`, typ: "jwt", ...change });

describe("a header", () => {
  test.each<[string, object]>([
    ["no alg", { alg: undefined }],
    ["an alg that is null", { alg: null }],
    ["an alg that is a number", { alg: 256 }],
    ["an alg that is a list of a good one", { alg: ["ES256"] }],
    ["a kid that is null", { kid: null }],
    ["a kid that is a number", { kid: 1 }],
    ["a kid that is an object", { kid: {} }],
    ["a typ that is null", { typ: null }],
    ["a typ that is false", { typ: false }],
    ["a typ that is a list", { typ: ["jwt"] }],
  ])("with %s is refused, and as often as it comes", (_, change) => {
    const token = tokenOf(fresh(change));
    expect([decodeJws(token), decodeJws(token)]).toEqual([undefined, undefined]);
  });

  test.each<[string, object]>([
    ["of texts", {}],
    ["without kid and typ", { kid: undefined, typ: undefined }],
    ["with texts that nobody knows", { cty: "x", constructor: "y", ["__proto__"]: "z" }],
    ["with a key", { jwk: { kty: "EC", x: "a" } }],
    ["with a critical extension", { crit: ["b64"], b64: false }],
  ])("%s reads the same the first time and every time after", (_, change) => {
    const header = fresh(change);
    const expected = JSON.parse(JSON.stringify(header));
    for (const sub of ["alice", "bob", "alice"]) {
      const token = tokenOf(header, { sub });
      const jws = decoded(token);
      expect([jws.header, jws.payload]).toEqual([expected, { sub }]);
      expect(new TextDecoder().decode(jws.signingInput)).toBe(token.slice(0, -".AAAA".length));
      expect(jws.signature).toEqual(new Uint8Array(3));
    }
  });

  test("that is known makes nothing good of a token that is none", () => {
    const header = fresh();
    const head = tokenOf(header).split(".")[0];
    expect(decoded(tokenOf(header)).header).toEqual(header);
    const list = encodeBase64url("[]");
    for (const rest of ["e30", "e30.", ".AAAA", "e30.AAAA.AAAA", `${list}.AAAA`, "e30.A", "e30.===="]) {
      expect(decodeJws(`${head}.${rest}`)).toBeUndefined();
    }
    expect(decodeJws(`${head}=.e30.AAAA`)).toBeUndefined();
  });

  test("can not be changed by who has read it: neither an entry of it, nor what it will be read as next", () => {
    const token = tokenOf(fresh());
    const { header } = decoded(token);
    const before = structuredClone(header);
    expect(() => Object.assign(header, { alg: "none" })).toThrow(TypeError);
    for (const member of ["alg", "kid", "typ"]) expect(Reflect.deleteProperty(header, member)).toBe(false);
    expect(Reflect.set(header, "jwk", {})).toBe(false);
    expect(decoded(token).header).toEqual(before);
  });

  test.each<[string, object]>([
    ["a key", { jwk: { kty: "EC", x: "a" } }],
    ["a list", { crit: ["b64"] }],
    ["null", { x: null }],
  ])("with %s in it is nobody else's: what its reader makes of it, the next one does not see", (_, change) => {
    const token = tokenOf(fresh(change));
    const first: object = decoded(token).header;
    const before = structuredClone(first);
    for (const value of Object.values(first)) {
      if (typeof value === "object" && value !== null) Object.assign(value, { kty: "oct", 0: "other" });
    }
    Object.assign(first, { alg: "none", kid: "other" });
    expect(decoded(token).header).toEqual(before);
  });
});

describe("headers that were read before", () => {
  test("are told apart, also where there are many more than are remembered", () => {
    const headers = Array.from({ length: 350 }, () => fresh());
    const odd = fresh({ jwk: { kty: "EC" } });
    for (const order of [headers, headers.toReversed(), headers]) {
      for (const header of order) {
        expect(decoded(tokenOf(header)).header).toEqual(header);
        expect(decoded(tokenOf(odd)).header).toEqual(odd);
      }
    }
  });

  test("are remembered up to a hundred: a stranger fills no memory", () => {
    const token = tokenOf(fresh());
    let { header } = decoded(token);
    expect(decoded(token).header).toBe(header);
    // What was read before this test is of no account: it goes on until all is forgotten, and this header known again.
    for (let i = 0; i < 100 && decoded(token).header === header; i += 1) decoded(tokenOf(fresh()));
    ({ header } = decoded(token));
    // Beside it and the one before it there is room for 98.
    for (let i = 0; i < 98; i += 1) decoded(tokenOf(fresh()));
    expect(decoded(token).header).toBe(header);
    decoded(tokenOf(fresh()));
    expect(decoded(token).header).not.toBe(header);
    expect(decoded(token).header).toEqual(header);
  });

  test("are not remembered where they hold more than texts: those come with each proof anew", () => {
    const token = tokenOf(fresh({ jwk: { kty: "EC" } }));
    expect(decoded(token).header).not.toBe(decoded(token).header);
  });
});

test("a signature is checked each time, and by the header that came with it", async () => {
  const signed = async (header: object, payload: object) => {
    const input = tokenOf(header, payload).slice(0, -".AAAA".length);
    return `${input}.${encodeBase64url(await signer.sign(new TextEncoder().encode(input)))}`;
  };
  const check = (token: string) => checkSignature(decoded(token), ["ES256"], keys);
  const header = { alg: "ES256", kid: signer.kid, typ: "checked+jwt" };
  const good = await signed(header, { sub: "alice" });
  const forged = [good.split(".")[0], encodeBase64url('{"sub":"mallory"}'), good.split(".")[2]].join(".");
  const critical = await signed({ ...header, crit: "b64" }, { sub: "alice" });
  for (const _ of ["unknown", "remembered"]) {
    expect(await check(good)).toBeUndefined();
    expect(await check(forged)).toBe("signature");
    expect(await check(critical)).toBe("crit");
    expect(await check(await signed({ ...header, alg: "none" }, {}))).toBe("algorithm");
  }
});
