import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  authorizationServerMetadataUrls,
  buildChallenge,
  covers,
  issuesIdJags,
  parseAuthorizationServerMetadata,
  parseChallenges,
  parseProtectedResourceMetadata,
  protectedResourceMetadataUrls,
  redeemsIdJags,
} from "./metadata.ts";

describe("where metadata stands", () => {
  test("of an authorization server: RFC 8414 path-inserted, then OpenID Connect", () => {
    expect(authorizationServerMetadataUrls("https://a.example")).toEqual([
      "https://a.example/.well-known/oauth-authorization-server",
      "https://a.example/.well-known/openid-configuration",
    ]);
    expect(authorizationServerMetadataUrls("https://a.example/t/1")).toEqual([
      "https://a.example/.well-known/oauth-authorization-server/t/1",
      "https://a.example/.well-known/openid-configuration/t/1",
      "https://a.example/t/1/.well-known/openid-configuration",
    ]);
  });

  test("of a resource: path-inserted, then at the root", () => {
    expect(protectedResourceMetadataUrls("https://a.example")).toEqual([
      "https://a.example/.well-known/oauth-protected-resource",
    ]);
    expect(protectedResourceMetadataUrls("https://a.example/mcp?x=1")).toEqual([
      "https://a.example/.well-known/oauth-protected-resource/mcp?x=1",
      "https://a.example/.well-known/oauth-protected-resource",
    ]);
  });
});

describe("an authorization server's metadata", () => {
  const good = { issuer: "https://a.example", token_endpoint: "https://a.example/token" };
  const reasonOf = (value: unknown): string => {
    try {
      parseAuthorizationServerMetadata(value, good.issuer);
      return "ok";
    } catch (error) {
      return (error as { reason: string }).reason;
    }
  };

  test("counts for exactly the issuer that was asked for", () => {
    expect(reasonOf(good)).toBe("ok");
    expect(reasonOf({ ...good, issuer: "https://a.example/" })).toBe("metadata-issuer");
    expect(reasonOf({ ...good, issuer: "https://evil.example" })).toBe("metadata-issuer");
    expect(reasonOf({ ...good, issuer: undefined })).toBe("metadata-issuer");
  });

  test.each<[string, unknown, string]>([
    ["the slash at the end", "https://a.example/", "it names https://a.example/"],
    ["none", undefined, "it names none that can be shown"],
    ["one with words in it", "https://a.example/ Tell nobody", "it names none that can be shown"],
    ["one without an end", `https://a.example/${"a".repeat(300)}`, "it names none that can be shown"],
  ])("of another issuer says which: %s", (_name, issuer, said) => {
    expect(() => parseAuthorizationServerMetadata({ ...good, issuer }, good.issuer)).toThrow(
      `is not https://a.example, letter by letter: ${said}`,
    );
  });

  test.each<[string, unknown, string]>([
    ["a list", [], "metadata-document"],
    ["no token endpoint", { ...good, token_endpoint: undefined }, "metadata-token-endpoint"],
    ["a token endpoint that is no URL", { ...good, token_endpoint: "/token" }, "metadata-token-endpoint"],
    ["keys at no URL", { ...good, jwks_uri: 7 }, "metadata-jwks-uri"],
    ["grant types as text", { ...good, grant_types_supported: "jwt" }, "metadata-grant-types-supported"],
  ])("with %s is refused", (_, value, reason) => {
    expect(reasonOf(value)).toBe(reason);
  });

  interface Lists {
    readonly grants?: readonly string[];
    readonly profiles?: readonly string[];
    readonly types?: readonly string[];
  }
  const withLists = ({ grants, profiles, types }: Lists) => ({
    ...good,
    ...(grants && { grant_types_supported: grants }),
    ...(profiles && { authorization_grant_profiles_supported: profiles }),
    ...(types && { identity_chaining_requested_token_types_supported: types }),
  });
  const profiles = ["urn:ietf:params:oauth:grant-profile:id-jag"];
  const redeeming = ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"];
  test.each<[string, Lists, boolean]>([
    ["it lists the profile and the grant", { grants: redeeming, profiles }, true],
    ["it lists nothing", {}, true],
    ["it leaves the profiles out", { grants: redeeming }, true],
    ["it leaves the grants out", { profiles }, true],
    ["its grants lack ours", { grants: ["authorization_code"], profiles }, false],
    ["its profiles lack ours", { grants: redeeming, profiles: [] }, false],
    ["its profiles lack ours, and it names no grants", { profiles: ["urn:other"] }, false],
  ])("whether it may be asked to redeem an ID-JAG, when %s", (_, lists, answer) => {
    expect(redeemsIdJags(withLists(lists))).toBe(answer);
  });

  const types = ["urn:ietf:params:oauth:token-type:id-jag"];
  const exchanging = ["urn:ietf:params:oauth:grant-type:token-exchange"];
  test.each<[string, Lists, boolean]>([
    ["it lists the type and the grant", { grants: exchanging, types }, true],
    ["it lists nothing", {}, true],
    ["its grants lack ours", { grants: redeeming, types }, false],
    ["its types lack ours", { grants: exchanging, types: [] }, false],
    ["its types lack ours, and it names no grants", { types: ["urn:other"] }, false],
  ])("whether it may be asked to issue an ID-JAG, when %s", (_, lists, answer) => {
    expect(issuesIdJags(withLists(lists))).toBe(answer);
  });
});

describe("a protected resource's metadata", () => {
  const good = { resource: "https://a.example/mcp", authorization_servers: ["https://as.example"] };

  test("must cover the URL that was called", () => {
    expect(parseProtectedResourceMetadata(good, "https://a.example/mcp/tools").resource).toBe(good.resource);
    for (const url of [
      "https://a.example/mcpx",
      "https://a.example/",
      "https://b.example/mcp",
      "http://a.example/mcp",
    ]) {
      expect(() => parseProtectedResourceMetadata(good, url)).toThrow("does not cover");
    }
  });

  test.each<[string, unknown]>([
    ["nothing", null],
    ["no resource", { ...good, resource: undefined }],
    ["no authorization server", { ...good, authorization_servers: [] }],
    ["an authorization server that is no URL", { ...good, authorization_servers: ["as"] }],
    ["a line break in a server's name", { ...good, authorization_servers: ["https://as.example/\nINFO let in"] }],
    ["an escape in a server's name", { ...good, authorization_servers: ["https://as.example/\u001b[2J"] }],
    ["more authorization servers than 20", { ...good, authorization_servers: Array(21).fill("https://as.example") }],
    ["scopes as text", { ...good, scopes_supported: "a" }],
  ])("with %s is refused", (_, value) => {
    expect(() => parseProtectedResourceMetadata(value, good.resource)).toThrow("protected resource metadata");
  });

  test.each([
    ["https://a.example", "https://a.example/x", true],
    ["https://a.example/", "https://a.example/x", true],
    ["https://a.example/x/", "https://a.example/x", true],
    ["https://a.example/x", "https://a.example/x/", true],
    ["https://a.example/x", "https://a.example/x/../y", false],
    ["https://a.example:1/x", "https://a.example/x", false],
    ["https://a.example/x?k=1", "https://a.example/x?k=2", false],
  ])("%s covers %s: %s", (resource, url, expected) => {
    expect(covers(resource, url)).toBe(expected);
  });
});

describe("a challenge", () => {
  test("is read with its parameters, whatever their quoting and case", () => {
    expect(parseChallenges('bearer Resource_Metadata="https://a.example/x", scope="a b",error=invalid_token')).toEqual([
      {
        scheme: "bearer",
        parameters: { resource_metadata: "https://a.example/x", scope: "a b", error: "invalid_token" },
      },
    ]);
  });

  test("stands beside others in one header", () => {
    expect(parseChallenges('Basic realm="a", Bearer scope="b", DPoP algs="ES256"').map((c) => c.scheme)).toEqual([
      "basic",
      "bearer",
      "dpop",
    ]);
    expect(parseChallenges("Negotiate, Bearer").map((c) => c.scheme)).toEqual(["negotiate", "bearer"]);
  });

  test("that is built is read back", () => {
    const value = fc.string({ unit: "grapheme-ascii" });
    fc.assert(
      fc.property(value, value, (scope, realm) => {
        const [read] = parseChallenges(buildChallenge("Bearer", { scope, realm, error: undefined }));
        expect({ ...read?.parameters }).toEqual({ scope, realm });
      }),
    );
  });

  test("that can not be read does no harm", () => {
    expect(parseChallenges(null)).toEqual([]);
    expect(parseChallenges(undefined)).toEqual([]);
    fc.assert(fc.property(fc.string({ maxLength: 500 }), (header) => Array.isArray(parseChallenges(header))));
    expect(parseChallenges("Bearer __proto__=x")[0]?.parameters).not.toBe(Object.prototype);
  });
});
