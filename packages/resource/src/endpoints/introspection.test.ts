import { addClientAuth } from "@credence/protocol/client-auth";
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import {
  allowInsecureRequests,
  ClientSecretBasic,
  introspectionRequest,
  processIntrospectionResponse,
  processRevocationResponse,
  revocationRequest,
} from "oauth4webapi";
import { describe, expect, test } from "vitest";
import { basic, CLIENT, type House, house, NOON, newKey } from "../house.testing.ts";
import type { ResourceServerOptions } from "../options.ts";
import type { Account } from "../redeem/subject.ts";
import { memoryStore } from "../store.ts";

const secret = { method: "client_secret_basic", clientSecret: CLIENT.clientSecret } as const;
const OTHER = "https://ledger.example/api";

/** A house with two resources, a protected resource that introspects all tokens, and one that introspects its own only. */
const start = (
  format: "jwt" | "opaque" = "jwt",
  change: Partial<ResourceServerOptions<Account>> = {},
): Promise<House> =>
  house(({ resources, clients }) => ({
    accessToken: { format },
    resources: { ...resources, [OTHER]: { scopes: { "ledger.read": "Read" } } },
    clients: [
      ...(typeof clients === "function" ? [] : clients),
      { clientId: "api", ...secret, introspects: true },
      { clientId: "other-api", ...secret, introspects: [OTHER] },
      { clientId: "off", ...secret, introspects: true, enabled: false },
    ],
    ...change,
  }));

const tokenOf = async (home: House, claims = {}) =>
  String((await home.redeem({ assertion: await home.idJag(claims) })).body.access_token);

const check = (home: House, token: string) => home.server.check(token, { resource: home.resource });

/** Asks, and takes what was recorded of it. */
async function ask(
  home: House,
  path: "/introspect" | "/revoke",
  form: Record<string, string> | string,
  who: string | undefined = CLIENT.clientId,
  headers: Record<string, string> = {},
) {
  const known = home.events.length;
  const type = { "content-type": "application/x-www-form-urlencoded" };
  const proof: Record<string, string> = who === "" ? {} : { authorization: basic(who, CLIENT.clientSecret) };
  const answer = await fetch(`${home.url}${path}`, {
    method: "POST",
    headers: { ...type, ...proof, ...headers },
    body: typeof form === "string" ? form : new URLSearchParams(form).toString(),
  });
  const text = await answer.text();
  const body: Record<string, unknown> = text === "" ? {} : JSON.parse(text);
  return { status: answer.status, headers: answer.headers, body, event: home.events[known] };
}

describe.each(["jwt", "opaque"] as const)("introspection of %s tokens", (format) => {
  test("tells a protected resource all that it needs, and nobody of the root", async () => {
    await using home = await start(format);
    const token = await tokenOf(home, { scope: "ledger.read ledger.write", auth_time: NOON - 60, acr: "phr" });
    const { status, headers, body } = await ask(home, "/introspect", { token }, "api");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body).toEqual({
      active: true,
      token_type: "Bearer",
      iss: home.url,
      aud: home.resource,
      sub: "acme/alice",
      client_id: CLIENT.clientId,
      customer: "acme",
      scope: "ledger.read ledger.write",
      iat: NOON,
      exp: NOON + 300,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      acr: "phr",
      auth_time: NOON - 60,
    });
  });

  test("tells what a token is bound to, and of its details", async () => {
    await using home = await start(format);
    const key = await generateDpopKey();
    const dpop = await createDpopProof(key, { method: "POST", url: `${home.url}/token`, now: NOON });
    const redeemed = await home.redeem({}, { dpop });
    const { body } = await ask(home, "/introspect", { token: String(redeemed.body.access_token) }, "api");
    expect(body).toMatchObject({ active: true, token_type: "DPoP", cnf: { jkt: key.jkt } });

    const details = [{ type: "account", actions: ["read"] }];
    await using rich = await house(({ resources }) => ({
      accessToken: { format },
      resources: Object.fromEntries(
        Object.keys(resources).map((id) => [id, { scopes: {}, authorizationDetailsTypes: { account: {} } }]),
      ),
    }));
    const detailed = await tokenOf(rich, { scope: undefined, authorization_details: details });
    const told = await ask(rich, "/introspect", { token: detailed });
    expect(told.body).toMatchObject({ active: true, authorization_details: details });
    expect(told.body).not.toHaveProperty("scope");
  });

  test("tells a client of its own tokens, and not of another's", async () => {
    await using home = await start(format);
    const token = await tokenOf(home);
    expect((await ask(home, "/introspect", { token })).body).toMatchObject({ active: true, sub: "acme/alice" });
    expect(await ask(home, "/introspect", { token }, "other-agent")).toMatchObject({
      status: 200,
      body: { active: false },
      event: undefined,
    });
  });

  test("tells a protected resource of the tokens for it alone, where it stands for one of several", async () => {
    await using home = await start(format);
    const [here, there] = [await tokenOf(home), await tokenOf(home, { resource: OTHER })];
    expect((await ask(home, "/introspect", { token: there }, "other-api")).body.active).toBe(true);
    expect((await ask(home, "/introspect", { token: here }, "other-api")).body).toEqual({ active: false });
    expect((await ask(home, "/introspect", { token: here }, "api")).body.active).toBe(true);
  });

  test("says only `active: false` of whatever is no token that counts", async () => {
    await using home = await start(format);
    await using stranger = await start(format);
    const token = await tokenOf(home);
    const revoked = await tokenOf(home, { jti: "gone" });
    await home.server.revoke({ iss: home.idp.issuer, jti: "gone" });
    const none = ["x", "a b", "ü", "'; DROP TABLE tokens; --", `${token}x`, "x".repeat(20_000), await home.idJag()];
    for (const no of [...none, revoked, await tokenOf(stranger), await home.idJag({ aud: home.resource })]) {
      const { status, body } = await ask(home, "/introspect", { token: no }, "api");
      expect([status, body]).toEqual([200, { active: false }]);
    }
    home.clock.now = NOON + 300;
    expect((await ask(home, "/introspect", { token }, "api")).body).toEqual({ active: false });
  });
});

describe.each(["jwt", "opaque"] as const)("revocation of %s tokens by their client", (format) => {
  test("ends that token at once, and no other that comes from the same ID-JAG", async () => {
    await using home = await house(() => ({ accessToken: { format } }), { replay: "resubmit" });
    const assertion = await home.idJag({ jti: "jag-1" });
    const [one, two] = [1, 2].map(() => home.redeem({ assertion }));
    const [token, sibling] = [await one, await two].map((answer) => String(answer?.body.access_token));
    if (token === undefined || sibling === undefined) throw new Error("There are two tokens");
    const { status, headers, body, event } = await ask(home, "/revoke", { token });
    expect([status, body, headers.get("cache-control")]).toEqual([200, {}, "no-store"]);
    expect(event).toMatchObject({
      kind: "revocation",
      outcome: "granted",
      verified: true,
      client: CLIENT.clientId,
      resource: home.resource,
      account: "acme/alice",
      customer: "acme",
      iss: home.idp.issuer,
      sub: "alice",
      jti: "jag-1",
      accessToken: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(event).not.toHaveProperty("tenant");
    expect(await check(home, token)).toMatchObject({ ok: false });
    expect(await check(home, sibling)).toMatchObject({ ok: true });
    expect((await ask(home, "/introspect", { token })).body).toEqual({ active: false });
    expect((await home.redeem({ assertion })).status).toBe(200);
  });

  test("is recorded with the tenant of the issuer, where there is one", async () => {
    await using home = await house(() => ({ accessToken: { format } }), { tenant: "t1" });
    const token = await tokenOf(home, { tenant: "t1" });
    expect((await ask(home, "/revoke", { token })).event).toMatchObject({ outcome: "granted", tenant: "t1" });
  });

  test("answers alike for a token that is ended, unknown, or none at all; and records nothing of it", async () => {
    await using home = await start(format);
    const token = await tokenOf(home);
    await ask(home, "/revoke", { token });
    for (const no of [token, "unknown", "a b", await home.idJag()]) {
      expect(await ask(home, "/revoke", { token: no })).toMatchObject({ status: 200, body: {}, event: undefined });
    }
  });

  test("of another client's token is refused, on record, and does nothing", async () => {
    await using home = await start(format);
    const token = await tokenOf(home);
    for (const who of ["other-agent", "api"]) {
      const { status, body, event } = await ask(home, "/revoke", { token }, who);
      expect([status, body.error, event?.reason]).toEqual([400, "invalid_grant", "access-token-client"]);
      expect(event).toMatchObject({ kind: "revocation", outcome: "refused", client: who, sub: "alice" });
    }
    expect(await check(home, token)).toMatchObject({ ok: true });
  });

  test("keeps the token ended until it would have expired", async () => {
    const time = { now: () => NOON };
    const store = memoryStore({ now: () => time.now() });
    await using home = await start(format, { store });
    time.now = () => home.clock.now;
    const token = await tokenOf(home);
    await ask(home, "/revoke", { token });
    for (home.clock.now = NOON; home.clock.now < NOON + 300; home.clock.now += 50) {
      expect(await check(home, token)).toMatchObject({ ok: false });
    }
  });
});

describe.each(["/introspect", "/revoke"] as const)("%s", (path) => {
  const kind = path === "/revoke" ? "revocation" : "introspection";

  test.each<[string, string, Record<string, string>, string, number, string]>([
    ["nobody", "", {}, "token=x", 401, "client-auth-missing"],
    ["nobody, by the right name", "", {}, `token=x&client_id=${CLIENT.clientId}`, 401, "client-auth-missing"],
    ["a stranger", "nobody", {}, "token=x", 401, "client-unknown"],
    ["a wrong secret", "", { authorization: basic("api", "wrong") }, "token=x", 401, "client-secret-wrong"],
    ["the access token itself as proof", "", { authorization: "Bearer x" }, "token=x", 401, "client-auth-malformed"],
    ["a client that is switched off", "off", {}, "token=x", 401, "client-disabled"],
    ["a public client", "", {}, "token=x&client_id=desktop", 400, "client-public"],
    ["no token", "api", {}, "token_type_hint=access_token", 400, "parameter-missing"],
    ["an empty token", "api", {}, "token=", 400, "parameter-missing"],
    ["two tokens", "api", {}, "token=x&token=y", 400, "parameter-doubled"],
    ["bad percent-encoding", "api", {}, "token=%zz", 400, "form-malformed"],
    ["JSON", "api", { "content-type": "application/json" }, '{"token":"x"}', 400, "form-content-type"],
    ["a body that is too large", "api", {}, `token=${"x".repeat(100_000)}`, 400, "form-too-large"],
  ])("is refused to %s, with the reason on record only", async (_, who, headers, form, status, reason) => {
    await using home = await start();
    const answer = await ask(home, path, form, who, headers);
    expect([answer.status, answer.event?.reason]).toEqual([status, reason]);
    expect(answer.event).toMatchObject({ kind, outcome: "refused", verified: false });
    if (reason === "parameter-missing") expect(answer.event?.detail).toBe("token");
    expect(answer.body.decision_id).toBe(answer.event?.decisionId);
    expect(JSON.stringify(answer.body)).not.toContain(reason);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const challenged = /^Basic /.test(headers.authorization ?? "") || who === "nobody" || who === "off";
    expect(answer.headers.get("www-authenticate")).toBe(challenged ? `Basic realm="${home.url}"` : null);
  });

  test("takes POST alone, whatever the query says", async () => {
    await using home = await start();
    const known = home.events.length;
    const authorization = basic("api", CLIENT.clientSecret);
    const answer = await fetch(`${home.url}${path}?token=${await tokenOf(home)}`, { headers: { authorization } });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    expect(home.events[known + 1]).toMatchObject({ kind, reason: "method-wrong" });
  });

  test("finds a token whatever hint comes with it", async () => {
    await using home = await start();
    for (const hint of ["access_token", "refresh_token", "id-jag", "urn:x"]) {
      const token = await tokenOf(home);
      const { status, body } = await ask(home, path, { token, token_type_hint: hint });
      expect(status).toBe(200);
      if (path === "/introspect") expect(body.active).toBe(true);
      else expect(await check(home, token)).toMatchObject({ ok: false });
    }
  });

  test("takes a client that proves itself with a key, for this server alone and once", async () => {
    const key = await newKey();
    const client = { clientId: CLIENT.clientId, method: "private_key_jwt", jwks: { keys: [key.publicJwk] } } as const;
    await using home = await start("jwt", { clients: [client] });
    const form = new URLSearchParams({ token: "x" });
    const identity = { method: "private_key_jwt", clientId: CLIENT.clientId, signer: key.signer } as const;
    await addClientAuth(form, identity, home.url, NOON);
    expect((await ask(home, path, form.toString(), "")).status).toBe(200);
    const again = await ask(home, path, form.toString(), "");
    expect([again.status, again.event?.reason]).toEqual([401, "client-assertion-replayed"]);
  });

  test("answers 503 while the store is down, so that whoever asks comes again", async () => {
    const store = memoryStore({ now: () => NOON });
    const down = { on: false };
    const failing = <In extends readonly unknown[], Out>(run: (...input: In) => Promise<Out>) => {
      return async (...input: In): Promise<Out> => {
        if (down.on) throw new Error("connection lost: password=hunter2");
        return run(...input);
      };
    };
    const parts = { get: failing(store.get), put: failing(store.put), delete: failing(store.delete) };
    for (const format of ["jwt", "opaque"] as const) {
      await using home = await start(format, { store: { ...store, ...parts } });
      down.on = false;
      const token = await tokenOf(home);
      down.on = true;
      const answer = await ask(home, path, { token });
      expect([answer.status, answer.body.error]).toEqual([503, "temporarily_unavailable"]);
      expect(answer.headers.get("retry-after")).toBe("5");
      expect(answer.event).toMatchObject({ kind, reason: "store-unavailable", detail: "store.get failed" });
      expect(JSON.stringify(answer.body)).not.toContain("hunter2");
      down.on = false;
      expect(await check(home, token)).toMatchObject({ ok: true });
    }
  });

  test("keeps its refusal when nothing can be recorded", async () => {
    const record = () => Promise.reject(new Error("disk full"));
    await using home = await start("jwt", { record });
    expect((await ask(home, path, { token: "x" }, "nobody")).status).toBe(401);
  });
});

test("a token that was ended, and not recorded, is ended; and the client is not told that all is well", async () => {
  const down = { on: false };
  const record = async () => {
    if (down.on) throw new Error("disk full");
  };
  await using home = await start("jwt", { record });
  const token = await tokenOf(home);
  down.on = true;
  expect((await ask(home, "/revoke", { token })).status).toBe(503);
  expect(await check(home, token)).toMatchObject({ ok: false });
});

test("the app's own format is introspected and ended, too, and never sees what can not be a token", async () => {
  const seen: string[] = [];
  const table = new Map<
    string,
    Parameters<NonNullable<NonNullable<ResourceServerOptions["accessToken"]>["issue"]>>[0]
  >();
  const accessToken: ResourceServerOptions["accessToken"] = {
    issue: (claims) => {
      table.set(`tok_${table.size}`, claims);
      return `tok_${table.size - 1}`;
    },
    check: (token) => {
      seen.push(token);
      return table.get(token);
    },
  };
  await using home = await start("jwt", { accessToken });
  for (const no of ["a b", "a, b", "'; DROP TABLE tokens; --", "ü"]) {
    expect((await ask(home, "/introspect", { token: no }, "api")).body).toEqual({ active: false });
  }
  expect(seen).toEqual([]);
  const token = await tokenOf(home);
  expect((await ask(home, "/introspect", { token }, "api")).body).toMatchObject({ active: true, sub: "acme/alice" });
  expect((await ask(home, "/revoke", { token })).status).toBe(200);
  expect((await ask(home, "/introspect", { token }, "api")).body).toEqual({ active: false });
  expect(await check(home, token)).toMatchObject({ ok: false, refusal: { reason: "access-token-revoked" } });
});

test("a client that others wrote introspects and ends a token by what the metadata says", async () => {
  await using home = await start();
  const as = await (await fetch(`${home.url}/.well-known/oauth-authorization-server`)).json();
  const client = { client_id: CLIENT.clientId };
  const auth = ClientSecretBasic(CLIENT.clientSecret);
  const options = { [allowInsecureRequests]: true };
  const token = await tokenOf(home);
  const told = async () =>
    processIntrospectionResponse(as, client, await introspectionRequest(as, client, auth, token, options));
  expect(await told()).toMatchObject({ active: true, client_id: CLIENT.clientId, aud: home.resource });
  await processRevocationResponse(await revocationRequest(as, client, auth, token, options));
  expect(await told()).toEqual({ active: false });
});
