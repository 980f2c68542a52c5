import { requireBearerAuth } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import { type House, house } from "./house.testing.ts";
import { mcpBearerAuth, mcpTokenVerifier } from "./mcp.ts";

async function gate(home: House, authorization: string, scopes: readonly string[] = ["ledger.read"]) {
  const check = requireBearerAuth(mcpBearerAuth(home.server, { scopes }));
  return check(new Request(home.resource, { headers: { authorization } }));
}

/** The SDK's gate compares expiry with the system's clock. */
const today = () => ({ now: () => Math.floor(Date.now() / 1_000) });
const fresh = async (home: House): Promise<string> => {
  const now = Math.floor(Date.now() / 1_000);
  const { body } = await home.redeem({ assertion: await home.idJag({ iat: now, exp: now + 300 }) });
  return String(body.access_token);
};

describe("behind the MCP SDK's requireBearerAuth", () => {
  test("a good token becomes what tools see: account, customer, client, scopes, resource", async () => {
    await using home = await house(today);
    const token = await fresh(home);
    const auth = await gate(home, `Bearer ${token}`);
    expect(auth).toMatchObject({
      token,
      clientId: "ledger-assistant",
      scopes: ["ledger.read"],
      resource: new URL(home.resource),
      resourceMetadataUrl: `${home.url}/.well-known/oauth-protected-resource/mcp`,
      extra: { account: "acme/alice", customer: "acme", root: { iss: home.idp.issuer, sub: "alice" } },
    });
  });

  test.each<[string, (home: House) => Promise<string>]>([
    ["an ID-JAG", (home) => home.idJag()],
    [
      "an ID-JAG with the resource as audience, under our key",
      (home) => home.idJag({ aud: home.resource }, home.key.signer),
    ],
    ["an access token under another key", async (home) => (await fresh(home)).replace(/.{20}$/, "A".repeat(20))],
    ["garbage", async () => "abc"],
  ])("%s: 401, with the resource's metadata", async (_, token) => {
    await using home = await house(today);
    const answer = await gate(home, `Bearer ${await token(home)}`);
    expect(answer).toMatchObject({ status: 401 });
    const challenge = answer instanceof Response ? answer.headers.get("www-authenticate") : "";
    expect(challenge).toContain("/.well-known/oauth-protected-resource/mcp");
    const event = home.events.at(-1);
    expect(event).toMatchObject({ kind: "access", outcome: "refused", resource: home.resource });
    expect(challenge).toContain(`decision ${event?.decisionId}`);
  });

  test("a token that has expired by the server's clock: 401, whatever the SDK's clock says", async () => {
    const clock = { now: Math.floor(Date.now() / 1_000) };
    await using home = await house(() => ({ now: () => clock.now }));
    const token = await fresh(home);
    clock.now += 300;
    expect(await gate(home, `Bearer ${token}`)).toMatchObject({ status: 401 });
  });

  test("a scope that is missing: 403", async () => {
    await using home = await house(today);
    const answer = await gate(home, `Bearer ${await fresh(home)}`, ["ledger.read", "ledger.write"]);
    expect(answer).toMatchObject({ status: 403 });
    expect(home.events.at(-1)).toMatchObject({ reason: "scope-insufficient", detail: "ledger.write" });
  });

  test("a check that can not run: 500, and nobody gets in", async () => {
    const alive = { down: false };
    await using home = await house(() => ({
      ...today(),
      isAlive: () => {
        if (alive.down) throw new Error("connection lost");
        return true;
      },
    }));
    const token = await fresh(home);
    alive.down = true;
    expect(await gate(home, `Bearer ${token}`)).toMatchObject({ status: 500 });
  });

  test("a resource that the server does not have shows at the start", async () => {
    await using home = await house();
    expect(() => mcpTokenVerifier(home.server, { resource: "https://x.example" })).toThrow("Name one of");
  });
});
