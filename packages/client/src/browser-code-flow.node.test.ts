import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findPort } from "../../../examples/demo/src/processes.ts";
import { browserCodeFlow } from "./browser-code-flow.node.ts";
import { giveCodeFlow } from "./testing/code-flow.testing.ts";
import { failure, startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.close());

/** The browser, at an authorization server that asks nothing: comes back by itself, later. */
const browser = async (url: string): Promise<void> => {
  const back = await walk(url);
  void fetch(back).then((response) => response.body?.cancel());
};

describe("the code flow by browser", () => {
  it("comes back to its port of 127.0.0.1, one question at a time", async () => {
    const flow = giveCodeFlow(world.app);
    const port = await findPort(0);
    const session = await world.session({ fallback: browserCodeFlow({ port, open: browser }) });
    const scopes = ["ledger.read", "ledger.write"];
    const tokens = await Promise.all(scopes.map((scope) => session.token({ resource: world.url, scope })));
    expect(tokens.map(({ tokenType }) => tokenType)).toEqual(["Bearer", "Bearer"]);
    expect(flow.authorized.map((asked) => asked.get("redirect_uri"))).toEqual(
      Array(2).fill(`http://127.0.0.1:${port}/callback`),
    );
  });

  it("waits for nobody longer than it is told", async () => {
    giveCodeFlow(world.app);
    const port = await findPort(0);
    const session = await world.session({ fallback: browserCodeFlow({ port, open: () => {}, timeout: 0.1 }) });
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "network", reason: "timeout", leg: "code-flow" });
  });

  it("takes no answer to another request", async () => {
    const flow = giveCodeFlow(world.app);
    const port = await findPort(0);
    const open = async (url: string): Promise<void> => {
      const stranger = await fetch(`http://127.0.0.1:${port}/callback?code=evil&state=guess`);
      expect(stranger.status).toBe(404);
      await browser(url);
    };
    const session = await world.session({ fallback: browserCodeFlow({ port, open }) });
    expect((await session.fetch(world.url)).status).toBe(200);
    expect(flow.tokens.map(({ form }) => form.get("code"))).not.toContain("evil");
  });
});
