import { FORM_LIMITS } from "@credence/protocol";
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectRefused, type House, house, NOON } from "../house.testing.ts";
import { eventOf } from "./token.ts";

let home: House;
beforeAll(async () => {
  home = await house();
});
afterAll(() => home[Symbol.asyncDispose]());

const grant = `grant_type=${encodeURIComponent(JWT_BEARER_GRANT)}`;

describe("a request that is not one", () => {
  test.each([
    ["empty", "", "invalid_request", "parameter-missing"],
    ["without grant_type", "assertion=x", "invalid_request", "parameter-missing"],
    ["with an empty grant_type", "grant_type=&assertion=x", "invalid_request", "parameter-missing"],
    ["without assertion", grant, "invalid_request", "parameter-missing"],
    ["grant_type twice", `${grant}&${grant}&assertion=x`, "invalid_request", "parameter-doubled"],
    ["assertion twice", `${grant}&assertion=x&assertion=x`, "invalid_request", "parameter-doubled"],
    ["scope twice", `${grant}&assertion=x&scope=a&scope=b`, "invalid_request", "parameter-doubled"],
    ["bad percent-encoding", `${grant}&assertion=%zz`, "invalid_request", "form-malformed"],
    ["a control character", `${grant}&assertion=x%00`, "invalid_request", "form-malformed"],
    [
      "too many parameters",
      `${grant}${Array.from({ length: 100 }, (_, i) => `&p${i}=1`).join("")}`,
      "invalid_request",
      "form-too-large",
    ],
    [
      "the authorization code grant",
      "grant_type=authorization_code&code=x",
      "unsupported_grant_type",
      "grant-type-unsupported",
    ],
    [
      "the refresh grant",
      "grant_type=refresh_token&refresh_token=x",
      "unsupported_grant_type",
      "grant-type-unsupported",
    ],
    ["a malformed scope", `${grant}&assertion=x&scope=a%22b`, "invalid_scope", "scope-malformed"],
    ["a relative resource", `${grant}&assertion=x&resource=%2Fmcp`, "invalid_target", "resource-malformed"],
    [
      "a resource with a fragment",
      `${grant}&assertion=x&resource=https%3A%2F%2Fa.example%2F%23b`,
      "invalid_target",
      "resource-malformed",
    ],
    [
      "authorization_details",
      `${grant}&assertion=x&authorization_details=%5B%5D`,
      "invalid_authorization_details",
      "authorization-details-malformed",
    ],
    ["an oversized assertion", `${grant}&assertion=${"x".repeat(16_385)}`, "invalid_grant", "id-jag-malformed"],
  ])("%s", async (_, body, error, reason) => {
    expectRefused(await home.post(body), 400, error, reason);
  });

  test("a body over the limit", async () => {
    const body = `${grant}&assertion=${"x".repeat(FORM_LIMITS.bytes)}`;
    expectRefused(await home.post(body), 400, "invalid_request", "form-too-large");
  });

  test("a body that is not UTF-8", async () => {
    expectRefused(await home.post(new Uint8Array([0xff, 0xfe])), 400, "invalid_request", "form-malformed");
  });

  test.each(["application/json", "multipart/form-data; boundary=x", "text/plain"])("sent as %s", async (type) => {
    const answer = await home.post(`${grant}&assertion=x`, { "content-type": type });
    expectRefused(answer, 400, "invalid_request", "form-content-type");
  });

  test("sent with GET", async () => {
    const known = home.events.length;
    const answer = await fetch(`${home.url}/token?${grant}&assertion=x`);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    expect(home.events[known]).toMatchObject({ outcome: "refused", reason: "method-wrong" });
  });
});

describe("a grant is answered with", () => {
  const key = generateDpopKey();
  const proof = async (at: House, more = {}) =>
    createDpopProof(await key, { method: "POST", url: `${at.url}/token`, now: NOON, ...more });

  test("how long the token lives, its scopes and its resource, to whoever asked and no cache", async () => {
    const { headers, body } = await home.redeem({ assertion: await home.idJag({ scope: "ledger.read ledger.write" }) });
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: "Bearer",
      expires_in: 300,
      scope: "ledger.read ledger.write",
      resource: home.resource,
    });
  });

  test("the details of the token, and no scope where it has none", async () => {
    await using own = await house(({ issuer }) => ({
      resources: { [`${issuer}/mcp`]: { scopes: { read: "Read" }, authorizationDetailsTypes: { account: {} } } },
    }));
    const details = [{ type: "account", actions: ["read"] }];
    const assertion = await own.idJag({ scope: undefined, authorization_details: details });
    const { body } = await own.redeem({ assertion });
    expect(body.authorization_details).toEqual(details);
    expect(body).not.toHaveProperty("scope");
  });

  test("the type DPoP where the token is bound to a key", async () => {
    expect((await home.redeem({}, { dpop: await proof(home) })).body.token_type).toBe("DPoP");
  });

  test("the next nonce where nonces are wanted, and so is a refusal; and with none where no proof came", async () => {
    await using own = await house(() => ({ dpop: { nonceSecret: new Uint8Array(32).fill(7) } }));
    const refused = await own.redeem({}, { dpop: await proof(own) });
    expectRefused(refused, 400, "use_dpop_nonce", "dpop-nonce-wanted");
    const nonce = refused.headers.get("dpop-nonce") ?? "";
    expect(nonce).not.toBe("");
    const granted = await own.redeem({}, { dpop: await proof(own, { nonce }) });
    expect([granted.status, granted.headers.get("dpop-nonce")]).toEqual([200, nonce]);
    expect(granted.headers.get("cache-control")).toBe("no-store");
    const bearer = await own.redeem();
    expect([bearer.status, bearer.headers.get("dpop-nonce")]).toEqual([200, null]);
  });
});

test("a client that tried no Basic is not challenged with it, whatever its header holds", async () => {
  for (const [authorization, challenge] of [
    ["basic eDp5", `Basic realm="${home.url}"`],
    ["Bearer basic eDp5", null],
    ["Basics eDp5", null],
  ] as const) {
    const answer = await home.redeem({}, { authorization });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, challenge]);
  }
});

describe("a redemption, for the record,", () => {
  test("is verified only where something says so, and granted where nothing says otherwise", () => {
    const event = { kind: "redemption", verified: false, outcome: "granted", decisionId: "d1", time: NOON };
    expect(eventOf("d1", NOON, {}, undefined)).toStrictEqual(event);
    expect(eventOf("d1", NOON, { verified: true, sub: "alice" }, undefined)).toStrictEqual({
      ...event,
      verified: true,
      sub: "alice",
    });
  });

  test("that is refused has the reason, and more where there is more to say", () => {
    const event = { kind: "redemption", verified: false, outcome: "refused", decisionId: "d1", time: NOON };
    const reason = "id-jag-claim";
    expect(eventOf("d1", NOON, {}, { reason })).toStrictEqual({ ...event, reason });
    expect(eventOf("d1", NOON, {}, { reason, detail: "exp" })).toStrictEqual({ ...event, reason, detail: "exp" });
  });
});

test("every answer has a decision id of its own, and no record holds a token or a secret", async () => {
  await using own = await house();
  const assertion = await own.idJag();
  const answers = [await own.redeem({ assertion }), await own.redeem({ assertion }), await own.redeem({ scope: "x" })];
  expect(new Set(own.events.map(({ decisionId }) => decisionId)).size).toBe(3);
  const record = JSON.stringify(own.events);
  expect(record).not.toContain(assertion.split(".")[2]);
  expect(record).not.toContain("s3cret");
  expect(record).not.toContain(String(answers[0]?.body.access_token));
});

test("what keeps a record from being kept is told to the operator, under the decision id of the answer", async () => {
  const told: unknown[] = [];
  const full = new Error("disk full");
  await using own = await house(() => ({
    record: () => Promise.reject(full),
    onFault: (error, decisionId) => void told.push([error, decisionId]),
  }));
  const { status, body } = await own.redeem();
  expect([status, body.error]).toEqual([503, "temporarily_unavailable"]);
  expect(told).toEqual([[full, body.decision_id]]);
});
