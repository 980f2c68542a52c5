import { generateDpopKey } from "@credence/protocol/dpop";
import { JWT_BEARER_GRANT, JWT_DPOP_GRANT } from "@credence/protocol/jwt-bearer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { webCrypto } from "../crypto.ts";
import { basic, CLIENT, type House, house, listen, NOON } from "../house.testing.ts";
import type { GrantOptions } from "../options.ts";
import type { Facts } from "../record.ts";
import { memoryStore } from "../store.ts";
import { grantPorts } from "./ports.ts";
import { grantFor, type Receiver, type RedeemingClient, redeem } from "./redeem.ts";

let home: House;
beforeAll(async () => {
  home = await house();
});
afterAll(() => home[Symbol.asyncDispose]());

const HEADER = { alg: "ES256", kid: "k1", typ: "oauth-id-jag+jwt" };

/** The parts of a redemption for the house's app and IdP, whose keys need not be fetched. */
function ports(more: Partial<GrantOptions> = {}) {
  const options: GrantOptions = {
    issuer: home.url,
    resources: { [home.resource]: { scopes: { "ledger.read": "Read entries" } } },
    customers: [{ id: "acme", issuers: [{ issuer: home.idp.issuer, jwks: { keys: [home.idp.key.publicJwk] } }] }],
    resolveSubject: ({ customer, sub }) => ({ id: `${customer}/${sub}` }),
    record: () => {},
    now: () => NOON,
    ...more,
  };
  return grantPorts(options, memoryStore({ now: () => NOON }));
}

describe("an issuer's keys", () => {
  test("are waited for no longer than the app has said", async () => {
    await using silent = await listen(() => new Promise(() => {}));
    const issuer = { issuer: silent.url, jwksUri: `${silent.url}/jwks` };
    const keys = ports({ development: true, timeout: 0.05 }).keysOf(issuer);
    await expect(keys(HEADER)).rejects.toMatchObject({ code: "network", reason: "timeout" });
  }, 2_000);

  test("are fetched from this machine in development, and never else", async () => {
    const { issuer } = home.idp;
    const fetched = home.idp.asked.jwks;
    await expect(ports().keysOf({ issuer, jwksUri: `${issuer}/jwks` })(HEADER)).rejects.toThrow();
    expect(home.idp.asked.jwks).toBe(fetched);
    const { kid = "" } = home.idp.key.publicJwk;
    const keys = ports({ development: true }).keysOf({ issuer, jwksUri: `${issuer}/jwks` });
    expect(await keys({ ...HEADER, kid })).toBeDefined();
  });
});

describe("a grant, without a token", () => {
  const grant = async (claims: Record<string, unknown>, client: RedeemingClient, by?: { jkt: string }) => {
    const assertion = await home.idJag({ client_id: client.clientId, ...claims });
    const proof = by && { binding: by };
    return grantFor({ assertion, scope: undefined, resource: [] }, client, proof, ports(), {});
  };
  const desktop: RedeemingClient = { clientId: "desktop", method: "none" };

  test("is a public client's only where the ID-JAG is bound to its key, though nothing says that it must be", async () => {
    const refusal = { reason: "id-jag-unbound", detail: "public client" };
    expect(await grant({}, desktop)).toEqual({ ok: false, refusal });
    const { jkt } = await generateDpopKey();
    expect(await grant({}, desktop, { jkt })).toEqual({ ok: false, refusal });
    expect(await grant({ cnf: { jkt } }, desktop, { jkt })).toMatchObject({ ok: true, value: { binding: { jkt } } });
  });

  test("is a confidential client's for an ID-JAG that is bound to nothing", async () => {
    const client = { clientId: CLIENT.clientId, method: CLIENT.method };
    expect(await grant({}, client)).toMatchObject({ ok: true, value: { account: { id: "acme/alice" } } });
  });

  test("notes what it learns, the issuer's tenant first of all", async () => {
    const facts: Facts = {};
    const assertion = await home.idJag({ tenant: "t1", jti: "jag-9" });
    const client = { clientId: CLIENT.clientId, method: CLIENT.method };
    const refused = await grantFor({ assertion, scope: undefined, resource: [] }, client, undefined, ports(), facts);
    expect(refused).toMatchObject({ refusal: { reason: "id-jag-issuer" } });
    expect(facts).toEqual({ iss: home.idp.issuer, tenant: "t1", sub: "alice", jti: "jag-9" });
  });
});

describe("a redemption of a Web request, by its parts", () => {
  const receiver = (): Receiver => ({
    ...ports(),
    lifetime: 60,
    findClient: async (id) => (id === CLIENT.clientId ? CLIENT : undefined),
    tokenEndpoint: `${home.url}/token`,
    nonces: undefined,
    issue: async ({ sub, exp }) => `token for ${sub} until ${exp}`,
  });
  const request = (form: Record<string, string>) =>
    new Request(`${home.url}/token`, {
      method: "POST",
      headers: { authorization: basic(CLIENT.clientId, CLIENT.clientSecret) },
      body: new URLSearchParams(form),
    });

  test("gives the token that `issue` made, its claims and scopes, and what was learned", async () => {
    const assertion = await home.idJag();
    const { outcome, facts } = await redeem(request({ grant_type: JWT_BEARER_GRANT, assertion }), receiver());
    expect(outcome).toMatchObject({
      ok: true,
      value: { accessToken: `token for acme/alice until ${NOON + 60}`, scope: ["ledger.read"] },
    });
    expect(facts).toMatchObject({ verified: true, client: CLIENT.clientId, granted: ["ledger.read"] });
  });

  test.each<[string, Record<string, string>, object]>([
    ["no grant_type", { assertion: "x" }, { reason: "parameter-missing", detail: "grant_type" }],
    ["another grant", { grant_type: "password", assertion: "x" }, { reason: "grant-type-unsupported" }],
    [
      "the grant for bound ID-JAGs, and no proof",
      { grant_type: JWT_DPOP_GRANT, assertion: "x" },
      { reason: "id-jag-unbound", detail: "no proof" },
    ],
  ])("refuses %s, and says that nothing was verified", async (_, form, refusal) => {
    const { outcome, facts } = await redeem(request(form), receiver());
    expect(outcome).toEqual({ ok: false, refusal });
    expect(facts.verified).toBe(false);
  });
});

test("keys and hashes are the app's own throughout, where it gives them", async () => {
  const used = { keys: 0, hashes: 0 };
  const crypto: typeof webCrypto = {
    ...webCrypto,
    keysOf(jwks) {
      used.keys += 1;
      return webCrypto.keysOf(jwks);
    },
    sha256(text) {
      used.hashes += 1;
      return webCrypto.sha256(text);
    },
  };
  const own = ports({ crypto });
  const assertion = await home.idJag();
  const client = { clientId: CLIENT.clientId, method: CLIENT.method };
  expect(await grantFor({ assertion, scope: undefined, resource: [] }, client, undefined, own, {})).toMatchObject({
    ok: true,
  });
  // The issuer's set; the ID-JAG's mark, and its five epochs.
  expect(used).toEqual({ keys: 1, hashes: 6 });
});
