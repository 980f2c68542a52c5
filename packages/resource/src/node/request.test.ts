import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, test } from "vitest";
import { headerOf, isUnread, type NodeIncoming, nodeRequest, targetOf } from "./request.ts";

const ORIGIN = "https://ledger.example";

/** What a listener of node:http makes of bytes, and all that it answers to them. */
async function raw<T>(bytes: string, read: (...request: Parameters<RequestListener>) => T | Promise<T>) {
  const seen: T[] = [];
  const server = createServer(async (req, res) => {
    seen.push(await read(req, res));
    res.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // A TCP server that listens has one.
  const socket = connect(port, "127.0.0.1");
  socket.end(bytes);
  const text = Buffer.concat(await socket.toArray()).toString("utf8");
  server.close();
  return { seen, answers: text.match(/HTTP\/1\.1 \d+/g) };
}

const made = (req: NodeIncoming): Request => {
  const { request } = nodeRequest(req, ORIGIN, {}) ?? {};
  if (request === undefined) throw new Error("no Web request");
  return request;
};

test.each([
  ["once", ["X-One: a"], "a"],
  ["twice", ["X-One: a", "x-one: b"], "a, b"],
  ["three times, beside others as long", ["X-One: a", "X-Two: z", "X-ONE: b", "x-one: c"], "a, b, c"],
  ["not at all", ["X-Two: z", "X-One-More: z"], null],
])("a header that is there %s is as in a Web request", async (_, lines, expected) => {
  const bytes = ["GET / HTTP/1.1", "Host: a.example", "Connection: close", ...lines, "", ""].join("\r\n");
  const { seen } = await raw(bytes, (req) => [headerOf(req, "x-one"), made(req).headers.get("x-one")]);
  expect(seen).toEqual([[expected, expected]]);
});

test.each([
  ["/a?b=c", "/a?b=c"],
  ["//elsewhere.example/a", "//elsewhere.example/a"],
  ["http://elsewhere.example/a?b=c", "/a?b=c"],
  ["odd://elsewhere.example?a=b", "/"],
  ["*", "/"],
])("of the target %s, path and query are %s: the host is never the client's", async (target, expected) => {
  const bytes = `OPTIONS ${target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`;
  const { seen } = await raw(bytes, (req) => [targetOf(req), made(req).url]);
  expect(seen).toEqual([[expected, ORIGIN + expected]]);
});

test("a body of which somebody wants text is not there as bytes any more", async () => {
  const bytes = "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=1";
  const { seen } = await raw(bytes, async (req) => {
    const before = isUnread(req);
    req.setEncoding("latin1");
    const { request, wasWanted } = nodeRequest(req, ORIGIN, {}) ?? {};
    await expect(request?.text()).rejects.toMatchObject({ code: "configuration" });
    return [before, isUnread(req), wasWanted?.()];
  });
  expect(seen).toEqual([[true, false, true]]);
});

test.each([
  ["some", "a=1"],
  ["none", ""],
])("the raw bytes that a body parser kept are the body: %s", async (_, kept) => {
  const bytes = "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=1";
  const { seen } = await raw(bytes, async (req) => {
    await req.toArray();
    return made(Object.assign(req, { rawBody: Buffer.from(kept) })).text();
  });
  expect(seen).toEqual([kept]);
});

test.each<[string, (body: ReadableStreamDefaultReader) => Promise<unknown>]>([
  ["after its first bytes", (reader) => reader.read()],
  ["before anybody read it", async () => {}],
])("a body that is given up %s: the next request on the connection is answered", async (_, begin) => {
  const size = 500_000;
  const large = `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`;
  const next = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
  const { seen, answers } = await raw(large + next, async (req) => {
    const reader = made(req).body?.getReader();
    if (reader === undefined) return req.method;
    await begin(reader);
    await reader.cancel();
    return req.method;
  });
  expect(seen).toEqual(["POST", "GET"]);
  expect(answers).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
});
