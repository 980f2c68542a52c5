import { parseChallenges } from "@credence/protocol/metadata";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signAccessToken } from "../access-token/access-token.ts";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { CLIENT, type House, house, type Key, NOON, newKey } from "../house.testing.ts";
import type { ResourceServerOptions } from "../options.ts";
import type { Account } from "../redeem/subject.ts";

const OTHER = "https://ledger.example/api";
let home: House;
beforeAll(async () => {
  home = await house((base) => ({ resources: { ...base.resources, [OTHER]: { scopes: { "ledger.read": "Read" } } } }));
});
afterAll(() => home[Symbol.asyncDispose]());

/** Calls a handler that needs `ledger.read` at `/mcp` and answers who called. */
async function call(authorization: string | undefined, own: House = home, scopes: readonly string[] = ["ledger.read"]) {
  const known = own.events.length;
  const handler = own.server.protect({ resource: own.resource, scopes }, (_, access) => Response.json(access));
  const answer = await handler(new Request(own.resource, { headers: authorization ? { authorization } : {} }));
  const [challenge] = parseChallenges(answer.headers.get("www-authenticate"));
  return { status: answer.status, challenge, answer, body: await answer.json(), event: own.events[known] };
}

const tokenOf = async (own: House = home): Promise<string> => String((await own.redeem()).body.access_token);

function claims(change: Record<string, unknown> = {}): AccessTokenClaims {
  const good = {
    iss: home.url,
    aud: home.resource,
    sub: "acme/alice",
    client_id: CLIENT.clientId,
    jti: "t1",
    iat: NOON,
    exp: NOON + 300,
    scope: "ledger.read",
    customer: "acme",
    root: { iss: home.idp.issuer, jti: "j1", iat: NOON, sub: "alice" },
  };
  // Some cases are malformed on purpose.
  return { ...good, ...change } as AccessTokenClaims;
}

const signed = (change: Record<string, unknown> = {}, key: Key = home.key): Promise<string> =>
  signAccessToken(claims(change), key.signer);

describe("a call without a token", () => {
  test.each([
    ["nothing", undefined],
    ["Basic", "Basic YTpi"],
    ["another scheme", "Negotiate abc"],
    ["a scheme that ends as ours does", "XBearer abc"],
    ["another scheme with ours behind it", "Negotiate Bearer abc"],
    ["a scheme that begins as ours does", "BearerX abc"],
  ])("%s: 401, where to look and what to ask for, and no error", async (_, authorization) => {
    const { status, challenge, event, answer } = await call(authorization);
    expect(status).toBe(401);
    expect(challenge).toEqual({
      scheme: "bearer",
      parameters: { resource_metadata: `${home.url}/.well-known/oauth-protected-resource/mcp`, scope: "ledger.read" },
    });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(event).toBeUndefined();
  });

  test("a token in the query or in a form body does not count", async () => {
    const token = await tokenOf();
    const handler = home.server.protect({ resource: home.resource }, () => new Response("in"));
    const body = new URLSearchParams({ access_token: token });
    const requests = [
      new Request(`${home.resource}?access_token=${token}`),
      new Request(home.resource, { method: "POST", body }),
    ];
    for (const request of requests) expect((await handler(request)).status).toBe(401);
  });
});

describe("a call with a good token", () => {
  test("reaches the handler, which learns who calls for whom", async () => {
    const { status, body } = await call(`Bearer ${await tokenOf()}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      sub: "acme/alice",
      client_id: CLIENT.clientId,
      customer: "acme",
      scope: "ledger.read",
    });
    expect(body.root).toMatchObject({ iss: home.idp.issuer, sub: "alice" });
  });

  test("may have more than one space between scheme and token", async () => {
    expect((await call(`Bearer  ${await tokenOf()}`)).status).toBe(200);
  });

  test("the scheme's case does not matter", async () => {
    expect((await call(`bearer ${await tokenOf()}`)).status).toBe(200);
  });

  test("with a scope that the call needs missing: 403 with all scopes needed", async () => {
    const { status, challenge, body } = await call(`Bearer ${await tokenOf()}`, home, ["ledger.read", "ledger.write"]);
    expect(status).toBe(403);
    expect(body.error).toBe("insufficient_scope");
    expect(challenge?.parameters).toMatchObject({ error: "insufficient_scope", scope: "ledger.read ledger.write" });
  });

  test("a scope is compared whole", async () => {
    expect((await call(`Bearer ${await signed({ scope: "ledger.readonly" })}`)).status).toBe(403);
    expect((await call(`Bearer ${await signed({ scope: undefined })}`)).status).toBe(403);
  });
});

describe("a token that does not count here", () => {
  const forge = async (): Promise<string> => {
    const [head, , signature] = (await tokenOf()).split(".");
    return `${head}.${Buffer.from(JSON.stringify(claims({ sub: "bob" }))).toString("base64url")}.${signature}`;
  };
  test.each<[string, () => Promise<string>, string]>([
    ["ID-JAG used as a bearer token at the API", () => home.idJag(), "access-token-typ"],
    [
      "ID-JAG with this API as audience, our key and all claims of an access token",
      () => home.idJag({ ...claims() }, home.key.signer),
      "access-token-typ",
    ],
    [
      "a token of another authorization server",
      async () => signed({ iss: "https://as.example" }, await newKey()),
      "access-token-issuer",
    ],
    ["another issuer's claim under our own key", () => signed({ iss: `${home.url}/` }), "access-token-issuer"],
    ["our issuer's claim under another key", async () => signed({}, await newKey()), "access-token-signature"],
    ["key confusion: signed by the customer's IdP", () => signed({}, home.idp.key), "access-token-signature"],
    ["a changed payload", forge, "access-token-signature"],
    ["wrong audience: another resource of this server", () => signed({ aud: OTHER }), "access-token-audience"],
    ["wrong audience: a prefix", () => signed({ aud: home.url }), "access-token-audience"],
    ["wrong audience: below the resource", () => signed({ aud: `${home.resource}/x` }), "access-token-audience"],
    ["several audiences", () => signed({ aud: [home.resource, OTHER] }), "access-token-malformed"],
    ["no audience", () => signed({ aud: undefined }), "access-token-malformed"],
    ["expired", () => signed({ exp: NOON - 1 }), "access-token-expired"],
    ["expired this second: no skew", () => signed({ exp: NOON }), "access-token-expired"],
    ["no expiry", () => signed({ exp: undefined }), "access-token-malformed"],
    ["no root", () => signed({ root: undefined }), "access-token-malformed"],
    ["a root without time", () => signed({ root: { iss: "i", jti: "j", sub: "s" } }), "access-token-malformed"],
    ["a scope that is a list", () => signed({ scope: ["ledger.read"] }), "access-token-malformed"],
    ["garbage", async () => "abc", "access-token-malformed"],
    ["two tokens", async () => `${await tokenOf()}, Bearer ${await tokenOf()}`, "access-token-malformed"],
    ["nothing after the scheme", async () => "", "access-token-malformed"],
    [
      "alg none",
      async () => (await forge()).replace(/^[^.]*/, Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")),
      "access-token-signature",
    ],
  ])("%s: 401 invalid_token, with the exact reason on record only", async (_, token, reason) => {
    const { status, challenge, body, event } = await call(`Bearer ${await token()}`);
    expect({ status, error: body.error, reason: event?.reason }).toEqual({
      status: 401,
      error: "invalid_token",
      reason,
    });
    expect(challenge?.parameters).toMatchObject({ error: "invalid_token", scope: "ledger.read" });
    expect(JSON.stringify(body)).not.toContain(reason);
    expect(body.decision_id).toBe(event?.decisionId);
  });

  test("expires when it says, so that the agent must come back", async () => {
    await using own = await house(() => ({ accessToken: { lifetime: 5 } }));
    const token = await tokenOf(own);
    own.clock.now += 4;
    expect((await call(`Bearer ${token}`, own)).status).toBe(200);
    own.clock.now += 1;
    expect((await call(`Bearer ${token}`, own)).event?.reason).toBe("access-token-expired");
  });

  test("dies with the root of its grant", async () => {
    const revoked = new Set<string>();
    await using own = await house(() => ({ isAlive: ({ root }) => !revoked.has(root.jti) }));
    const { body, event } = await own.redeem();
    expect((await call(`Bearer ${body.access_token}`, own)).status).toBe(200);
    revoked.add(event?.jti ?? "");
    expect((await call(`Bearer ${body.access_token}`, own)).event?.reason).toBe("access-token-revoked");
  });
});

describe("when a check can not run", () => {
  const down = async (): Promise<never> => {
    throw new Error("connection lost");
  };
  test("503, and the handler is not reached", async () => {
    const alive = { down: false };
    await using own = await house(() => ({ isAlive: async () => (alive.down ? down() : true) }));
    const token = await tokenOf(own);
    alive.down = true;
    const { status, body, event, answer } = await call(`Bearer ${token}`, own);
    expect({ status, error: body.error }).toEqual({ status: 503, error: "temporarily_unavailable" });
    expect([answer.headers.get("retry-after"), answer.headers.get("www-authenticate")]).toEqual(["5", null]);
    expect(event).toMatchObject({ reason: "internal-fault", detail: "isAlive failed" });
  });

  test("a refusal that can not be recorded stays a refusal", async () => {
    await using own = await house(() => ({ record: down }));
    expect((await call("Bearer abc", own)).status).toBe(401);
  });
});

describe("the app's own token format", () => {
  /** Opaque tokens in a table. */
  const opaque = (change: Partial<AccessTokenClaims> = {}): Partial<ResourceServerOptions<Account>> => {
    const table = new Map<string, AccessTokenClaims>();
    return {
      accessToken: {
        issue: (issued) => {
          const token = `tok_${table.size}`;
          table.set(token, { ...issued, ...change });
          return token;
        },
        check: (token) => table.get(token),
      },
    };
  };

  test("is issued and checked", async () => {
    await using own = await house(() => opaque());
    expect(await tokenOf(own)).toBe("tok_0");
    expect((await call("Bearer tok_0", own)).body.sub).toBe("acme/alice");
    expect((await call("Bearer tok_1", own)).event?.reason).toBe("access-token-malformed");
  });

  test("never sees what can not be a token", async () => {
    const seen: string[] = [];
    const check = (token: string) => {
      seen.push(token);
      return undefined;
    };
    await using own = await house(() => ({ accessToken: { issue: () => "t", check } }));
    for (const token of ["a b", "a, Bearer b", "a'; DROP TABLE tokens; --", "ü"]) {
      expect((await call(`Bearer ${token}`, own)).event?.reason).toBe("access-token-malformed");
    }
    expect(seen).toEqual([]);
  });

  test.each([
    ["issuer", { iss: "https://as.example" }, "access-token-issuer"],
    ["resource", { aud: OTHER }, "access-token-audience"],
    ["expiry", { exp: NOON }, "access-token-expired"],
    ["scopes", { scope: "ledger.write" }, "scope-insufficient"],
  ])("does not spare the check of the %s", async (_, change, reason) => {
    await using own = await house(() => opaque(change));
    expect((await call(`Bearer ${await tokenOf(own)}`, own)).event?.reason).toBe(reason);
  });
});

test("a key that was rotated out of signing still checks what it signed, and is published", async () => {
  const old = await newKey();
  await using own = await house(() => ({ publicKeys: [old.publicJwk] }));
  const token = await signed({ iss: own.url, aud: own.resource }, old);
  expect((await call(`Bearer ${token}`, own)).status).toBe(200);
  const { keys } = await (await fetch(`${own.url}/jwks`)).json();
  expect(keys).toEqual([own.key.publicJwk, old.publicJwk]);
});

test("a resource that the server does not have is a mistake that shows at the start", async () => {
  const handler = () => new Response();
  expect(() => home.server.protect({ resource: "https://x.example" }, handler)).toThrow("Name one of");
  expect(() => home.server.protect({}, handler)).toThrow("Name one of");
});
