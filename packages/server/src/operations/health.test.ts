import { describe, expect, it, onTestFinished, vi } from "vitest";
import { listen } from "../http/listener.ts";
import { type Checks, createHealth, type Health, withHealth } from "./health.ts";

async function askedOver(health: Health, path: string, base = ""): Promise<{ status: number; body: unknown }> {
  const handler = withHealth(health, base, (_req, res) => res.writeHead(418).end("{}"));
  const listener = await listen({ host: "127.0.0.1", port: 0, handler });
  onTestFinished(() => listener.close());
  const answer = await fetch(`${listener.url}${path}`);
  return { status: answer.status, body: await answer.json() };
}

const works = async () => {};
const fails = async () => {
  throw new TypeError("connection to postgres://user:s3cret@db refused");
};

describe("health", () => {
  it("says that the process lives, whatever its parts do", async () => {
    expect(await askedOver(createHealth({ store: fails }), "/healthz")).toEqual({
      status: 200,
      body: { status: "alive" },
    });
  });

  it("says that it is ready when all parts work", async () => {
    expect(await askedOver(createHealth({ store: works, keys: works }), "/readyz")).toEqual({
      status: 200,
      body: { status: "ready", parts: { store: "ok", keys: "ok" } },
    });
  });

  it("names the part that does not work, and not why", async () => {
    const { status, body } = await askedOver(createHealth({ store: fails, keys: works }), "/readyz");
    expect(status).toBe(503);
    expect(body).toEqual({ status: "not-ready", parts: { store: "failed", keys: "ok" } });
    expect(JSON.stringify(body)).not.toContain("s3cret");
  });

  it("says that it drains", async () => {
    const health = createHealth({ store: works });
    health.drain();
    expect(await askedOver(health, "/readyz")).toEqual({
      status: 503,
      body: { status: "draining", parts: { store: "ok" } },
    });
  });

  it.each(["/idp/readyz", "/readyz"])("answers at %s where the issuer is below /idp", async (path) => {
    expect((await askedOver(createHealth({}), path, "/idp")).status).toBe(200);
  });

  it.each(["/readyz/", "/readyzz", "/", "/token", "/ready"])("leaves %s to somebody else", async (path) => {
    expect((await askedOver(createHealth({}), path)).status).toBe(418);
  });
});

describe("the parts", () => {
  it("are asked once for all who ask within a second, and again after it", async () => {
    const store = vi.fn(works);
    const health = createHealth({ store });
    await Promise.all([health.readiness(), health.readiness(), health.readiness()]);
    expect(store).toHaveBeenCalledTimes(1);
    await vi.waitFor(
      async () => {
        await health.readiness();
        expect(store).toHaveBeenCalledTimes(2);
      },
      { timeout: 10_000, interval: 100 },
    );
  });

  it("are told of once when they fail, and once when they work again", async () => {
    let up = true;
    const checks: Checks = { store: () => (up ? works() : fails()) };
    const told: [string, boolean][] = [];
    const health = createHealth(checks, (part, failure) => told.push([part, failure !== undefined]));
    const until = async (status: string) =>
      vi.waitFor(async () => expect((await health.readiness()).status).toBe(status), {
        timeout: 10_000,
        interval: 100,
      });
    await until("ready");
    up = false;
    await until("not-ready");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await until("not-ready");
    up = true;
    await until("ready");
    expect(told).toEqual([
      ["store", true],
      ["store", false],
    ]);
  });

  it("fail when they do not answer", async () => {
    const health = createHealth({ store: () => new Promise(() => {}) });
    expect(await health.readiness()).toEqual({ status: "not-ready", parts: { store: "failed" } });
  });
});
