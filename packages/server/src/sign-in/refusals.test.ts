import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CALLBACK, SECRET, startHouse, type TestHouse } from "./house.testing.ts";
import { ask, basic, signInOnPage } from "./journeys.testing.ts";
import { createUserAgent } from "./user-agent.testing.ts";

let house: TestHouse;
beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house.stop());
beforeEach(() => house.events.splice(0));

const UNKNOWN = { grant_type: "refresh_token", refresh_token: "nobody-gave-this" };

async function post(form: Record<string, string>, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${house.issuer}/token`, { method: "POST", body: new URLSearchParams(form), headers });
  await response.arrayBuffer();
  return response.status;
}

describe("a refused grant is on record in the name of", () => {
  it.each<[string, Record<string, string>, Record<string, string>]>([
    ["who only claims to be an agent", UNKNOWN, { authorization: basic("assistant", "wrong") }],
    ["who claims to be an agent that has a secret, and shows none", { ...UNKNOWN, client_id: "assistant" }, {}],
    ["who claims to be a public agent, as anybody can", { ...UNKNOWN, client_id: "desktop" }, {}],
    [
      "who tries a way to authenticate that is not offered",
      { ...UNKNOWN, client_id: "assistant" },
      { "oauth-client-attestation-pop": "x" },
    ],
  ])("nobody: %s", async (_, form, headers) => {
    expect(await post(form, headers)).toBeGreaterThanOrEqual(400);
    expect(house.events).toMatchObject([{ type: "grant-refused" }]);
    expect(house.events[0]).not.toHaveProperty("agentId");
  });

  it("the agent that authenticated", async () => {
    expect(await post(UNKNOWN, { authorization: basic("assistant", SECRET) })).toBe(400);
    expect(house.events).toMatchObject([{ type: "grant-refused", agentId: "assistant" }]);
  });

  it("the public agent whose code is used a second time", async () => {
    const asked = await ask(house, {
      id: "desktop",
      auth: (_as, client, body) => body.set("client_id", client.client_id),
    });
    const page = await signInOnPage(createUserAgent(), asked.url);
    const code = page.left?.searchParams.get("code") ?? "";
    const form = { grant_type: "authorization_code", code, redirect_uri: CALLBACK, code_verifier: asked.verifier };
    expect(await post({ ...form, client_id: "desktop" })).toBe(200);
    house.events.splice(0);
    expect(await post({ ...form, client_id: "desktop" })).toBe(400);
    expect(house.events).toMatchObject([{ type: "grant-refused", agentId: "desktop" }]);
  });
});
