/** Clocks that differ: up to a minute nothing happens, beyond it an error says "clock". */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failure, startWorld, type World } from "./testing/world.testing.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.close());

/** An agent on a machine whose clock is so many seconds ahead of the IdP's and the app's. */
const agentAhead = (seconds: number) => world.agent({ now: () => world.clock.seconds + seconds });

describe("an agent whose clock is", () => {
  it.each([-55, -30, 30, 55])("%i seconds ahead of the IdP's works", async (seconds) => {
    const session = agentAhead(seconds).session({ idToken: await world.idp.idToken() });
    expect((await session.fetch(world.url)).status).toBe(200);
  });

  it.each([
    [-300, "id-jag-clock"],
    [400, "id-jag-expired"],
  ])("%i seconds ahead hears that a clock is wrong, and whose it can be", async (seconds, reason) => {
    const session = agentAhead(seconds).session({ idToken: await world.idp.idToken() });
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", leg: "exchange", party: world.idp.issuer, reason });
    expect(error.message).toContain("clock");
    expect(world.app.counts.redeem).toBe(0);
  });

  it("five minutes ahead signs people in while the ID token lives, and hears of the clock afterwards", async () => {
    expect((await (await world.signIn(agentAhead(300))).fetch(world.url)).status).toBe(200);
    world.idp.idTokenLifetime = 200;
    const error = await failure(world.signIn(agentAhead(300)));
    expect(error).toMatchObject({ code: "response_invalid", leg: "sign-in", party: world.idp.issuer });
    expect(error.message).toContain("clock");
  });
});
