import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signInWithBrowser } from "./browser-sign-in.node.ts";
import { failure, startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.close());

describe("a sign-in by browser", () => {
  it("comes back to a free port of 127.0.0.1, and tells the person that the window may be closed", async () => {
    let page: Promise<Response> | undefined;
    const session = await signInWithBrowser(world.agent(), {
      open: async (url) => {
        const back = await walk(url);
        expect(back).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback\?/);
        page = fetch(back);
      },
    });
    const response = await page;
    expect(response?.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await response?.text()).toContain("You may close this window");
    expect((await session.fetch(world.url)).status).toBe(200);
  });

  it("is not disturbed by other visitors of its port", async () => {
    const session = await signInWithBrowser(world.agent(), {
      path: "/oauth/callback",
      open: async (url) => {
        const back = new URL(await walk(url));
        const strangers = [`${back.origin}/favicon.ico`, `${back.origin}${back.pathname}?code=evil&state=guess`];
        for (const stranger of strangers) expect((await fetch(stranger)).status).toBe(404);
        expect((await fetch(back, { method: "POST" })).status).toBe(404);
        expect((await fetch(back)).status).toBe(200);
      },
    });
    expect(session.signIn().refreshToken).toBeDefined();
    expect(world.idp.counts.code).toBe(1);
  });

  it("is not ended by a request for something that is no URL", async () => {
    const session = await signInWithBrowser(world.agent(), {
      open: async (url) => {
        const back = new URL(await walk(url));
        const socket = connect(Number(back.port), back.hostname);
        socket.end("GET // HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        const [head] = await once(socket, "data");
        expect(String(head)).toMatch(/^HTTP\/1\.1 404 /);
        await fetch(back);
      },
    });
    expect(session.signIn().refreshToken).toBeDefined();
  });

  it.each([
    ["works", {}],
    ["fails", { iss: "https://evil.example" }],
  ])("that %s ends though the window was closed before the page was there", async (outcome, changed) => {
    let left: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      left = resolve;
    });
    const agent = world.agent();
    const slow: typeof agent = {
      ...agent,
      async startSignIn(options) {
        const started = await agent.startSignIn(options);
        return {
          ...started,
          async finish(callback) {
            window.abort();
            await gone;
            return started.finish(callback);
          },
        };
      },
    };
    const window = new AbortController();
    const ended = signInWithBrowser(slow, {
      timeout: 3,
      open: async (url) => {
        const back = new URL(await walk(url));
        for (const [name, value] of Object.entries(changed)) back.searchParams.set(name, value);
        const socket = connect(Number(back.port), back.hostname);
        socket.write(`GET ${back.pathname}${back.search} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
        window.signal.addEventListener("abort", () => socket.resetAndDestroy());
        socket.once("close", () => setImmediate(() => setImmediate(() => left?.())));
      },
    });
    if (outcome === "works") expect((await ended).signIn().refreshToken).toBeDefined();
    else expect(await failure(ended)).toMatchObject({ code: "response_invalid", leg: "sign-in" });
  });

  it("that fails shows a page without the reason, and throws it", async () => {
    let page: Promise<string> | undefined;
    const error = await failure(
      signInWithBrowser(world.agent(), {
        open: async (url) => {
          const back = new URL(await walk(url));
          back.searchParams.set("iss", "https://evil.example");
          page = fetch(back).then((response) => response.text());
        },
      }),
    );
    expect(error).toMatchObject({ code: "response_invalid", leg: "sign-in" });
    expect(await page).toContain("The sign-in did not work");
    expect(await page).not.toContain("evil");
  });

  it("ends when nobody comes back in time", async () => {
    const error = await failure(signInWithBrowser(world.agent(), { open: () => {}, timeout: 0.05 }));
    expect(error).toMatchObject({ code: "network", reason: "timeout", leg: "sign-in" });
    expect(error.message).toMatch(/redirect URI \(http:\/\/127\.0\.0\.1:\d+\/callback\) is not registered/);
  });

  it("ends when its caller gives up, and frees the port", async () => {
    const controller = new AbortController();
    let port = 0;
    const waiting = signInWithBrowser(world.agent(), {
      signal: controller.signal,
      open: (url) => {
        port = Number(new URL(new URL(url).searchParams.get("redirect_uri") ?? "").port);
        controller.abort("enough");
      },
    });
    await expect(waiting).rejects.toBe("enough");
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  it("says so when no browser can be opened", async () => {
    const open = (): never => {
      throw new Error("no display");
    };
    expect(await failure(signInWithBrowser(world.agent(), { open }))).toMatchObject({ leg: "sign-in" });
  });

  it("says so when its port is taken", async () => {
    const port = Number(new URL(world.idp.issuer).port);
    expect(await failure(signInWithBrowser(world.agent(), { port, open: () => {} }))).toMatchObject({ leg: "sign-in" });
  });
});
