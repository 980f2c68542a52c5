/** What the standards ask of an app's authorization server and resource, where no other test looks: over real HTTP. */
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { parseChallenges } from "@credence/protocol/metadata";
import { describe, expect, test } from "vitest";
import { basic, CLIENT, house, NOON } from "../../packages/resource/src/house.testing.ts";

const key = await generateDpopKey();

async function json(url: string): Promise<{ answer: Response; body: Record<string, unknown> }> {
  const answer = await fetch(url);
  return { answer, body: (await answer.json()) as Record<string, unknown> }; // Metadata is an object.
}

describe("a resource's metadata", () => {
  test("has no member without a value, and the resource's name where it has one", async () => {
    await using home = await house(({ resources }) => {
      const [resource = ""] = Object.keys(resources);
      return { resources: { [resource]: { scopes: {}, name: "Ledger" } } };
    });
    const { answer, body } = await json(home.server.resourceMetadataUrl());
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(body).toEqual({
      resource: home.resource,
      resource_name: "Ledger",
      authorization_servers: [home.url],
      bearer_methods_supported: ["header"],
      dpop_signing_alg_values_supported: expect.any(Array),
    });
  });

  test("stands between the host and the path and query of its identifier", async () => {
    await using home = await house(({ issuer }) => ({ resources: { [`${issuer}/tenant/mcp?t=1`]: { scopes: {} } } }));
    const { body } = await json(`${home.url}/.well-known/oauth-protected-resource/tenant/mcp?t=1`);
    expect(body.resource).toBe(`${home.url}/tenant/mcp?t=1`);
    expect((await fetch(`${home.url}/.well-known/oauth-protected-resource/tenant/mcp?t=2`)).status).toBe(404);
  });

  test("says where only bound tokens do, and the challenge names its URL", async () => {
    await using home = await house(({ resources }) => {
      const [resource = ""] = Object.keys(resources);
      return { resources: { [resource]: { scopes: { "ledger.read": "Read" }, requireBound: true } } };
    });
    const url = home.server.resourceMetadataUrl();
    expect((await json(url)).body.dpop_bound_access_tokens_required).toBe(true);
    const serve = home.server.protect({}, () => new Response("in"));
    const answer = await serve(new Request(home.resource));
    const [challenge] = parseChallenges(answer.headers.get("www-authenticate"));
    expect(challenge?.parameters.resource_metadata).toBe(url);
  });
});

describe("a token that is bound to a key", () => {
  const redeem = async (home: Awaited<ReturnType<typeof house>>) => {
    const proof = await createDpopProof(key, { method: "POST", url: `${home.url}/token`, now: NOON });
    return home.redeem({ assertion: await home.idJag({ cnf: { jkt: key.jkt } }) }, { dpop: proof });
  };

  test.each(["jwt", "opaque"] as const)("is introspected as DPoP, with the key's thumbprint: %s", async (format) => {
    await using home = await house(() => ({ accessToken: { format } }));
    const { body } = await redeem(home);
    const answer = await fetch(`${home.url}/introspect`, {
      method: "POST",
      headers: { authorization: basic(CLIENT.clientId, CLIENT.clientSecret) },
      body: new URLSearchParams({ token: String(body.access_token) }),
    });
    expect(await answer.json()).toMatchObject({ active: true, token_type: "DPoP", cnf: { jkt: key.jkt } });
  });

  test("lives minutes, not hours, unless the app says so", async () => {
    await using home = await house();
    expect((await redeem(home)).body.expires_in).toBe(300);
  });
});

describe("a server with nonces", () => {
  test("gives the next one with every answer to a proof, once, and never to be cached", async () => {
    const nonceSecret = new Uint8Array(32).fill(7);
    await using home = await house(() => ({ dpop: { nonceSecret } }));
    const send = async (nonce?: string) =>
      home.redeem(
        {},
        { dpop: await createDpopProof(key, { method: "POST", url: `${home.url}/token`, now: NOON, nonce }) },
      );
    const asked = await send();
    const nonce = asked.headers.get("dpop-nonce") ?? "";
    const good = await send(nonce);
    expect([asked.status, good.status]).toEqual([400, 200]);
    for (const { headers } of [asked, good]) {
      // Two headers would come joined by a comma.
      expect(headers.get("dpop-nonce")).toMatch(/^[\w-]+$/);
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });
});

test("who introspects or revokes authenticates, and a certificate-bound token says so", async () => {
  const certificate = new Uint8Array([0x30, 0x82, ...Array.from({ length: 300 }, (_, i) => i % 251)]);
  await using home = await house();
  const body = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    assertion: await home.idJag(),
  });
  const headers = { authorization: basic(CLIENT.clientId, CLIENT.clientSecret) };
  const request = new Request(`${home.url}/token`, { method: "POST", headers, body });
  const granted = await (await home.server.fetch(request, { certificate })).json();
  const introspect = (by: Record<string, string>) =>
    fetch(`${home.url}/introspect`, {
      method: "POST",
      headers: by,
      body: new URLSearchParams({ token: granted.access_token }),
    });
  expect((await introspect({})).status).toBe(401);
  const told = await (await introspect(headers)).json();
  expect(told).toMatchObject({
    active: true,
    token_type: "Bearer",
    cnf: { "x5t#S256": expect.stringMatching(/^[\w-]{43}$/) },
  });
});
