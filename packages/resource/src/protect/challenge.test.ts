/** Which challenge tells a client what: RFC 9449 §7.1 and §7.2, RFC 6750 §3.1, RFC 9728 §5.1. */
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { type Challenge, parseChallenges } from "@credence/protocol/metadata";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type House, house, NOON } from "../house.testing.ts";
import type { ProtectOptions } from "../server.ts";

const key = await generateDpopKey();
const ALGS = JWS_ALGORITHMS.join(" ");

let home: House;
let strict: House;
beforeAll(async () => {
  home = await house();
  strict = await house(({ resources }) => ({
    resources: Object.fromEntries(Object.entries(resources).map(([id, one]) => [id, { ...one, requireBound: true }])),
  }));
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
});

/** What a call is answered with; the handler is never reached. */
async function challengesOf(
  at: House,
  headers: Record<string, string>,
  needs: ProtectOptions = { scopes: ["ledger.read"] },
): Promise<readonly Challenge[]> {
  const serve = at.server.protect(needs, () => new Response("in"));
  const answer = await serve(new Request(at.resource, { headers }));
  expect(answer.status).toBe(401);
  return parseChallenges(answer.headers.get("www-authenticate"));
}

const boundToken = async (at = home) => {
  const proof = await createDpopProof(key, { method: "POST", url: `${at.url}/token`, now: NOON });
  const { body } = await at.redeem({ assertion: await at.idJag({ cnf: { jkt: key.jkt } }) }, { dpop: proof });
  return String(body.access_token);
};
const proofFor = (accessToken: string, more = {}) =>
  createDpopProof(key, { method: "GET", url: home.resource, accessToken, now: NOON, ...more });

describe("an error is told in the challenge of the scheme that was tried:", () => {
  test("a bearer token's in Bearer", async () => {
    const [challenge, ...others] = await challengesOf(home, { authorization: "Bearer x" });
    expect(challenge).toMatchObject({ scheme: "bearer", parameters: { error: "invalid_token" } });
    expect(others).toEqual([]);
  });

  test("a bound token's that comes as a bearer token in Bearer", async () => {
    const [challenge] = await challengesOf(home, { authorization: `Bearer ${await boundToken()}` });
    expect(challenge).toMatchObject({ scheme: "bearer", parameters: { error: "invalid_token" } });
  });

  test.each<[string, (token: string) => Promise<Record<string, string>>, string]>([
    ["no proof", async () => ({}), "invalid_token"],
    [
      "a proof that is too old",
      async (one) => ({ dpop: await proofFor(one, { now: NOON - 300 }) }),
      "invalid_dpop_proof",
    ],
    ["a proof for another token", async () => ({ dpop: await proofFor("other") }), "invalid_dpop_proof"],
  ])("a DPoP token's with %s in DPoP, with the algorithms that are taken", async (_, proof, error) => {
    const token = await boundToken();
    const [challenge, ...others] = await challengesOf(home, {
      authorization: `DPoP ${token}`,
      ...(await proof(token)),
    });
    expect(challenge).toMatchObject({ scheme: "dpop", parameters: { error, algs: ALGS } });
    expect(challenge?.parameters.resource_metadata).toBe(home.server.resourceMetadataUrl());
    expect(others).toEqual([]);
  });
});

describe("a sign-in that is not enough is told in the challenge, with what would be:", () => {
  test.each<[string, ProtectOptions, Record<string, string>]>([
    ["how old it may be", { maxAge: 60 }, { max_age: "60" }],
    ["how strong it must be", { acrValues: ["phr", "mfa"] }, { acr_values: "phr mfa" }],
  ])("%s, and nothing else", async (_, needs, told) => {
    const { body } = await home.redeem();
    const [challenge] = await challengesOf(home, { authorization: `Bearer ${body.access_token}` }, needs);
    const resource_metadata = home.server.resourceMetadataUrl();
    expect(challenge).toEqual({
      scheme: "bearer",
      parameters: { error: "insufficient_user_authentication", ...told, resource_metadata },
    });
  });
});

test("a call that needs no scope is told of none", async () => {
  const [challenge] = await challengesOf(home, {}, {});
  expect(challenge?.parameters).toEqual({ resource_metadata: home.server.resourceMetadataUrl() });
});

describe("a request without a token is told no error", () => {
  test("where bearer tokens do", async () => {
    const [challenge] = await challengesOf(home, {});
    expect(challenge?.scheme).toBe("bearer");
    expect(challenge?.parameters).not.toHaveProperty("error");
  });

  test("where only bound ones do: the scheme is DPoP, with the algorithms that are taken", async () => {
    const [challenge] = await challengesOf(strict, {});
    expect(challenge).toMatchObject({ scheme: "dpop", parameters: { algs: ALGS, scope: "ledger.read" } });
    expect(challenge?.parameters).not.toHaveProperty("error");
  });
});
