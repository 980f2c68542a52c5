import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildClientMetadata, isClientIdUrl, parseClientMetadata, usesIdJag } from "./client-metadata.ts";
import { CredenceError } from "./errors.ts";
import { ID_JAG_GRANT_PROFILE } from "./id-jag.ts";
import { generateSigningKey } from "./jws.ts";
import { JWT_BEARER_GRANT } from "./jwt-bearer.ts";
import { TOKEN_EXCHANGE_GRANT } from "./token-exchange.ts";

const ID = "https://scout.example/agent.json";
const { publicJwk, privateJwk } = await generateSigningKey("ES256");
const GOOD = {
  client_id: ID,
  client_name: "Scout",
  redirect_uris: ["https://scout.example/callback"],
  grant_types: ["authorization_code", TOKEN_EXCHANGE_GRANT, JWT_BEARER_GRANT],
  authorization_grant_profiles_supported: [ID_JAG_GRANT_PROFILE],
  token_endpoint_auth_method: "private_key_jwt",
  jwks: { keys: [publicJwk] },
};

describe("a client id can be the URL of a document", () => {
  test.each([ID, "https://scout.example:8443/agent", "https://scout.example/a/b?v=1", "https://scout.example/a%20b"])(
    "%s",
    (url) => {
      expect(isClientIdUrl(url)).toBe(true);
    },
  );

  test.each([
    ["without a path", "https://scout.example"],
    ["with the root for a path", "https://scout.example/"],
    ["with http", "http://scout.example/agent.json"],
    ["with a scheme of its own", "scout:/agent"],
    ["with a fragment", `${ID}#a`],
    ["with an empty fragment", `${ID}#`],
    ["with a user", "https://alice@scout.example/agent.json"],
    ["with a password", "https://:secret@scout.example/agent.json"],
    ["with a dot segment", "https://scout.example/a/./agent.json"],
    ["with a double-dot segment", "https://scout.example/a/../agent.json"],
    ["with an encoded double-dot segment", "https://scout.example/a/%2e%2e/agent.json"],
    ["with a backslash", "https://scout.example\\agent.json"],
    ["with a host in capitals", "https://Scout.example/agent.json"],
    ["with spaces around", ` ${ID}`],
    ["with a line break in it", "https://scout.example/a\ngent.json"],
    ["without end", `https://scout.example/${"a".repeat(3_000)}`],
    ["that is a name", "scout"],
    ["that is empty", ""],
    ["of this machine", "http://127.0.0.1/agent.json"],
  ])("not %s", (_, url) => {
    expect(isClientIdUrl(url)).toBe(false);
  });

  test("of this machine by the switch for development alone, and of no other by http", () => {
    expect(isClientIdUrl("http://127.0.0.1:4000/agent.json", true)).toBe(true);
    expect(isClientIdUrl("http://localhost/agent.json", true)).toBe(true);
    expect(isClientIdUrl("http://scout.example/agent.json", true)).toBe(false);
  });
});

describe("a document", () => {
  test("is read with what we know, and without the rest", () => {
    expect(parseClientMetadata({ ...GOOD, logo_uri: "https://scout.example/logo" }, ID)).toEqual(GOOD);
  });

  test("that says next to nothing is one of a public client that redirects nowhere", () => {
    expect(parseClientMetadata({ client_id: ID }, ID)).toEqual({
      client_id: ID,
      redirect_uris: [],
      token_endpoint_auth_method: "none",
    });
  });

  test.each([
    "https://scout.example/callback?a=b",
    "http://127.0.0.1/callback",
    "http://[::1]:4000/callback",
    "http://localhost:3000/callback",
    "com.scout.app:/callback",
  ])("may redirect to %s", (uri) => {
    expect(parseClientMetadata({ ...GOOD, redirect_uris: [uri] }, ID).redirect_uris).toEqual([uri]);
  });

  test("that we build is one that we read, with public halves of keys alone", () => {
    const built = buildClientMetadata({
      clientId: ID,
      name: "Scout",
      redirectUris: ["http://127.0.0.1/callback"],
      postLogoutRedirectUris: ["http://127.0.0.1/bye"],
      keys: { jwks: [privateJwk] },
      dpopBound: true,
    });
    expect(JSON.stringify(built)).not.toContain('"d"');
    expect(parseClientMetadata(JSON.parse(JSON.stringify(built)), ID)).toEqual(built);
    expect(usesIdJag(built)).toBe(true);
  });

  test("of a public client, or with keys elsewhere, is built as such", () => {
    const some = { clientId: ID, name: "Scout", redirectUris: [] };
    expect(buildClientMetadata(some).token_endpoint_auth_method).toBe("none");
    const elsewhere = buildClientMetadata({ ...some, keys: { jwksUri: "https://scout.example/jwks" } });
    expect(elsewhere).toMatchObject({
      token_endpoint_auth_method: "private_key_jwt",
      jwks_uri: "https://scout.example/jwks",
    });
  });

  test("is not built for an id that can not be its URL", () => {
    expect(() => buildClientMetadata({ clientId: "scout", name: "Scout", redirectUris: [] })).toThrow(
      expect.objectContaining({ code: "configuration" }),
    );
  });

  test.each<[string, unknown, string]>([
    ["that is null", null, "document"],
    ["that is a list", [GOOD], "document"],
    ["that is text", JSON.stringify(GOOD), "document"],
    ["of another client", { ...GOOD, client_id: "https://other.example/agent.json" }, "client-id"],
    ["without a client id", { ...GOOD, client_id: undefined }, "client-id"],
    ["whose client id is a list", { ...GOOD, client_id: [ID] }, "client-id"],
    ["with a secret", { ...GOOD, client_secret: "hush" }, "client-secret"],
    ["with an empty secret", { ...GOOD, client_secret: "" }, "client-secret"],
    ["with a secret's expiry", { ...GOOD, client_secret_expires_at: 0 }, "client-secret-expires-at"],
    ...["client_secret_basic", "client_secret_post", "client_secret_jwt", "tls_client_auth", "", null].map(
      (method): [string, unknown, string] => [
        `that proves itself by ${method === "" ? "nothing that has a name" : method}`,
        { ...GOOD, token_endpoint_auth_method: method },
        method === null ? "" : "token-endpoint-auth-method",
      ],
    ),
    ["with a private key", { ...GOOD, jwks: { keys: [privateJwk] } }, "jwks"],
    ["with a private key beside a public one", { ...GOOD, jwks: { keys: [publicJwk, privateJwk] } }, "jwks"],
    ["with a symmetric key", { ...GOOD, jwks: { keys: [{ kty: "oct", k: "AAAA" }] } }, "jwks"],
    ["with a prime of an RSA key", { ...GOOD, jwks: { keys: [{ kty: "RSA", n: "AA", e: "AQAB", p: "A" }] } }, "jwks"],
    ["with no key in its set", { ...GOOD, jwks: { keys: [] } }, "jwks"],
    ["with keys that are no set", { ...GOOD, jwks: [publicJwk] }, "jwks"],
    ["with keys and a place for keys", { ...GOOD, jwks_uri: "https://scout.example/jwks" }, "jwks"],
    ["without the keys that it proves itself with", { ...GOOD, jwks: undefined }, "jwks"],
    ["with keys at no URL", { ...GOOD, jwks: undefined, jwks_uri: "jwks.json" }, "jwks-uri"],
    ["with redirects that are text", { ...GOOD, redirect_uris: "https://scout.example" }, "redirect-uris"],
    ["with redirects that are numbers", { ...GOOD, redirect_uris: [1] }, "redirect-uris"],
    ...[
      "javascript:alert(1)",
      "data:text/html,x",
      "file:///etc/passwd",
      "scout:callback",
      "http://scout.example/callback",
      "https://scout.example/callback#x",
      "https://alice:secret@scout.example/callback",
      "/callback",
      "",
    ].map((uri): [string, unknown, string] => [
      `that redirects to ${uri || "nothing"}`,
      { ...GOOD, redirect_uris: [...GOOD.redirect_uris, uri] },
      "redirect-uris",
    ]),
    [
      "that sends people away to a script",
      { ...GOOD, post_logout_redirect_uris: ["javascript:alert(1)"] },
      "post-logout-redirect-uris",
    ],
    ["with grants that are an object", { ...GOOD, grant_types: {} }, "grant-types"],
    ["with a name that is an object", { ...GOOD, client_name: {} }, "client-name"],
    ["with a name without end", { ...GOOD, client_name: "x".repeat(201) }, "client-name"],
    ["that is bound by a text", { ...GOOD, dpop_bound_access_tokens: "true" }, "dpop-bound-access-tokens"],
    ["with the ID-JAG's profile and no grants", { ...GOOD, grant_types: undefined }, "grant-types"],
    [
      "with the ID-JAG's profile and one of its grants",
      { ...GOOD, grant_types: [TOKEN_EXCHANGE_GRANT] },
      "grant-types",
    ],
  ])("%s is refused", (_, document, member) => {
    const read = () => parseClientMetadata(document, ID);
    // RFC 7591 §2: a member that is null counts as one that is not there.
    if (member === "") return expect(read().token_endpoint_auth_method).toBe("none");
    expect(read).toThrow(expect.objectContaining({ code: "response_invalid", reason: `client-metadata-${member}` }));
  });

  test("whatever it is, is read or refused, and what is read has no secret and stays as it is", () => {
    const member = fc.constantFrom(
      ...Object.keys(GOOD),
      "client_secret",
      "jwks_uri",
      "post_logout_redirect_uris",
      "dpop_bound_access_tokens",
      "__proto__",
      "constructor",
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(ID, "none", "private_key_jwt", ["x"], { keys: [publicJwk] }, { keys: [privateJwk] }, true),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(member, value)), (changes) => {
        const document = { ...GOOD, ...Object.fromEntries(changes) };
        let read: ReturnType<typeof parseClientMetadata>;
        try {
          read = parseClientMetadata(document, ID);
        } catch (error) {
          expect(error).toBeInstanceOf(CredenceError);
          return;
        }
        expect(read.client_id).toBe(ID);
        expect(JSON.stringify(read)).not.toMatch(/"(?:client_secret|d|k)":/);
        expect(parseClientMetadata(JSON.parse(JSON.stringify(read)), ID)).toEqual(read);
        if (read.token_endpoint_auth_method === "private_key_jwt") expect(read.jwks ?? read.jwks_uri).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe("who may exchange by their own word", () => {
  const ID_JAG = { authorization_grant_profiles_supported: [ID_JAG_GRANT_PROFILE] };
  test.each<[string, boolean, object]>([
    ["says nothing", true, {}],
    ["names the grant", true, { grant_types: [TOKEN_EXCHANGE_GRANT] }],
    ["names profile and grants", true, { ...ID_JAG, grant_types: [TOKEN_EXCHANGE_GRANT, JWT_BEARER_GRANT] }],
    ["names other grants alone", false, { grant_types: ["authorization_code"] }],
    ["names no grant", false, { grant_types: [] }],
    ["names another profile", false, { authorization_grant_profiles_supported: ["urn:x"] }],
    ["names no profile", false, { authorization_grant_profiles_supported: [] }],
  ])("%s: %s", (_, may, metadata) => {
    expect(usesIdJag(metadata)).toBe(may);
  });
});
