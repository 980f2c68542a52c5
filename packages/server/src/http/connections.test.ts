import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type Listener, type ListenOptions, listen } from "./listener.ts";
import { securityHeaders } from "./secure-headers.ts";

let listener: Listener;
let sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await listener.close();
});

/** Reads whole bodies, as our endpoints do, and answers with their length. */
const handler: ListenOptions["handler"] = async (req, res) => {
  let size = 0;
  try {
    for await (const chunk of req) size += chunk.length;
    res.end(String(size));
  } catch {
    res.destroy();
  }
};

async function start(connections: ListenOptions["connections"] = {}): Promise<void> {
  const headers = securityHeaders("https://idp.example");
  listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handler,
    graceMs: 10,
    connections: { headers, ...connections },
  });
}

interface Talk {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<void>;
  readonly isClosed: () => boolean;
}

function open(): Talk {
  const socket = connect(listener.port, "127.0.0.1");
  sockets.push(socket);
  let [text, over] = ["", false];
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve())).then(() => {
    over = true;
  });
  return { socket, text: () => text, closed, isClosed: () => over };
}

async function ask(request: string): Promise<string> {
  const talk = open();
  talk.socket.write(request);
  await talk.closed;
  return talk.text();
}

const honest = async () => (await fetch(listener.url, { method: "POST", body: "abc" })).text();

/** What every answer must have that ends a connection. */
function expectWellFormed(answer: string, status: number): void {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
  expect(head.toLowerCase()).toContain("connection: close");
  expect(head.toLowerCase()).toContain("cache-control: no-store");
  for (const [name, value] of securityHeaders("https://idp.example")) expect(head).toContain(`${name}: ${value}`);
  expect(JSON.parse(body.replace(/^[0-9a-f]+\r\n/, "").replace(/\r\n0$/, ""))).toMatchObject({
    error: "invalid_request",
  });
}

const POST = "POST / HTTP/1.1\r\nhost: idp.example\r\n";

describe("what is no request", () => {
  it.each([
    ["no HTTP", "\x16\x03\x01\x02\x00 hello\r\n\r\n", 400],
    ["a header without a name", "GET / HTTP/1.1\r\nhost: a\r\n: x\r\n\r\n", 400],
    ["a NUL in a header", "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400],
    ["two lengths", `${POST}content-length: 1\r\ncontent-length: 2\r\n\r\nab`, 400],
    ["a length and chunks", `${POST}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ["a length that is none", `${POST}content-length: 1e9\r\n\r\n`, 400],
    ["a header of 20,000 characters", `GET / HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["a URL of 20,000 characters", `GET /${"x".repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
    ["100,000 headers", `GET / HTTP/1.1\r\nhost: a\r\n${"a: b\r\n".repeat(100_000)}\r\n`, 431],
    ["101 headers", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(100)}host: a\r\n\r\n`, 431],
    [
      "chunks with endless extensions",
      `${POST}transfer-encoding: chunked\r\n\r\n1;${"x".repeat(20_000)}\r\na\r\n`,
      413,
    ],
  ])("%s is answered in good form, and closed", async (_, request, status) => {
    await start();
    expectWellFormed(await ask(request), status);
    expect(await honest()).toBe("3");
  });

  it("takes 100 headers", async () => {
    await start();
    const answer = await ask(`GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${"a: b\r\n".repeat(98)}\r\n`);
    expect(answer).toContain("HTTP/1.1 200 OK");
  });
});

describe("connections", () => {
  it("beyond so many are closed unread; when one ends, the next is taken", async () => {
    await start({ connections: 5 });
    const talks = Array.from({ length: 5 }, open);
    await Promise.all(talks.map(({ socket }) => new Promise((resolve) => socket.once("connect", resolve))));
    await expect.poll(async () => honest().catch(() => "closed"), { timeout: 20_000 }).toBe("closed");
    talks[0]?.socket.destroy();
    await expect.poll(async () => honest().catch(() => "closed"), { timeout: 20_000 }).toBe("3");
  });

  it("of one address are bounded apart", async () => {
    await start({ connectionsPerAddress: 5 });
    const talks = Array.from({ length: 20 }, open);
    await expect.poll(() => talks.filter(({ isClosed }) => isClosed()).length, { timeout: 20_000 }).toBe(15);
    const other = connect({ port: listener.port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    sockets.push(other);
    other.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    const answer = await new Promise<string>((resolve) => other.once("data", (data) => resolve(String(data))));
    expect(answer).toContain("200 OK");
    for (const { socket } of talks) socket.destroy();
    await expect.poll(async () => honest().catch(() => "closed"), { timeout: 20_000 }).toBe("3");
  });

  it("of a trusted proxy are everybody's", async () => {
    await start({ connectionsPerAddress: 2, trustedProxies: ["127.0.0.0/8"] });
    const talks = Array.from({ length: 20 }, open);
    expect(await honest()).toBe("3");
    expect(talks.filter(({ isClosed }) => isClosed())).toEqual([]);
  });
});

describe("whoever is slow", () => {
  it("is ended: 1,000 connections that send a byte a second, of headers and of bodies, while everybody else is answered", async () => {
    await start();
    await honest();
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const talks = Array.from({ length: 1_000 }, open);
    const [headers, bodies] = [talks.slice(0, 500), talks.slice(500)];
    for (const { socket } of headers) socket.write("GET / HTTP/1.1\r\nhost: a\r\nx: ");
    for (const { socket } of bodies) socket.write(`${POST}content-length: 60000\r\n\r\n`);
    const drip = setInterval(() => {
      for (const { socket } of talks) if (socket.writable) socket.write("x");
    }, 1_000);
    try {
      let answered = 0;
      await expect
        .poll(
          async () => {
            answered += Number((await honest()) === "3");
            return talks.filter(({ isClosed }) => isClosed()).length;
          },
          { timeout: 90_000, interval: 500 },
        )
        .toBe(1_000);
      expect(answered).toBeGreaterThan(5);
      for (const { text } of [...headers.slice(0, 5), ...bodies.slice(0, 5)]) expectWellFormed(text(), 408);
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(150_000_000);
    } finally {
      clearInterval(drip);
    }
  }, 120_000);

  it("but comes forward is not: a body that takes its time is read to its end", async () => {
    await start();
    const talk = open();
    talk.socket.write(`${POST}connection: close\r\ncontent-length: 9000\r\n\r\n`);
    for (let i = 0; i < 9; i += 1) {
      talk.socket.write("x".repeat(1_000));
      await new Promise((resolve) => setTimeout(resolve, 900));
    }
    await talk.closed;
    expect(talk.text()).toContain("9000");
  }, 60_000);

  it("is ended in the middle of a body that never ends", async () => {
    await start();
    const talk = open();
    talk.socket.write(`${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    await talk.closed;
    expectWellFormed(talk.text(), 408);
  }, 60_000);
});
