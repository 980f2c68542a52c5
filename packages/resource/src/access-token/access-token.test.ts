import { jwksKeys } from "@credence/protocol/jws";
import { expect, test } from "vitest";
import { NOON, newKey } from "../house.testing.ts";
import { checkAccessToken, signAccessToken } from "./access-token.ts";
import type { AccessTokenClaims } from "./claims.ts";

const issuer = "https://ledger.example";
const resource = `${issuer}/mcp`;
const key = await newKey();
const expected = { issuer, resource, keys: jwksKeys({ keys: [key.publicJwk] }), algorithms: ["ES256"] } as const;
const claims: AccessTokenClaims = {
  iss: issuer,
  aud: resource,
  sub: "acme/alice",
  client_id: "assistant",
  jti: "token-1",
  iat: NOON,
  exp: NOON + 300,
  customer: "acme",
  scope: "ledger.read",
  root: { iss: "https://idp.example", jti: "id-jag-1", iat: NOON, sub: "alice" },
};
const token = await signAccessToken(claims, key.signer);

test("an access token gives its claims, where the call needs no scope or one that it has", async () => {
  expect(await checkAccessToken(token, expected, NOON)).toEqual({ ok: true, value: claims });
  const value = await checkAccessToken(token, { ...expected, scopes: ["ledger.read"] }, NOON + 299);
  expect(value).toEqual({ ok: true, value: claims });
});

test("an access token is refused for who made it before it is for what it is good for", async () => {
  const forged = await signAccessToken({ ...claims, exp: NOON }, { ...(await newKey()).signer, kid: key.signer.kid });
  expect(await checkAccessToken(forged, expected, NOON)).toMatchObject({
    refusal: { reason: "access-token-signature" },
  });
  expect(await checkAccessToken(token, expected, NOON + 300)).toMatchObject({
    refusal: { reason: "access-token-expired" },
  });
});

test("the scopes that an access token lacks stand in the reason, all of them", async () => {
  const scopes = ["ledger.write", "ledger.read", "ledger.close"];
  expect(await checkAccessToken(token, { ...expected, scopes }, NOON)).toEqual({
    ok: false,
    refusal: { reason: "scope-insufficient", detail: "ledger.write ledger.close" },
  });
});
