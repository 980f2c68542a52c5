import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeIdJag, ID_JAG_TYP, type IdJagClaims, type IdJagExpectations, signIdJag, verifyIdJag } from "./id-jag.ts";
import { generateSigningKey, importSigner, type JwkSet, jwksKeys, type Signer, signJwt } from "./jws.ts";

const NOW = 1_800_000_000;
const claims: IdJagClaims = {
  iss: "https://idp.acme.example",
  sub: "alice",
  aud: "https://ledger.example",
  client_id: "ledger-assistant",
  jti: "one",
  iat: NOW,
  exp: NOW + 300,
  resource: "https://ledger.example/mcp",
  scope: "ledger.read",
};
const expected: IdJagExpectations = {
  issuer: claims.iss,
  audience: claims.aud,
  clientId: claims.client_id,
  algorithms: ["ES256"],
  skew: 30,
  maxLifetime: 600,
};

let signer: Signer;
let jwks: JwkSet;
beforeAll(async () => {
  const key = await generateSigningKey("ES256");
  signer = await importSigner(key.privateJwk);
  jwks = { keys: [key.publicJwk] };
});

async function outcome(change: object, expectations: Partial<IdJagExpectations> = {}, now = NOW): Promise<string> {
  const token = await signJwt(ID_JAG_TYP, { ...claims, ...change }, signer);
  const decoded = decodeIdJag(token);
  if (!decoded.ok) return decoded.refusal.reason;
  const verified = await verifyIdJag(decoded.value, { ...expected, ...expectations }, jwksKeys(jwks), now);
  return verified.ok ? "ok" : verified.refusal.reason;
}

describe("an ID-JAG is accepted", () => {
  test.each<[string, object]>([
    ["as the draft shows it", {}],
    ["with the audience as an array of exactly one", { aud: [claims.aud] }],
    ["with several resources", { resource: ["https://ledger.example/a", "https://ledger.example/b"] }],
    ["with claims that we do not know", { groups: ["finance"], something: { else: 1 } }],
    ["with the authentication's circumstances", { auth_time: NOW - 5, acr: "urn:a", amr: ["pwd"], email: "a@b.c" }],
  ])("%s", async (_, change) => {
    expect(await outcome(change)).toBe("ok");
  });

  test("until its expiry and the skew have passed", async () => {
    expect(await outcome({}, {}, claims.exp + 29)).toBe("ok");
    expect(await outcome({}, {}, claims.exp + 30)).toBe("id-jag-expired");
  });
});

describe("an ID-JAG is refused", () => {
  test.each<[string, object, string]>([
    ["without iss", { iss: undefined }, "id-jag-claim"],
    ["without sub", { sub: undefined }, "id-jag-claim"],
    ["with an empty sub", { sub: "" }, "id-jag-claim"],
    ["with a numeric sub", { sub: 7 }, "id-jag-claim"],
    ["without aud", { aud: undefined }, "id-jag-audience"],
    ["without client_id", { client_id: undefined }, "id-jag-claim"],
    ["without jti", { jti: undefined }, "id-jag-claim"],
    ["without exp", { exp: undefined }, "id-jag-claim"],
    ["without iat", { iat: undefined }, "id-jag-claim"],
    ["with exp as text", { exp: `${NOW + 300}` }, "id-jag-claim"],
    ["with scope as a list", { scope: ["a"] }, "id-jag-claim"],
    ["with an empty list of resources", { resource: [] }, "id-jag-claim"],
    ["with authorization_details that are no array", { authorization_details: "{}" }, "id-jag-claim"],
    ["with cnf as text", { cnf: "x" }, "id-jag-claim"],
    ["with amr as text", { amr: "pwd" }, "id-jag-claim"],
    ["of another issuer", { iss: "https://idp.evil.example" }, "id-jag-issuer"],
    ["with a multi-valued audience that has ours in it", { aud: [claims.aud, "https://x.example"] }, "id-jag-audience"],
    ["with an empty audience list", { aud: [] }, "id-jag-audience"],
    ["with our issuer and a slash as audience", { aud: `${claims.aud}/` }, "id-jag-audience"],
    ["with a prefix of our issuer as audience", { aud: "https://ledger.exampl" }, "id-jag-audience"],
    ["with our token endpoint as audience", { aud: `${claims.aud}/token` }, "id-jag-audience"],
    ["made for another client", { client_id: "ledger-crawler" }, "id-jag-client"],
    ["that has expired", { iat: NOW - 400, exp: NOW - 31 }, "id-jag-expired"],
    ["issued in the future", { iat: NOW + 31 }, "id-jag-not-yet-valid"],
    ["not valid before a time to come", { nbf: NOW + 31 }, "id-jag-not-yet-valid"],
    ["that lives too long", { exp: NOW + 601 }, "id-jag-lifetime"],
  ])("%s", async (_, change, reason) => {
    expect(await outcome(change)).toBe(reason);
  });

  test.each(["JWT", "at+jwt", "id-jag+jwt"])("whose typ is %s", async (typ) => {
    const decoded = decodeIdJag(await signJwt(typ, claims, signer));
    expect(decoded.ok ? "ok" : decoded.refusal.reason).toBe("id-jag-typ");
  });

  test("whose signature algorithm is not allowed for the issuer", async () => {
    expect(await outcome({}, { algorithms: ["RS256"] })).toBe("id-jag-algorithm");
  });

  test("signed by somebody else", async () => {
    const stranger = await generateSigningKey("ES256");
    const forged = await signIdJag(claims, await importSigner({ ...stranger.privateJwk, kid: signer.kid }));
    const decoded = decodeIdJag(forged);
    const verified = decoded.ok && (await verifyIdJag(decoded.value, expected, jwksKeys(jwks), NOW));
    expect(verified && !verified.ok && verified.refusal.reason).toBe("id-jag-signature");
  });

  test("while the issuer's keys can not be had, as unavailable and not as invalid", async () => {
    const decoded = decodeIdJag(await signIdJag(claims, signer));
    const keys = () => Promise.reject(new Error("down"));
    const verified = decoded.ok && (await verifyIdJag(decoded.value, expected, keys, NOW));
    expect(verified && !verified.ok && verified.refusal.reason).toBe("issuer-keys-unavailable");
  });

  test("without a word of its content in the refusal", async () => {
    const decoded = decodeIdJag(await signJwt(ID_JAG_TYP, { ...claims, sub: { s3cret: 1 } }, signer));
    expect(JSON.stringify(decoded)).not.toContain("s3cret");
  });
});

test("decoding never throws, whatever the payload", async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (payload) => {
      const decoded = decodeIdJag(await signJwt(ID_JAG_TYP, { ...claims, ...payload }, signer));
      expect(typeof decoded.ok).toBe("boolean");
    }),
    { numRuns: 50 },
  );
});
