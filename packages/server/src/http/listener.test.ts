import { chmodSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { testCa, tlsFetch } from "../../../../test/certificates.testing.ts";
import { type Listener, listen } from "./listener.ts";
import { readTlsFiles } from "./tls-files.ts";

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

describe("a listener that ends TLS", () => {
  const ca = testCa("A CA");
  const { files } = ca.issue("server", "server");
  const other = ca.issue("another server", "server").files;
  afterAll(() => ca[Symbol.dispose]());

  it("speaks HTTPS with its certificate, and nothing else", async () => {
    const tls = readTlsFiles(files);
    const listener = await listen({ ...local, tls, handler: (_req, res) => res.end("here") });
    expect(listener.url).toBe(`https://127.0.0.1:${listener.port}`);
    expect(await (await tlsFetch(ca)(listener.url)).text()).toBe("here");
    await expect(fetch(listener.url.replace("https:", "http:"))).rejects.toThrow();
    await listener.close();
  });

  it.each<[string, () => Parameters<typeof readTlsFiles>[0], string]>([
    ["a file that is not there", () => ({ ...files, certificate: "/nonexistent/c.pem" }), "tls-unreadable"],
    ["another certificate's key", () => ({ ...files, key: other.key }), "tls-unusable"],
    ["a certificate that is none", () => ({ ...files, certificate: files.key }), "tls-unusable"],
    ["a CA that is none", () => ({ ...files, clientCa: files.key }), "tls-unusable"],
  ])("does not start with %s", async (_, paths, reason) => {
    const start = async () => listen({ ...local, tls: readTlsFiles(paths()), handler: () => undefined });
    await expect(start()).rejects.toMatchObject({ code: "configuration", reason });
  });

  it("does not start with a key that anybody on the machine may open", () => {
    const { files: open } = ca.issue("open", "server");
    chmodSync(open.key, 0o644);
    expect(() => readTlsFiles(open)).toThrow(/chmod o=/);
    chmodSync(open.key, 0o640);
    expect(readTlsFiles(open)).toHaveProperty("key");
  });
});
