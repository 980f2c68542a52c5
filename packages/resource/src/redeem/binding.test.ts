import { createDpopProof, type DpopKey, dpopNonces, generateDpopKey } from "@credence/protocol/dpop";
import { JWT_DPOP_GRANT } from "@credence/protocol/jwt-bearer";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signAccessToken } from "../access-token/access-token.ts";
import { basic, CLIENT, expectRefused, type House, house, NOON } from "../house.testing.ts";
import { memoryStore } from "../store.ts";

const key = await generateDpopKey();
const other = await generateDpopKey();
const certificate = new Uint8Array([0x30, 0x82, ...Array.from({ length: 300 }, (_, i) => i % 251)]);
const shown = await certificateConfirmation(certificate);
const x5t = shown.ok ? String(shown.value["x5t#S256"]) : "";
const secret = new Uint8Array(32).fill(9);

let home: House;
beforeAll(async () => {
  home = await house(() => ({ clients: [CLIENT, { clientId: "desktop", method: "none", dpopBound: true }] }));
});
afterAll(() => home[Symbol.asyncDispose]());

const proof = (by: DpopKey = key, more: Partial<Parameters<typeof createDpopProof>[1]> = {}, at = home) =>
  createDpopProof(by, { method: "POST", url: `${at.url}/token`, now: NOON, ...more });
const bound = (at = home) => at.idJag({ cnf: { jkt: key.jkt } });

/** Calls the resource, as its own server would be called. */
async function call(
  at: House,
  token: string,
  { scheme = "DPoP", dpop, certificate: cert }: { scheme?: string; dpop?: string; certificate?: Uint8Array } = {},
) {
  const serve = at.server.protect({}, (_, access) => Response.json({ sub: access.sub }));
  const headers = { authorization: `${scheme} ${token}`, ...(dpop === undefined ? {} : { dpop }) };
  const response = await serve(new Request(`${at.resource}/x?y=1`, { headers }), cert ? { certificate: cert } : {});
  return { status: response.status, challenge: response.headers.get("www-authenticate"), event: at.events.at(-1) };
}

describe("an ID-JAG that is bound to a key", () => {
  test("gives a DPoP token for that key, and the record says so", async () => {
    const answer = await home.redeem({ assertion: await bound() }, { dpop: await proof() });
    expect(answer.body).toMatchObject({ token_type: "DPoP" });
    expect(answer.event).toMatchObject({ outcome: "granted", binding: "dpop" });
  });

  test("is redeemed by the other name of the grant, too", async () => {
    const assertion = await bound();
    const answer = await home.redeem({ assertion, grant_type: JWT_DPOP_GRANT }, { dpop: await proof() });
    expect(answer.body).toMatchObject({ token_type: "DPoP" });
  });

  test.each<[string, () => Promise<string | undefined>]>([
    ["no proof", async () => undefined],
    ["a proof of another key", () => proof(other)],
  ])("and %s is refused", async (_, made) => {
    const dpop = await made();
    expectRefused(
      await home.redeem({ assertion: await bound() }, dpop === undefined ? {} : { dpop }),
      400,
      "invalid_grant",
      "id-jag-bound",
    );
  });

  test("is not burnt by a proof that is not good", async () => {
    const assertion = await bound();
    await home.redeem({ assertion }, { dpop: await proof(other) });
    expect((await home.redeem({ assertion }, { dpop: await proof() })).status).toBe(200);
  });

  test("is not refused because a stranger, or one who stole it, has shown the same proof before", async () => {
    const assertion = await bound();
    const dpop = await proof();
    const stranger = await home.redeem({ assertion }, { dpop, authorization: basic(CLIENT.clientId, "guessed") });
    expect(stranger.body).toMatchObject({ error: "invalid_client" });
    expect((await home.redeem({ assertion }, { dpop })).status).toBe(200);
  });

  test.each<[string, () => Promise<string>, string]>([
    ["for another endpoint", () => proof(key, { url: `${home.url}/introspect` }), "dpop-url"],
    ["for another method", () => proof(key, { method: "GET" }), "dpop-method"],
    ["five minutes old", () => proof(key, { now: NOON - 300 }), "dpop-time"],
    ["of five minutes ahead", () => proof(key, { now: NOON + 300 }), "dpop-time"],
    ["that is none", async () => "x.y.z", "dpop-malformed"],
    ["and another in one request", async () => `${await proof()}, ${await proof()}`, "dpop-malformed"],
  ])("with a proof %s is refused", async (_, made, reason) => {
    const answer = await home.redeem({ assertion: await bound() }, { dpop: await made() });
    expectRefused(answer, 400, "invalid_dpop_proof", reason);
  });

  test("takes a proof once, of a hundred at the same time", async () => {
    const dpop = await proof();
    const all = await Promise.all(
      Array.from({ length: 100 }, async () => home.redeem({ assertion: await bound() }, { dpop })),
    );
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});

describe("an ID-JAG that is bound to nothing", () => {
  test("gives a token for the key that the request proves", async () => {
    const answer = await home.redeem({}, { dpop: await proof() });
    expect(answer.body).toMatchObject({ token_type: "DPoP" });
  });

  test("gives a bearer token without a proof, and none by the DPoP grant", async () => {
    expect((await home.redeem()).body).toMatchObject({ token_type: "Bearer" });
    const bare = await home.redeem({ grant_type: JWT_DPOP_GRANT });
    expectRefused(bare, 400, "invalid_grant", "id-jag-unbound");
    expect(bare.event).toMatchObject({ client: CLIENT.clientId, detail: "no proof" });
  });

  test("gives nothing where the resource wants bound tokens", async () => {
    await using own = await house(({ resources }) => ({
      resources: Object.fromEntries(Object.entries(resources).map(([id, one]) => [id, { ...one, requireBound: true }])),
    }));
    expectRefused(await own.redeem(), 400, "invalid_grant", "id-jag-unbound");
    expect((await own.redeem({}, { dpop: await proof(key, {}, own) })).status).toBe(200);
    const metadata = await (await fetch(own.server.resourceMetadataUrl())).json();
    expect(metadata).toMatchObject({ dpop_bound_access_tokens_required: true });
  });
});

test("a client that is DPoP-bound redeems no unbound ID-JAG, whatever secret it has", async () => {
  await using own = await house(() => ({ clients: [{ ...CLIENT, dpopBound: true }] }));
  const send = async (assertion: string) => own.redeem({ assertion }, { dpop: await proof(key, {}, own) });
  const unbound = await send(await own.idJag());
  expectRefused(unbound, 400, "invalid_grant", "id-jag-unbound");
  expect(unbound.event?.detail).toBe("the client is DPoP-bound, and the ID-JAG is not");
  expect((await send(await bound(own))).body).toMatchObject({ token_type: "DPoP" });
});

test("a client that is DPoP-bound redeems nothing without a proof, whatever the ID-JAG is bound to", async () => {
  await using own = await house(() => ({ clients: [{ ...CLIENT, dpopBound: true }] }));
  for (const assertion of [await own.idJag(), await bound(own)]) {
    const bare = await own.redeem({ assertion });
    expectRefused(bare, 400, "invalid_grant", "id-jag-unbound");
    expect(bare.event?.detail).toBe("the client is DPoP-bound");
  }
});

describe("a public client", () => {
  const form = async (assertion: string) => ({ assertion, client_id: "desktop" });
  const none = { authorization: "" };
  const mine = (claims = {}) => home.idJag({ client_id: "desktop", ...claims });

  test("that is DPoP-bound redeems with both legs bound to one key", async () => {
    const assertion = await mine({ cnf: { jkt: key.jkt } });
    const answer = await home.redeem(await form(assertion), { ...none, dpop: await proof() });
    expect(answer.body).toMatchObject({ token_type: "DPoP" });
  });

  test("that is not DPoP-bound redeems nothing, whatever it proves", async () => {
    await using own = await house(() => ({ clients: [{ clientId: "desktop", method: "none" }] }));
    const assertion = await own.idJag({ client_id: "desktop", cnf: { jkt: key.jkt } });
    const answer = await own.redeem(await form(assertion), { ...none, dpop: await proof(key, {}, own) });
    expectRefused(answer, 400, "unauthorized_client", "client-public");
  });

  test("hears what its proof lacks, a nonce or the right URL, and not that it proves nothing", async () => {
    await using own = await house(() => ({
      clients: [{ clientId: "desktop", method: "none", dpopBound: true }],
      dpop: { nonceSecret: secret },
    }));
    const send = async (more: Parameters<typeof proof>[1]) => {
      const assertion = await own.idJag({ client_id: "desktop", cnf: { jkt: key.jkt } });
      return own.redeem(await form(assertion), { ...none, dpop: await proof(key, more, own) });
    };
    const first = await send({});
    expectRefused(first, 400, "use_dpop_nonce", "dpop-nonce-wanted");
    const nonce = first.headers.get("dpop-nonce") ?? "";
    expectRefused(await send({ nonce, url: own.url }), 400, "invalid_dpop_proof", "dpop-url");
    expect((await send({ nonce })).body).toMatchObject({ token_type: "DPoP" });
    const stranger = await own.redeem({ client_id: "nobody" }, { ...none, dpop: await proof(key, {}, own) });
    expectRefused(stranger, 401, "invalid_client", "client-unknown");
  });

  test("leaves no mark in the store with a proof that anybody can make, before its ID-JAG is found to be good", async () => {
    const marks: string[] = [];
    const store = memoryStore({ now: () => NOON });
    const consume = (mark: string, expiresAt: number) => {
      marks.push(mark.split(":")[0] ?? "");
      return store.consume(mark, expiresAt);
    };
    await using own = await house(() => ({
      clients: [{ clientId: "desktop", method: "none", dpopBound: true }],
      store: { ...store, consume },
    }));
    const send = async (assertion: string, by: DpopKey) =>
      own.redeem({ assertion, client_id: "desktop" }, { ...none, dpop: await proof(by, {}, own) });
    const good = await own.idJag({ client_id: "desktop", cnf: { jkt: key.jkt } });
    const forged = `${good.slice(0, good.lastIndexOf("."))}.${"A".repeat(86)}`;
    expectRefused(await send("made-up", key), 400, "invalid_grant", "id-jag-malformed");
    expectRefused(await send(forged, key), 400, "invalid_grant", "id-jag-signature");
    expectRefused(await send(good, other), 400, "invalid_grant", "id-jag-bound");
    expect(marks).toEqual([]);
    expect((await send(good, key)).status).toBe(200);
    expect(marks).toEqual(["dpop", "id-jag"]);
  });

  test("redeems nothing without a proof, or with somebody's unbound ID-JAG", async () => {
    const assertion = await mine({ cnf: { jkt: key.jkt } });
    expectRefused(await home.redeem(await form(assertion), none), 400, "unauthorized_client", "client-public");
    const stolen = await home.redeem(await form(await mine()), { ...none, dpop: await proof() });
    expectRefused(stolen, 400, "invalid_grant", "id-jag-unbound");
  });
});

describe("a token that is bound to a key, at the resource", () => {
  const token = async (at = home) =>
    String((await at.redeem({ assertion: await bound(at) }, { dpop: await proof(key, {}, at) })).body.access_token);
  const at = (accessToken: string, by = key, more = {}) =>
    createDpopProof(by, { method: "GET", url: `${home.resource}/x`, accessToken, now: NOON, ...more });

  test("opens it with a proof of the key for this token, method and URL", async () => {
    const good = await token();
    expect((await call(home, good, { dpop: await at(good) })).status).toBe(200);
  });

  test.each<[string, (token: string) => Promise<{ scheme?: string; dpop?: string }>, string]>([
    ["as a bearer token", async () => ({ scheme: "Bearer" }), "access-token-proof"],
    ["without a proof", async () => ({}), "access-token-proof"],
    ["with another's proof", async (one) => ({ dpop: await at(one, other) }), "access-token-proof"],
    ["with a proof for another token", async () => ({ dpop: await at("another") }), "dpop-token"],
    [
      "with a proof for no token",
      async () => ({ dpop: await proof(key, { method: "GET", url: `${home.resource}/x` }) }),
      "dpop-token",
    ],
    ["with a proof for another URL", async (one) => ({ dpop: await at(one, key, { url: home.resource }) }), "dpop-url"],
    [
      "with a proof for another method",
      async (one) => ({ dpop: await at(one, key, { method: "POST" }) }),
      "dpop-method",
    ],
    ["with an old proof", async (one) => ({ dpop: await at(one, key, { now: NOON - 300 }) }), "dpop-time"],
  ])("%s is refused with 401", async (_, made, reason) => {
    const one = await token();
    const answer = await call(home, one, await made(one));
    expect([answer.status, answer.event?.reason]).toEqual([401, reason]);
    if (reason.startsWith("dpop")) expect(answer.challenge).toContain('DPoP error="invalid_dpop_proof"');
  });

  test.each(["////", "//elsewhere.example/x"])(
    "is proven at the path %s of this host, and not of another",
    async (path) => {
      const one = await token();
      const url = new URL(home.url).origin + path;
      const checked = async (htu: string) => {
        const dpop = await at(one, key, { url: htu });
        const outcome = await home.server.check(one, {}, { scheme: "dpop", method: "GET", url, dpop });
        return outcome.ok ? "in" : outcome.refusal.reason;
      };
      expect(await checked("http://elsewhere.example/x")).toBe("dpop-url");
      expect(await checked(url)).toBe("in");
    },
  );

  test("takes each proof once", async () => {
    const one = await token();
    const dpop = await at(one);
    expect((await call(home, one, { dpop })).status).toBe(200);
    expect(await call(home, one, { dpop })).toMatchObject({ status: 401, event: { reason: "dpop-replayed" } });
  });

  test("a bearer token is not taken as a bound one", async () => {
    const one = String((await home.redeem()).body.access_token);
    const answer = await call(home, one, { dpop: await at(one) });
    expect([answer.status, answer.event?.reason]).toEqual([401, "access-token-proof"]);
  });
});

test("a resource that wants bound tokens takes no other, whoever issued it or forgot what it is bound to", async () => {
  await using own = await house(({ resources }) => ({
    resources: Object.fromEntries(Object.entries(resources).map(([id, one]) => [id, { ...one, requireBound: true }])),
  }));
  const issued = { jti: "1", iat: NOON, exp: NOON + 300, scope: "ledger.read", customer: "acme" };
  const root = { iss: own.idp.issuer, jti: "1", iat: NOON, sub: "alice" };
  const names = { iss: own.url, aud: own.resource, sub: "acme/alice", client_id: CLIENT.clientId };
  const token = await signAccessToken({ ...names, ...issued, root }, own.key.signer);
  const answer = await call(own, token, { scheme: "Bearer" });
  expect([answer.status, answer.event?.reason]).toEqual([401, "access-token-proof"]);
  expect(answer.challenge).toMatch(/^DPoP error="invalid_token"/);
  const found = await own.server.check(token);
  expect(found.ok).toBe(false);
});

describe("a certificate", () => {
  async function redeem(claims: Record<string, unknown>, cert?: Uint8Array) {
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: await home.idJag(claims),
    });
    const headers = { authorization: basic(CLIENT.clientId, CLIENT.clientSecret) };
    const request = new Request(`${home.url}/token`, { method: "POST", headers, body });
    const answer = await home.server.fetch(request, cert ? { certificate: cert } : {});
    return { status: answer.status, body: await answer.json(), event: home.events.at(-1) };
  }

  test("that an ID-JAG is bound to gives a bearer token for it, which nobody else can use", async () => {
    const { body, event } = await redeem({ cnf: { "x5t#S256": x5t } }, certificate);
    expect([body.token_type, event?.binding]).toEqual(["Bearer", "certificate"]);
    expect((await call(home, body.access_token, { scheme: "Bearer", certificate })).status).toBe(200);
    for (const thief of [undefined, certificate.map((byte, i) => (i === 100 ? byte ^ 1 : byte))]) {
      const refused = await call(home, body.access_token, {
        scheme: "Bearer",
        ...(thief ? { certificate: thief } : {}),
      });
      expect([refused.status, refused.event?.reason]).toEqual([401, "access-token-proof"]);
    }
  });

  test.each<[string, Uint8Array | undefined, string]>([
    ["missing", undefined, "id-jag-bound"],
    ["another", certificate.map((byte, i) => (i === 100 ? byte ^ 1 : byte)), "id-jag-bound"],
    ["no certificate at all", new Uint8Array(10), "certificate-malformed"],
  ])("that is %s is refused", async (_, cert, reason) => {
    const { status, event } = await redeem({ cnf: { "x5t#S256": x5t } }, cert);
    expect([status, event?.reason]).toEqual([400, reason]);
  });

  test("that comes with an unbound ID-JAG binds the token", async () => {
    const { body, event } = await redeem({}, certificate);
    expect([body.token_type, event?.binding]).toEqual(["Bearer", "certificate"]);
  });
});

test("a server with nonces asks for one, and takes the one that it gave", async () => {
  await using own = await house(() => ({ dpop: { nonceSecret: secret } }));
  const first = await own.redeem({}, { dpop: await proof(key, {}, own) });
  expectRefused(first, 400, "use_dpop_nonce", "dpop-nonce-wanted");
  const nonce = first.headers.get("dpop-nonce") ?? "";
  expect(nonce).toBe(await dpopNonces(secret).current(NOON));
  expect((await own.redeem({}, { dpop: await proof(key, { nonce }, own) })).status).toBe(200);
  const another = await dpopNonces(new Uint8Array(32)).current(NOON);
  const refused = await own.redeem({}, { dpop: await proof(key, { nonce: another }, own) });
  expectRefused(refused, 400, "use_dpop_nonce", "dpop-nonce-wanted");
});
