/** Who wants a fresher or stronger sign-in says so to the application, which carries it into the next sign-in. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mcpAuthProvider } from "./mcp.ts";
import { json } from "./testing/http.testing.ts";
import { failure, startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.close());

const redirectUri = "http://127.0.0.1/callback";
const demanded = { maxAge: 300, acrValues: "urn:acme:mfa urn:acme:key" };

/** The resource's own challenge. @see RFC 9470 §3 */
function challengeAtResource(parameters: string): void {
  const challenge = `Bearer error="insufficient_user_authentication", ${parameters}`;
  world.app.serve = () => new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
}

describe.each<[string, string, () => void]>([
  [
    "the IdP",
    "exchange",
    () => {
      const body = { error: "insufficient_user_authentication", max_age: 300, acr_values: demanded.acrValues };
      world.idp.refuse = (turn) => (turn === 1 ? json(body, 400) : undefined);
    },
  ],
  ["the resource", "call", () => challengeAtResource(`max_age="300", acr_values="${demanded.acrValues}"`)],
])("a step-up that %s wants", (_, leg, want) => {
  it("is an error that says what the sign-in must be, after one request", async () => {
    want();
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "insufficient_user_authentication", leg, retry: "step-up", ...demanded });
    expect(world.idp.counts.exchange).toBe(1);
  });

  it("goes into the next sign-in as it is, and the call then succeeds", async () => {
    want();
    const agent = world.agent();
    const error = await failure((await world.signIn(agent)).fetch(world.url));
    // Options that are left out, even by name, take nothing away from it.
    const started = await agent.startSignIn({ redirectUri, stepUp: error, maxAge: undefined, acrValues: undefined });
    const asked = new URL(started.url).searchParams;
    expect([asked.get("max_age"), asked.get("acr_values")]).toEqual(["300", demanded.acrValues]);
    expect(started.checks.maxAge).toBe(300);
    world.app.serve = () => json({ entries: [] });
    const session = await started.finish(await walk(started.url));
    expect((await session.fetch(world.url)).status).toBe(200);
  });
});

describe("a resource's step-up", () => {
  it("is told to the MCP SDK's provider too", async () => {
    challengeAtResource('max_age="60"');
    const provider = mcpAuthProvider(await world.session());
    const response = await world.app.serve(new Request(world.url));
    const asked = provider.onUnauthorized?.({ response, serverUrl: new URL(world.url), fetchFn: fetch });
    expect(await failure(Promise.resolve(asked))).toMatchObject({ leg: "call", maxAge: 60, retry: "step-up" });
  });

  it.each([
    ["no number", 'max_age="soon"', undefined],
    ["a negative number", 'max_age="-1"', undefined],
    ["nothing", 'realm="ledger"', undefined],
    ["zero", 'max_age="0"', 0],
  ])("with %s as max_age is a step-up all the same", async (_, parameters, maxAge) => {
    challengeAtResource(parameters);
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "insufficient_user_authentication", maxAge, acrValues: undefined });
  });
});
