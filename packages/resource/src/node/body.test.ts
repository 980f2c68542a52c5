import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { FORM_LIMITS, type Form, type Result } from "@credence/protocol";
import { describe, expect, test } from "vitest";
import { readNodeForm } from "./body.ts";
import type { NodeIncoming } from "./request.ts";

/** Listens, and has the requests whose forms it reads. */
async function listening(make: (serve: (req: NodeIncoming) => void) => Server) {
  const requests: NodeIncoming[] = [];
  const forms: Promise<Result<Form>>[] = [];
  const server = make((req) => {
    requests.push(req);
    forms.push(readNodeForm(req));
  }).listen(0, "127.0.0.1");
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => void sockets.add(socket));
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // A TCP server that listens has one.
    requests,
    forms,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const http = (serve: (req: NodeIncoming) => void) => createServer(serve);
const http2 = (serve: (req: NodeIncoming) => void) => createHttp2Server(serve);
const head = (length: number) => `POST /token HTTP/1.1\r\nHost: ledger.example\r\nContent-Length: ${length}\r\n\r\n`;

describe("a form on node:http", () => {
  test("that comes in pieces is one form", async () => {
    await using at = await listening(http);
    const socket = connect(at.port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.write(`${head(11)}a=1&`);
    await expect.poll(() => at.requests[0]?.readableDidRead).toBe(true);
    socket.write("b=2&c=3");
    const form = await at.forms[0];
    expect(form?.ok && [form.value.get("a"), form.value.get("b"), form.value.get("c")]).toEqual(["1", "2", "3"]);
  });

  test("that breaks off is malformed, however much of it came", async () => {
    await using at = await listening(http);
    const socket = connect(at.port, "127.0.0.1");
    socket.write(`${head(100)}a=1`);
    await expect.poll(() => at.requests[0]?.readableDidRead).toBe(true);
    socket.destroy();
    expect(await at.forms[0]).toEqual({
      ok: false,
      refusal: { reason: "form-malformed", detail: "the body broke off" },
    });
  });

  test("that is too large is refused at the limit: the rest is passed over, and heard by nobody", async () => {
    await using at = await listening(http);
    const socket = connect(at.port, "127.0.0.1");
    const size = FORM_LIMITS.bytes * 4;
    socket.write(`${head(size)}${"x".repeat(FORM_LIMITS.bytes + 1)}`);
    await expect.poll(() => at.forms.length).toBe(1);
    const form = await at.forms[0];
    expect(form).toMatchObject({ ok: false, refusal: { reason: "form-too-large" } });
    const [req] = at.requests;
    expect(req?.complete).toBe(false);
    const heard = ["data", "end", "close", "error"].map((event) => req?.listenerCount(event));
    expect(heard).toEqual([0, 0, 0, 0]);
    socket.write("x".repeat(size - FORM_LIMITS.bytes - 1));
    await expect.poll(() => req?.complete).toBe(true);
  });
});

test("a form on node:http2 whose stream its client ends half-way is malformed, and no shorter form", async () => {
  await using at = await listening(http2);
  const session = connectHttp2(`http://127.0.0.1:${at.port}`);
  const stream = session.request({ ":method": "POST", ":path": "/token" });
  for (const one of [session, stream]) one.on("error", () => {});
  stream.write("scope=a&other=b");
  await expect.poll(() => at.requests[0]?.readableDidRead).toBe(true);
  stream.destroy(new Error("cancelled")); // By RST_STREAM, RFC 9113 §6.4.
  expect(await at.forms[0]).toMatchObject({ ok: false, refusal: { reason: "form-malformed" } });
});

test("a request on node:http2 that the app destroys while it is read is malformed, and no fault", async () => {
  await using at = await listening(http2);
  const session = connectHttp2(`http://127.0.0.1:${at.port}`);
  const stream = session.request({ ":method": "POST", ":path": "/token" });
  for (const one of [session, stream]) one.on("error", () => {});
  stream.write("scope=a");
  await expect.poll(() => at.requests[0]?.readableDidRead).toBe(true);
  at.requests[0]?.destroy(new Error("the app is shutting down"));
  expect(await at.forms[0]).toMatchObject({ ok: false, refusal: { reason: "form-malformed" } });
});
