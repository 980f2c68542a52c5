import { describe, expect, test } from "vitest";
import { signAccessToken } from "../access-token/access-token.ts";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { NOON, newKey } from "../house.testing.ts";
import type { LivenessInput } from "../options.ts";
import type { ReceiverEvent } from "../record.ts";
import { memoryStore } from "../store.ts";
import { type CheckPorts, type Needs, tokenChecker, tokenReader } from "./check.ts";

const issuer = "https://ledger.example";
const resource = `${issuer}/mcp`;
const key = await newKey();
const root = { iss: "https://idp.example", jti: "id-jag-1", iat: NOON, sub: "alice" };
const claims: AccessTokenClaims = {
  iss: issuer,
  aud: resource,
  sub: "acme/alice",
  client_id: "assistant",
  jti: "token-1",
  iat: NOON - 10,
  exp: NOON + 300,
  customer: "acme",
  root,
};
const signed = (change: Partial<AccessTokenClaims> = {}) => signAccessToken({ ...claims, ...change }, key.signer);

function ports(change: Partial<CheckPorts> = {}): CheckPorts & { readonly events: ReceiverEvent[] } {
  const events: ReceiverEvent[] = [];
  return {
    events,
    issuer,
    jwks: { keys: [key.publicJwk] },
    ownFormat: undefined,
    isAlive: async () => true,
    consume: memoryStore({ now: () => NOON }).consume,
    record: async (event) => void events.push(event),
    now: () => NOON,
    ...change,
  };
}

/** Why a token is refused for what a call needs, as the answer and the record have it. */
async function outcomeOf(change: Partial<AccessTokenClaims>, needs: Partial<Needs>): Promise<object | "good"> {
  const check = tokenChecker(ports());
  const checked = await check({ token: await signed(change) }, { resource, scopes: [], ...needs });
  return checked.ok ? "good" : checked.refusal;
}

describe("a reader of tokens", () => {
  test("gives the claims of a token for whatever resource, and asks whether its grant still counts", async () => {
    const asked: LivenessInput[] = [];
    const isAlive = async (grant: LivenessInput) => asked.push(grant) > 0;
    const read = tokenReader(ports({ isAlive }));
    const elsewhere = { ...claims, aud: "https://ledger.example/other" };
    expect(await read(await signed(elsewhere))).toEqual(elsewhere);
    expect(asked).toEqual([
      { customer: "acme", clientId: "assistant", root, issuedAt: NOON - 10, accessToken: "token-1" },
    ]);
  });

  test.each<[string, Partial<CheckPorts>, () => Promise<string>]>([
    ["that has expired", {}, () => signed({ exp: NOON })],
    ["of another issuer", {}, () => signed({ iss: "https://as.example" })],
    ["that is none", {}, async () => "a b"],
    ["whose grant counts no longer", { isAlive: async () => false }, () => signed()],
  ])("gives nothing of a token %s", async (_, change, token) => {
    expect(await tokenReader(ports(change))(await token())).toBeUndefined();
  });

  test("gives nothing that it could not ask about", async () => {
    const isAlive = () => Promise.reject(new Error("down"));
    await expect(tokenReader(ports({ isAlive }))(await signed())).rejects.toThrow("down");
  });
});

describe("a call that needs a sign-in", () => {
  const rooted = (authTime: number) => ({ root: { ...root, auth_time: authTime } });
  const old = { reason: "sign-in-too-old", wire: { max_age: 60 } };

  test.each<[string, Partial<AccessTokenClaims>, Partial<Needs>, object | "good"]>([
    ["of a minute ago at the most, and it is", rooted(NOON - 60), { maxAge: 60 }, "good"],
    ["of a minute ago at the most, and it is older", rooted(NOON - 61), { maxAge: 60 }, old],
    ["of a minute ago at the most, and nobody says when it was", {}, { maxAge: 60 }, old],
    [
      "of a minute ago at the most, where the clocks differ by less than half",
      rooted(NOON + 30),
      { maxAge: 60 },
      "good",
    ],
    ["of a minute ago at the most, and it is of the future", rooted(NOON + 31), { maxAge: 60 }, old],
    ["of this second, and it is", rooted(NOON), { maxAge: 0 }, "good"],
    ["of this second, and it is not", rooted(NOON - 1), { maxAge: 0 }, { ...old, wire: { max_age: 0 } }],
    ["in one of two ways, and it is", { acr: "mfa" }, { acrValues: ["phr", "mfa"] }, "good"],
    [
      "in one of two ways, and it is another",
      { acr: "pwd" },
      { acrValues: ["phr", "mfa"] },
      { reason: "acr-too-weak", wire: { acr_values: "phr mfa" } },
    ],
    [
      "in some way, and nobody says in which",
      {},
      { acrValues: ["phr"] },
      { reason: "acr-too-weak", wire: { acr_values: "phr" } },
    ],
    [
      "in some way and not long ago, and is told both",
      { acr: "phr", ...rooted(NOON - 61) },
      { acrValues: ["phr"], maxAge: 60 },
      { reason: "sign-in-too-old", wire: { acr_values: "phr", max_age: 60 } },
    ],
    ["of no kind takes a token that says nothing of one", {}, {}, "good"],
    ["of no kind takes a token of an old one", { acr: "pwd", ...rooted(1) }, {}, "good"],
  ])("%s", async (_, change, needs, expected) => {
    expect(await outcomeOf(change, needs)).toEqual(expected);
  });
});

test("a call to a resource of bound tokens is not served for a bearer token, and one to any other is", async () => {
  expect(await outcomeOf({}, { requireBound: true })).toMatchObject({ reason: "access-token-proof" });
  expect(await outcomeOf({}, { requireBound: false })).toBe("good");
  expect(await outcomeOf({}, {})).toBe("good");
});

describe("a refusal is on record", () => {
  const check = async (own: ReturnType<typeof ports>, needs: Partial<Needs> = {}) => {
    const checked = await tokenChecker(own)({ token: await signed() }, { resource, scopes: [], ...needs });
    if (checked.ok) throw new Error("the token was to be refused");
    return checked.decisionId;
  };

  test("under the id that the caller hears, with the resource and exactly why", async () => {
    const own = ports();
    const decisionId = await check(own, { scopes: ["ledger.read"] });
    expect(own.events).toStrictEqual([
      {
        kind: "access",
        outcome: "refused",
        decisionId,
        time: NOON,
        verified: false,
        resource,
        reason: "scope-insufficient",
        detail: "ledger.read",
      },
    ]);
  });

  test("with nothing more to say where there is nothing", async () => {
    const own = ports({ isAlive: async () => false });
    const decisionId = await check(own);
    const event = { kind: "access", outcome: "refused", decisionId, time: NOON, verified: false, resource };
    expect(own.events).toStrictEqual([{ ...event, reason: "access-token-revoked" }]);
  });

  test("with what a part of the app threw", async () => {
    const cause = new Error("connection lost");
    const own = ports({ isAlive: () => Promise.reject(cause) });
    await check(own);
    expect(own.events).toMatchObject([{ reason: "internal-fault", cause }]);
    expect(own.events[0]?.cause).toBe(cause);
  });
});
