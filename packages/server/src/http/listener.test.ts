import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { type Listener, listen } from "./listener.ts";

const local = { host: "127.0.0.1", port: 0 };

describe("a listener", () => {
  it("says where it is", async () => {
    const listener = await listen({ ...local, handler: (_req, res) => res.end("here") });
    expect(listener.url).toBe(`http://127.0.0.1:${listener.port}`);
    expect(await (await fetch(listener.url)).text()).toBe("here");
    await listener.close();
  });

  it("names the port that is in use", async () => {
    const first = await listen({ ...local, handler: (_req, res) => res.end() });
    await expect(listen({ host: "127.0.0.1", port: first.port, handler: () => undefined })).rejects.toMatchObject({
      code: "configuration",
      reason: "EADDRINUSE",
      message: expect.stringContaining(`Port ${first.port}`),
    });
    await first.close();
  });

  it("lets a request in flight finish, and takes no more", async () => {
    let finish = () => {};
    let start = () => {};
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    const listener = await listen({
      ...local,
      handler: (_req, res) => {
        finish = () => res.end("finished");
        start();
      },
    });
    const answer = fetch(listener.url).then((response) => response.text());
    await started;
    const closed = listener.close();
    await expect(fetch(listener.url)).rejects.toThrow();
    finish();
    expect(await answer).toBe("finished");
    await closed;
  });

  it("closes what does not finish in time, and an idle connection at once", async () => {
    const listener = await listen({ ...local, handler: () => undefined, graceMs: 50 });
    const hanging = fetch(listener.url);
    hanging.catch(() => {});
    const idle = connect(listener.port, "127.0.0.1");
    const ended = new Promise((resolve) => idle.once("close", resolve));
    idle.on("error", () => {});
    await new Promise((resolve) => idle.once("connect", resolve));
    await listener.close();
    await expect(hanging).rejects.toThrow();
    await ended;
  });

  it("refuses headers that are too large", async () => {
    const listener: Listener = await listen({ ...local, handler: (_req, res) => res.end() });
    const answer = await fetch(listener.url, { headers: { "x-large": "x".repeat(20_000) } });
    expect(answer.status).toBe(431);
    await listener.close();
  });
});
