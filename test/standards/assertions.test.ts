/** What RFC 7521 and RFC 7523 ask of a client assertion, where no other test looks: at a receiver, over real HTTP. */
import { CLIENT_ASSERTION_TYPE } from "@credence/protocol/client-auth";
import { generateSigningKey, importSigner, signJwt } from "@credence/protocol/jws";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLIENT, expectRefused, type House, house, NOON } from "../../packages/resource/src/house.testing.ts";

const { clientId } = CLIENT;
const keys = await Promise.all((["ES256", "RS256"] as const).map((alg) => generateSigningKey(alg)));
const [es256, rs256] = await Promise.all(keys.map(({ privateJwk }) => importSigner(privateJwk)));

let home: House;
beforeAll(async () => {
  const registered = { method: "private_key_jwt", jwks: { keys: keys.map(({ publicJwk }) => publicJwk) } } as const;
  // The other agent has the same keys, so that nothing but the names tells them apart.
  home = await house(() => ({
    clients: [
      { clientId, ...registered },
      { clientId: "other-agent", ...registered },
    ],
  }));
});
afterAll(() => home[Symbol.asyncDispose]());

const assertion = (change: object = {}, signer = es256) => {
  if (signer === undefined) throw new Error("no signer");
  const claims = { iss: clientId, sub: clientId, aud: home.url, jti: crypto.randomUUID(), exp: NOON + 60 };
  return signJwt("client-authentication+jwt", { ...claims, ...change }, signer);
};

async function redeem(parameters: Record<string, string>) {
  const form = {
    grant_type: JWT_BEARER_GRANT,
    assertion: await home.idJag(),
    client_assertion_type: CLIENT_ASSERTION_TYPE,
  };
  return home.post(new URLSearchParams({ ...form, ...parameters }).toString(), { authorization: "" });
}

describe("a client assertion", () => {
  test.each([
    ["alone", {}],
    ["with the same client_id beside it", { client_id: clientId }],
  ])("%s says who the client is", async (_, beside) => {
    expect((await redeem({ client_assertion: await assertion(), ...beside })).status).toBe(200);
  });

  test("signed with RS256 counts, as one with ES256 does", async () => {
    for (const signer of [es256, rs256]) {
      expect((await redeem({ client_assertion: await assertion({}, signer) })).status).toBe(200);
    }
  });

  test.each<[string, () => Promise<Record<string, string>>]>([
    ["beside another client's id", async () => ({ client_assertion: await assertion(), client_id: "other-agent" })],
    ["about another client than made it", async () => ({ client_assertion: await assertion({ sub: "other-agent" }) })],
    [
      "made by another client than it is about",
      async () => ({ client_assertion: await assertion({ iss: "other-agent" }) }),
    ],
  ])("%s is refused", async (_, parameters) => {
    expectRefused(await redeem(await parameters()), 401, "invalid_client", "client-assertion-issuer");
  });

  test.each<[string, () => Promise<string>]>([
    ["two of them", async () => `${await assertion()} ${await assertion()}`],
    ["two of them with a comma", async () => `${await assertion()},${await assertion()}`],
    ["one with something after it", async () => `${await assertion()}~`],
    ["none", async () => "x"],
  ])("that is %s is refused", async (_, made) => {
    expectRefused(
      await redeem({ client_assertion: await made() }),
      401,
      "invalid_client",
      "client-assertion-malformed",
    );
  });

  test.each<[string, Record<string, string>]>([
    ["without its type", { client_assertion_type: "" }],
    ["of another type", { client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer" }],
  ])("%s is refused", async (_, type) => {
    const answer = await redeem({ client_assertion: await assertion(), ...type });
    expectRefused(answer, 401, "invalid_client", "client-assertion-malformed");
  });
});
