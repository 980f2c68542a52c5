import { JWS_ALGORITHMS, type JwsAlgorithm } from "@credence/protocol/jws";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exchange, secretOf } from "./exchange.testing.ts";
import { acme, type House, startHouse } from "./house.testing.ts";
import { publishedKeys } from "./key-rotation.testing.ts";

const algorithms: JwsAlgorithm[] = ["EdDSA", ...JWS_ALGORITHMS.filter((alg) => alg !== "EdDSA")];
let house: House;
beforeAll(async () => {
  house = await startHouse({ server: { keys: { algorithms } } });
});
afterAll(() => house[Symbol.asyncDispose]());

const metadata = async (from = house) =>
  (await (await fetch(`${from.issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>;

async function withAlg(alg: JwsAlgorithm | undefined, from = house) {
  const organization = acme();
  const agents = organization.agents.map((agent) => (alg === undefined ? agent : { ...agent, idTokenAlg: alg }));
  await from.change({ ...organization, agents });
}

async function verified(token: string) {
  const keys = createLocalJWKSet({ keys: [...(await publishedKeys(house))] as never });
  return jwtVerify(token, keys, { issuer: house.issuer });
}

test("metadata says what ID tokens can be signed with, and nothing else", async () => {
  expect((await metadata()).id_token_signing_alg_values_supported).toEqual(algorithms);
  expect(new Set((await publishedKeys(house)).map(({ alg }) => alg))).toEqual(new Set(algorithms));
});

test.each([...algorithms, undefined])("an agent has its ID tokens signed by %s, and exchanges them", async (alg) => {
  await withAlg(alg);
  const { idToken } = (await house.signIn(house.agent("assistant"))).signIn();
  expect((await verified(idToken)).protectedHeader.alg).toBe(alg ?? "EdDSA");
  const { status, body } = await exchange(house, { subjectToken: idToken, client: secretOf("assistant") });
  expect(status).toBe(200);
  // ID-JAGs are for apps that verify all of them: the deployment's first.
  expect((await verified(String(body.access_token))).protectedHeader.alg).toBe("EdDSA");
});

test("an algorithm that the deployment does not name signs nothing, and no ID token by it counts", async () => {
  await using small = await startHouse({ server: { keys: { algorithms: ["ES256"] } } });
  expect((await metadata(small)).id_token_signing_alg_values_supported).toEqual(["ES256"]);
  await withAlg("RS256", small);
  await expect(small.signIn(small.agent("assistant"))).rejects.toThrow();
  await withAlg("RS256");
  const { idToken } = (await house.signIn(house.agent("assistant"))).signIn();
  await withAlg(undefined, small);
  const { status, body } = await exchange(small, { subjectToken: idToken });
  expect([status, body.error]).toEqual([400, "invalid_grant"]);
});
