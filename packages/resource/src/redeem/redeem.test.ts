import { decodeJws } from "@credence/protocol/jws";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { basic, CLIENT, expectRefused, type House, house, NOON, newKey } from "../house.testing.ts";

let home: House;
beforeAll(async () => {
  home = await house();
});
afterAll(() => home[Symbol.asyncDispose]());

const refuseGrant = (answer: Parameters<typeof expectRefused>[0], reason: string): void =>
  expectRefused(answer, 400, "invalid_grant", reason);

describe("a good ID-JAG", () => {
  test("becomes an access token for its resource, with what was granted and the root of the grant", async () => {
    const assertion = await home.idJag({ jti: "jag-1", scope: "ledger.read ledger.write", auth_time: NOON - 60 });
    const answer = await home.redeem({ assertion });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { access_token: token, ...rest } = answer.body;
    expect(rest).toEqual({
      token_type: "Bearer",
      expires_in: 300,
      scope: "ledger.read ledger.write",
      resource: home.resource,
    });
    const jwt = decodeJws(String(token));
    expect(jwt?.header).toEqual({ alg: "ES256", typ: "at+jwt", kid: home.key.privateJwk.kid });
    expect(jwt?.payload).toEqual({
      iss: home.url,
      aud: home.resource,
      sub: "acme/alice",
      client_id: CLIENT.clientId,
      jti: answer.event?.accessToken,
      iat: NOON,
      exp: NOON + 300,
      scope: "ledger.read ledger.write",
      customer: "acme",
      auth_time: NOON - 60,
      root: { iss: home.idp.issuer, jti: "jag-1", iat: NOON, sub: "alice", auth_time: NOON - 60 },
    });
    expect((await home.server.check(String(token), { scopes: ["ledger.write"] })).ok).toBe(true);
  });

  test("tells resources how and when the person signed in", async () => {
    const assertion = await home.idJag({ auth_time: NOON - 60, acr: "phr" });
    const { access_token: token } = (await home.redeem({ assertion })).body;
    expect(decodeJws(String(token))?.payload).toMatchObject({ auth_time: NOON - 60, acr: "phr" });
  });

  test("is recorded with who, for whom, what and when", async () => {
    const { event } = await home.redeem({ assertion: await home.idJag({ jti: "jag-2" }), scope: "ledger.read" });
    expect(event).toEqual({
      kind: "redemption",
      outcome: "granted",
      decisionId: expect.stringMatching(/^[\w-]{22}$/),
      time: NOON,
      verified: true,
      client: CLIENT.clientId,
      customer: "acme",
      iss: home.idp.issuer,
      sub: "alice",
      jti: "jag-2",
      account: "acme/alice",
      resource: home.resource,
      asked: ["ledger.read"],
      granted: ["ledger.read"],
      accessToken: expect.stringMatching(/^[\w-]{22}$/),
    });
  });

  test("may name its audience as an array of exactly one", async () => {
    expect((await home.redeem({ assertion: await home.idJag({ aud: [home.url] }) })).status).toBe(200);
  });

  test.each(["RS256", "PS256", "EdDSA"] as const)("may be signed with %s", async (alg) => {
    const key = await newKey(alg);
    await using other = await house(({ customers }, idp) => {
      idp.published.keys.push(key.publicJwk);
      return { customers };
    });
    expect((await other.redeem({ assertion: await other.idJag({}, key.signer) })).status).toBe(200);
  });
});

describe("an ID-JAG that does not bind to this server, client or issuer is refused", () => {
  const bad: [name: string, claims: (home: House) => Record<string, unknown>, reason: string][] = [
    ["multi-valued aud, ours among them", ({ url }) => ({ aud: [url, "https://other.example"] }), "id-jag-audience"],
    ["aud twice ours", ({ url }) => ({ aud: [url, url] }), "id-jag-audience"],
    ["aud an empty array", () => ({ aud: [] }), "id-jag-audience"],
    ["aud missing", () => ({ aud: undefined }), "id-jag-audience"],
    ["aud with our issuer as prefix", ({ url }) => ({ aud: `${url}/evil` }), "id-jag-audience"],
    ["aud a prefix of our issuer", ({ url }) => ({ aud: url.slice(0, -1) }), "id-jag-audience"],
    ["aud with a trailing slash", ({ url }) => ({ aud: `${url}/` }), "id-jag-audience"],
    ["aud in another case", ({ url }) => ({ aud: url.replace("http", "HTTP") }), "id-jag-audience"],
    ["aud the token endpoint", ({ url }) => ({ aud: `${url}/token` }), "id-jag-audience"],
    ["aud the resource", ({ resource }) => ({ aud: resource }), "id-jag-audience"],
    ["client_id of another client", () => ({ client_id: "other-agent" }), "id-jag-client"],
    ["client_id missing", () => ({ client_id: undefined }), "id-jag-claim"],
    ["an issuer that nobody trusts", () => ({ iss: "https://evil.example" }), "id-jag-issuer"],
    ["iss with a trailing slash", ({ idp }) => ({ iss: `${idp.issuer}/` }), "id-jag-issuer"],
    ["our own issuer as iss", ({ url }) => ({ iss: url }), "id-jag-issuer"],
    ["a tenant that the issuer is not trusted for", () => ({ tenant: "t2" }), "id-jag-issuer"],
    ["aud_tenant of another customer", () => ({ aud_tenant: "globex" }), "id-jag-tenant"],
    ["bound to a key (cnf) without proof", () => ({ cnf: { jkt: "x".repeat(43) } }), "id-jag-bound"],
    ["an empty cnf", () => ({ cnf: {} }), "id-jag-claim"],
    ["a cnf of two kinds", () => ({ cnf: { jkt: "x".repeat(43), "x5t#S256": "x".repeat(43) } }), "id-jag-claim"],
    ["a cnf that we do not know", () => ({ cnf: { jwk: {} } }), "id-jag-claim"],
    ["expired", () => ({ iat: NOON - 400, exp: NOON - 31 }), "id-jag-expired"],
    ["expired this second, after the skew", () => ({ iat: NOON - 400, exp: NOON - 30 }), "id-jag-expired"],
    ["issued in the future", () => ({ iat: NOON + 31, exp: NOON + 200 }), "id-jag-not-yet-valid"],
    ["valid from the future (nbf)", () => ({ nbf: NOON + 31 }), "id-jag-not-yet-valid"],
    ["too long a lifetime", () => ({ exp: NOON + 3_601 }), "id-jag-lifetime"],
    ["no exp", () => ({ exp: undefined }), "id-jag-claim"],
    ["exp as a text", () => ({ exp: "9999999999" }), "id-jag-claim"],
    ["no iat", () => ({ iat: undefined }), "id-jag-claim"],
    ["no jti", () => ({ jti: undefined }), "id-jag-claim"],
    ["no sub", () => ({ sub: undefined }), "id-jag-claim"],
    ["an empty sub", () => ({ sub: "" }), "id-jag-claim"],
    ["a scope that is no scope", () => ({ scope: 'ledger.read "' }), "id-jag-claim"],
    ["a person without an account", () => ({ sub: "mallory" }), "subject-unresolved"],
  ];
  test.each(bad)("%s", async (_, claims, reason) => {
    refuseGrant(await home.redeem({ assertion: await home.idJag(claims(home)) }), reason);
  });

  test("issued in the future: the record says which claim, so that the clock is looked at", async () => {
    const { event } = await home.redeem({ assertion: await home.idJag({ iat: NOON + 31, exp: NOON + 200 }) });
    expect(event?.detail).toBe("iat: the clocks differ");
  });

  test("times within the skew are accepted", async () => {
    const late = await home.idJag({ iat: NOON - 300, exp: NOON - 29 });
    const early = await home.idJag({ iat: NOON + 30, nbf: NOON + 30, exp: NOON + 200 });
    expect((await home.redeem({ assertion: late })).status).toBe(200);
    expect((await home.redeem({ assertion: early })).status).toBe(200);
  });

  test("authorization details that nobody here understands: refused, not left out", async () => {
    const assertion = await home.idJag({ authorization_details: [{ type: "payment", limit: 10 }] });
    const answer = await home.redeem({ assertion });
    expectRefused(answer, 400, "invalid_authorization_details", "authorization-details-unknown");
  });
});

describe("another kind of token, or another key, is refused", () => {
  const jwt = async (typ: string | undefined, alg: string, change: Record<string, unknown> = {}): Promise<string> => {
    const [, body = ""] = (await home.idJag()).split(".");
    const header = btoa(JSON.stringify({ alg, kid: home.idp.key.privateJwk.kid, typ, ...change }))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
    const signature = await home.idp.key.signer.sign(new TextEncoder().encode(`${header}.${body}`));
    return `${header}.${body}.${Buffer.from(signature).toString("base64url")}`;
  };

  test.each([
    ["ID token", "JWT"],
    ["ID token without typ", undefined],
    ["access token", "at+jwt"],
    ["client assertion", "client-authentication+jwt"],
    ["transaction token", "txntoken+jwt"],
  ])("%s presented as an assertion, though all its claims fit", async (_, typ) => {
    refuseGrant(await home.redeem({ assertion: await jwt(typ, "ES256") }), "id-jag-typ");
  });

  test("our own access token presented as an assertion", async () => {
    const { body } = await home.redeem();
    refuseGrant(await home.redeem({ assertion: String(body.access_token) }), "id-jag-typ");
  });

  test("the same header made right is accepted: the refusals above are for what they name", async () => {
    expect((await home.redeem({ assertion: await jwt("oauth-id-jag+jwt", "ES256") })).status).toBe(200);
  });

  test("alg none, with or without a signature", async () => {
    const unsigned = (await jwt("oauth-id-jag+jwt", "none")).replace(/[^.]*$/, "");
    refuseGrant(await home.redeem({ assertion: unsigned }), "id-jag-malformed");
    refuseGrant(await home.redeem({ assertion: await jwt("oauth-id-jag+jwt", "none") }), "id-jag-algorithm");
  });

  test("HS256 with the IdP's public key as the secret", async () => {
    const [, body = ""] = (await home.idJag()).split(".");
    const { kid } = home.idp.key.publicJwk;
    const header = Buffer.from(JSON.stringify({ alg: "HS256", kid, typ: "oauth-id-jag+jwt" })).toString("base64url");
    const secret = new TextEncoder().encode(JSON.stringify(home.idp.key.publicJwk));
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
    const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(`${header}.${body}`));
    const assertion = `${header}.${body}.${Buffer.from(mac).toString("base64url")}`;
    refuseGrant(await home.redeem({ assertion }), "id-jag-algorithm");
  });

  test("an algorithm that is not on the issuer's list, with a key that the issuer publishes", async () => {
    const rsa = await newKey("RS256");
    await using strict = await house(undefined, { algorithms: ["ES256"] });
    strict.idp.published.keys.push(rsa.publicJwk);
    refuseGrant(await strict.redeem({ assertion: await strict.idJag({}, rsa.signer) }), "id-jag-algorithm");
    expect((await strict.redeem()).status).toBe(200);
  });

  test("a critical extension, known to nobody", async () => {
    const assertion = await jwt("oauth-id-jag+jwt", "ES256", { crit: ["b64"], b64: false });
    refuseGrant(await home.redeem({ assertion }), "id-jag-crit");
  });

  test("key confusion: signed with this server's own key, under its kid and under the IdP's", async () => {
    const { signer } = home.key;
    refuseGrant(await home.redeem({ assertion: await home.idJag({}, signer) }), "id-jag-key");
    const disguised = { ...signer, kid: home.idp.key.privateJwk.kid };
    refuseGrant(await home.redeem({ assertion: await home.idJag({}, disguised) }), "id-jag-signature");
  });

  test("key confusion: signed by another customer's IdP, which is trusted for that one alone", async () => {
    await using globex = await house();
    await using both = await house((_, idp) => ({
      customers: [
        { id: "globex", issuers: [{ issuer: globex.idp.issuer }] },
        { id: "acme", issuers: [{ issuer: idp.issuer }] },
      ],
      resolveSubject: ({ customer, sub }) => ({ id: `${customer}/${sub}`, customer }),
    }));
    const { signer } = globex.idp.key;
    const own = await both.redeem({ assertion: await both.idJag({ iss: globex.idp.issuer }, signer) });
    expect(own.event?.account).toBe("globex/alice");
    refuseGrant(await both.redeem({ assertion: await both.idJag({}, signer) }), "id-jag-key");
    const disguised = { ...signer, kid: both.idp.key.privateJwk.kid };
    refuseGrant(await both.redeem({ assertion: await both.idJag({}, disguised) }), "id-jag-signature");
  });

  test("a key that the token brings along (jwk, jku, x5u) is not looked at", async () => {
    const mallory = await newKey();
    await using trap = await house();
    const asked: string[] = [];
    const headers = { jwk: mallory.publicJwk, jku: `${trap.idp.issuer}/evil`, x5u: `${trap.idp.issuer}/evil` };
    const [, body = ""] = (await home.idJag()).split(".");
    const head = { alg: "ES256", kid: mallory.privateJwk.kid, typ: "oauth-id-jag+jwt", ...headers };
    const input = `${Buffer.from(JSON.stringify(head)).toString("base64url")}.${body}`;
    const signature = await mallory.signer.sign(new TextEncoder().encode(input));
    trap.idp.published.jwks = async () => {
      asked.push("jwks");
      return Response.json({ keys: [mallory.publicJwk] });
    };
    refuseGrant(
      await home.redeem({ assertion: `${input}.${Buffer.from(signature).toString("base64url")}` }),
      "id-jag-key",
    );
    expect(asked).toEqual([]);
  });

  test("a changed payload under a good signature", async () => {
    const [head, body = "", signature] = (await home.idJag()).split(".");
    const claims = { ...JSON.parse(Buffer.from(body, "base64url").toString()), sub: "bob" };
    const forged = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const answer = await home.redeem({ assertion: `${head}.${forged}.${signature}` });
    refuseGrant(answer, "id-jag-signature");
    expect(answer.event?.verified).toBe(false);
  });

  test.each([
    ["no JWT", "hello"],
    ["two parts", "e30.e30"],
    ["five parts (encrypted)", "e30.e30.e30.e30.e30"],
    ["a header that is no object", "W10.e30.AAAA"],
    ["not base64url", "e30.e3=.AAAA"],
  ])("garbage: %s", async (_, assertion) => {
    refuseGrant(await home.redeem({ assertion }), "id-jag-malformed");
  });
});

describe("who may redeem", () => {
  const alone = { authorization: "" };
  test("a public client redeeming somebody's ID-JAG", async () => {
    const assertion = await home.idJag({ client_id: "desktop" });
    const answer = await home.redeem({ assertion, client_id: "desktop" }, alone);
    expectRefused(answer, 400, "unauthorized_client", "client-public");
  });

  test("a confidential client that only says its name", async () => {
    const answer = await home.redeem({ client_id: CLIENT.clientId }, alone);
    expectRefused(answer, 401, "invalid_client", "client-auth-missing");
    expect(answer.headers.get("www-authenticate")).toBeNull();
  });

  test("nobody", async () => {
    expectRefused(await home.redeem({}, alone), 401, "invalid_client", "client-auth-missing");
  });

  test("a wrong secret, by Basic: challenged with Basic", async () => {
    const answer = await home.redeem({}, { authorization: basic(CLIENT.clientId, "wrong") });
    expectRefused(answer, 401, "invalid_client", "client-secret-wrong");
    expect(answer.headers.get("www-authenticate")).toBe(`Basic realm="${home.url}"`);
  });

  test.each([
    ["unknown", basic("nobody", "s3cret"), "client-unknown"],
    ["another case of a known id", basic("LEDGER-ASSISTANT", "s3cret"), "client-unknown"],
    ["an empty secret", basic(CLIENT.clientId, ""), "client-secret-wrong"],
    ["a bearer token", "Bearer abc", "client-auth-malformed"],
  ])("%s", async (_, authorization, reason) => {
    expectRefused(await home.redeem({}, { authorization }), 401, "invalid_client", reason);
  });

  test("another method than the registered one", async () => {
    const form = { client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret };
    expectRefused(await home.redeem(form, alone), 401, "invalid_client", "client-auth-method-wrong");
  });

  test("a client that is registered to send its secret in the form, and in no header", async () => {
    await using own = await house(() => ({ clients: [{ ...CLIENT, method: "client_secret_post" }] }));
    const form = { client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret };
    expect((await own.redeem(form, alone)).status).toBe(200);
    const wrong = await own.redeem({ ...form, client_secret: "wrong" }, alone);
    expectRefused(wrong, 401, "invalid_client", "client-secret-wrong");
    expectRefused(await own.redeem(), 401, "invalid_client", "client-auth-method-wrong");
  });

  test("two ways at once", async () => {
    const form = { client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret };
    expectRefused(await home.redeem(form), 400, "invalid_request", "client-auth-several");
  });

  test("an authenticated client does not redeem what was issued to another", async () => {
    const answer = await home.redeem({}, { authorization: basic("other-agent", CLIENT.clientSecret) });
    refuseGrant(answer, "id-jag-client");
    expect(answer.event).toMatchObject({ client: "other-agent", sub: "alice", verified: true });
  });

  test("a client that is switched off, after it has proven itself", async () => {
    await using shut = await house(() => ({ clients: [{ ...CLIENT, enabled: false }] }));
    expectRefused(await shut.redeem(), 401, "invalid_client", "client-disabled");
  });

  test.each([
    ["scopes", { scopes: "ledger.readonly" }, { scope: "ledger.read" }],
    ["customers", { customers: "acme-of-another-country" }, {}],
  ])("a client whose %s are a text, in which the name of another would be found", async (_, limits, form) => {
    // As JavaScript would give it, of a column that holds one.
    const given = limits as unknown as object;
    await using other = await house(() => ({ clients: async () => ({ ...CLIENT, ...given }) }));
    const answer = await other.redeem(form);
    expectRefused(answer, 503, "temporarily_unavailable", "internal-fault");
    expect(answer.event?.detail).toBe("a client's scopes and customers are lists");
  });

  test("an issuer that a look-up trusts and that is the server itself", async () => {
    await using own = await house((base) => ({
      customers: async (issuer) => ({ customer: { id: "acme" }, issuer: { issuer, jwksUri: `${base.issuer}/jwks` } }),
    }));
    const assertion = await own.idJag({ iss: own.url }, own.key.signer);
    expectRefused(await own.redeem({ assertion }), 400, "invalid_grant", "id-jag-issuer");
  });

  test("an ID-JAG whose issuer a look-up trusts with a limit that is no number, which would hold for nothing", async () => {
    await using own = await house(() => ({
      customers: async (issuer) => ({ customer: { id: "acme" }, issuer: { issuer, maxLifetime: Number.NaN } }),
    }));
    expectRefused(await own.redeem(), 503, "temporarily_unavailable", "internal-fault");
  });

  test("a client that is registered for other customers", async () => {
    await using other = await house(() => ({ clients: [{ ...CLIENT, customers: ["globex"] }] }));
    const answer = await other.redeem();
    refuseGrant(answer, "id-jag-client");
    expect(answer.event?.detail).toBe("another customer's");
  });

  test("clients from a look-up that compares loosely, or has an empty secret", async () => {
    await using loose = await house(() => ({
      clients: async (id) =>
        id.toLowerCase() === CLIENT.clientId ? CLIENT : { ...CLIENT, clientId: id, clientSecret: "" },
    }));
    expect((await loose.redeem()).status).toBe(200);
    const shouted = await loose.redeem({}, { authorization: basic("LEDGER-ASSISTANT", CLIENT.clientSecret) });
    expectRefused(shouted, 401, "invalid_client", "client-unknown");
    const empty = await loose.redeem({}, { authorization: basic("empty", "") });
    expectRefused(empty, 401, "invalid_client", "client-unknown");
  });
});
