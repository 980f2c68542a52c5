/**
 * Hostile proofs of possession: at the exchange of a real IdP, the redemption of a real app, and the app's resource. Always
 * an error that its client understands, and the exact reason on record.
 */
import { randomUUID } from "node:crypto";
import { createDpopProof, type DpopKey, dpopNonces, generateDpopKey } from "@credence/protocol/dpop";
import { buildTokenExchangeRequest } from "@credence/protocol/token-exchange";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type House as App, listen, NOON, house as startApp } from "../packages/resource/src/house.testing.ts";
import { LEDGER, MCP } from "./exchange.testing.ts";
import {
  ecKey,
  es256,
  expectOAuthError,
  type HostileHeaders,
  hs256,
  jwt,
  rs256,
  send,
  shortRsaKey,
  unsigned,
} from "./hostile.testing.ts";
import { type Doors, expectReason, FORM, knock, openDoors, watch } from "./hostile-doors.testing.ts";
import { type House, startHouse } from "./house.testing.ts";

let doors: Doors;
beforeAll(async () => {
  doors = await openDoors();
});
afterAll(() => doors[Symbol.asyncDispose]());

describe.each(["exchange", "redemption"] as const)("at the %s", (which) => {
  const door = () => doors[which];

  describe("a DPoP proof is refused", () => {
    const attacker = ecKey();
    const short = shortRsaKey();
    const header = { typ: "dpop+jwt", alg: "ES256", jwk: attacker.jwk };
    const claims = (more: object = {}) => {
      const { url, now } = door();
      return { jti: randomUUID(), htm: "POST", htu: url, iat: Math.floor(now()), ...more };
    };
    const proof = (more: object = {}, head: object = {}) =>
      jwt({ ...header, ...head }, claims(more), es256(attacker.privateKey));
    const at = (change: (url: string) => string) => proof({ htu: change(door().url) });

    test.each<[string, () => string | string[], string]>([
      ["sent twice", () => [proof(), proof()], "dpop-malformed"],
      ["sent empty", () => "", "dpop-malformed"],
      ["that is longer than any", () => proof({ pad: "x".repeat(9_000) }), "dpop-malformed"],
      ["that is no JWT", () => "a.b", "dpop-malformed"],
      ["that is an encrypted JWT", () => `${proof()}.AA.AA`, "dpop-malformed"],
      ["whose claims are a list", () => jwt(header, [], es256(attacker.privateKey)), "dpop-malformed"],
      ["whose claims are null", () => jwt(header, null, es256(attacker.privateKey)), "dpop-malformed"],
      ["with the private key in it", () => proof({}, { jwk: attacker.privateJwk }), "dpop-malformed"],
      ["with a secret for a key", () => proof({}, { jwk: { kty: "oct", k: "AAAA" } }), "dpop-malformed"],
      ["with a key that is text", () => proof({}, { jwk: "key" }), "dpop-malformed"],
      [
        "with a point that is not on the curve",
        () => proof({}, { jwk: { ...attacker.jwk, x: attacker.jwk.y } }),
        "dpop-malformed",
      ],
      [
        "with an RSA key of 1024 bits",
        () => jwt({ ...header, alg: "RS256", jwk: short.jwk }, claims(), rs256(short.privateKey)),
        "dpop-malformed",
      ],
      ["with alg none", () => jwt({ ...header, alg: "none" }, claims(), unsigned), "dpop-malformed"],
      [
        "signed with its public key as a secret",
        () => jwt({ ...header, alg: "HS256" }, claims(), hs256(JSON.stringify(attacker.jwk))),
        "dpop-malformed",
      ],
      ["without a signature", () => jwt(header, claims(), unsigned), "dpop-malformed"],
      ["with somebody else's key", () => proof({}, { jwk: ecKey().jwk }), "dpop-signature"],
      ["with a critical extension", () => proof({}, { crit: ["b64"], b64: false }), "dpop-signature"],
      ["with typ JWT", () => proof({}, { typ: "JWT" }), "dpop-malformed"],
      ["without typ", () => proof({}, { typ: undefined }), "dpop-malformed"],
      ["for another method", () => proof({ htm: "GET" }), "dpop-method"],
      ["for a method in small letters", () => proof({ htm: "post" }), "dpop-method"],
      ["for another endpoint", () => at((url) => url.replace("/token", "/introspect")), "dpop-url"],
      ["for another scheme", () => at((url) => url.replace("http:", "https:")), "dpop-url"],
      ["for another port", () => at((url) => url.replace(/:\d+\//, ":1/")), "dpop-url"],
      [
        "for another host that is this machine too",
        () => at((url) => url.replace("127.0.0.1", "localhost")),
        "dpop-url",
      ],
      ["for the path in capitals", () => at((url) => url.replace("/token", "/TOKEN")), "dpop-url"],
      ["for a path that goes on", () => at((url) => `${url}/`), "dpop-url"],
      ["for a URL with credentials", () => at((url) => url.replace("//", "//a:b@")), "dpop-url"],
      ["for a list of URLs", () => proof({ htu: [door().url] }), "dpop-url"],
      ["without jti", () => proof({ jti: undefined }), "dpop-malformed"],
      ["with a jti without end", () => proof({ jti: "x".repeat(2_000) }), "dpop-malformed"],
      ["with a time that is text", () => proof({ iat: "now" }), "dpop-malformed"],
      ["of a time beyond all numbers", () => proof({ iat: 1e300 }), "dpop-time"],
      ["of before the epoch", () => proof({ iat: -1 }), "dpop-time"],
    ])("%s", async (_, dpop, reason) => {
      await expectReason(door(), knock(door(), { headers: { dpop: dpop() } }), "invalid_dpop_proof", reason);
    });

    test.each([
      ["five minutes ahead", 300],
      ["five minutes behind", -300],
    ])("of a clock that is %s, and the record says it is the clock", async (_, seconds) => {
      const dpop = proof({ iat: Math.floor(door().now()) + seconds });
      await expectReason(door(), knock(door(), { headers: { dpop } }), "invalid_dpop_proof", "dpop-time");
      expect(door().last().detail).toContain("clock");
    });

    test("that was used before, though with another request", async () => {
      const headers = { dpop: proof() };
      expect((await knock(door(), { headers })).status).toBe(200);
      await expectReason(door(), knock(door(), { headers }), "invalid_dpop_proof", "dpop-replayed");
    });

    test("a hundred times at once: one counts", async () => {
      const headers = { dpop: proof() };
      const all = await Promise.all(Array.from({ length: 100 }, () => knock(door(), { headers })));
      const [granted, refused] = [200, 400].map((status) => all.filter((answer) => answer.status === status));
      expect([granted?.length, refused?.length]).toEqual([1, 99]);
      expect(new Set(refused?.map(expectOAuthError))).toEqual(new Set(["invalid_dpop_proof"]));
    });

    test("and a good one with a query in its URL is not", async () => {
      expect((await knock(door(), { headers: { dpop: at((url) => `${url}?x=1#y`) } })).status).toBe(200);
    });
  });
});

describe("a certificate that a trusted proxy hands on", () => {
  test.each<[string, string | string[]]>([
    ["twice", [":AAAA:", ":AAAA:"]],
    ["that is no byte sequence", "AAAA"],
    ["that is empty", "::"],
    ["that is PEM", "-----BEGIN CERTIFICATE-----"],
    ["that is no certificate", `:${Buffer.alloc(400).toString("base64")}:`],
    ["that is huge", `:${"A".repeat(14_000)}:`],
    ["with another item behind it", ":AAAA:;x=1, :AAAA:"],
  ])("%s is refused", async (_, header) => {
    await using own = await startHouse({ server: { clientCertHeader: true, trustedProxies: ["127.0.0.1"] } });
    const token = (await own.signIn(own.agent("assistant"))).signIn().idToken;
    const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: token });
    const noted = watch(own);
    const headers = { "content-type": FORM, authorization: doors.exchange.authorization, "client-cert": header };
    expect(expectOAuthError(await send(`${own.issuer}/token`, headers, String(form)))).toBe("invalid_request");
    expect(noted.map(({ reason }) => reason)).toEqual(["certificate-malformed"]);
  });
});

describe("a server with nonces refuses a proof", () => {
  let nonceHouse: House;
  let token: string;
  const key = generateDpopKey();
  beforeAll(async () => {
    nonceHouse = await startHouse({ server: { dpopNonces: true } });
    token = (await nonceHouse.signIn(nonceHouse.agent("assistant"))).signIn().idToken;
  });
  afterAll(() => nonceHouse[Symbol.asyncDispose]());

  test.each<[string, () => Promise<string | undefined>]>([
    ["without one", async () => undefined],
    ["with one that is empty", async () => ""],
    ["with one without end", async () => "x".repeat(1_000)],
    ["with one of another server", async () => dpopNonces(new Uint8Array(32)).current(Date.now() / 1_000)],
  ])("%s, and gives a good one", async (_, nonceOf) => {
    const url = `${nonceHouse.issuer}/token`;
    const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: token });
    const headers = async (nonce: string | undefined) => ({
      "content-type": FORM,
      authorization: doors.exchange.authorization,
      dpop: await createDpopProof(await key, { method: "POST", url, now: Date.now() / 1_000, nonce }),
    });
    const refused = await send(url, await headers(await nonceOf()), String(form));
    expect(expectOAuthError(refused)).toBe("use_dpop_nonce");
    const nonce = String(refused.headers["dpop-nonce"]);
    expect((await send(url, await headers(nonce), String(form))).status).toBe(200);
  });
});

describe("at the resource", () => {
  const NEEDED = "ledger.read";
  let resource: Awaited<ReturnType<typeof listen>>;
  let own: App;
  let key: DpopKey;
  beforeAll(async () => {
    key = await generateDpopKey();
    resource = await listen((request) =>
      own.server.protect({ scopes: [NEEDED] }, (_, access) => Response.json({ sub: access.sub }))(request),
    );
    own = await startApp(() => ({ resources: { [`${resource.url}/mcp`]: { scopes: { [NEEDED]: "Read" } } } }));
  });
  afterAll(async () => {
    await resource[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
  });
  const tokenFor = async (bound: boolean) => {
    const assertion = await own.idJag({ resource: `${resource.url}/mcp`, ...(bound ? { cnf: { jkt: key.jkt } } : {}) });
    const url = `${own.url}/token`;
    const dpop = bound ? { dpop: await createDpopProof(key, { method: "POST", url, now: NOON }) } : {};
    return String((await own.redeem({ assertion }, dpop)).body.access_token);
  };
  const proofFor = (accessToken: string | undefined, more: { url?: string; method?: string } = {}) =>
    createDpopProof(key, { method: "POST", url: `${resource.url}/mcp/x`, now: NOON, accessToken, ...more });

  test.each<[string, boolean, (token: string) => Promise<HostileHeaders>, string, string]>([
    [
      "a bound token as a bearer token",
      true,
      async (token) => ({ authorization: `Bearer ${token}` }),
      "invalid_token",
      "access-token-proof",
    ],
    [
      "a bound token as a bearer token, beside its proof",
      true,
      async (token) => ({ authorization: `Bearer ${token}`, dpop: await proofFor(token) }),
      "invalid_token",
      "access-token-proof",
    ],
    [
      "a bearer token as a bound one",
      false,
      async (token) => ({ authorization: `DPoP ${token}`, dpop: await proofFor(token) }),
      "invalid_token",
      "access-token-proof",
    ],
    [
      "a proof without ath",
      true,
      async (token) => ({ authorization: `DPoP ${token}`, dpop: await proofFor(undefined) }),
      "invalid_dpop_proof",
      "dpop-token",
    ],
    [
      "a proof for another token",
      true,
      async (token) => ({ authorization: `DPoP ${token}`, dpop: await proofFor(`${token}x`) }),
      "invalid_dpop_proof",
      "dpop-token",
    ],
    [
      "a proof for the token endpoint",
      true,
      async (token) => ({ authorization: `DPoP ${token}`, dpop: await proofFor(token, { url: `${own.url}/token` }) }),
      "invalid_dpop_proof",
      "dpop-url",
    ],
    [
      "two proofs",
      true,
      async (token) => ({ authorization: `DPoP ${token}`, dpop: [await proofFor(token), await proofFor(token)] }),
      "invalid_dpop_proof",
      "dpop-malformed",
    ],
    [
      "a token with a space in it",
      false,
      async (token) => ({ authorization: `Bearer ${token} x` }),
      "invalid_token",
      "access-token-malformed",
    ],
    [
      "a token that is longer than any",
      false,
      async () => ({ authorization: `Bearer ${"x".repeat(12_000)}` }),
      "invalid_token",
      "access-token-malformed",
    ],
  ])("%s opens nothing", async (_, bound, headersOf, error, reason) => {
    const token = await tokenFor(bound);
    const answer = await send(`${resource.url}/mcp/x`, await headersOf(token), "");
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.text).error).toBe(error);
    expect(own.events.at(-1)).toMatchObject({ kind: "access", outcome: "refused", reason });
  });

  test("the token that all of these are made from opens it", async () => {
    const token = await tokenFor(true);
    const headers = { authorization: `DPoP ${token}`, dpop: await proofFor(token) };
    expect((await send(`${resource.url}/mcp/x`, headers, "")).status).toBe(200);
  });
});
