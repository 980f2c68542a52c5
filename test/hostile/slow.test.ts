/** Slow and unfinished requests: whoever takes their time keeps nobody waiting, and is not kept for ever. */
import { connect, type Socket } from "node:net";
import { buildTokenExchangeRequest } from "@credence/protocol/token-exchange";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exchange, LEDGER, MCP, secretOf } from "../exchange.testing.ts";
import { type House, SECRETS, startHouse } from "../house.testing.ts";

let house: House;
let idToken: string;
const sockets: Socket[] = [];
beforeAll(async () => {
  house = await startHouse();
  ({ idToken } = (await house.signIn(house.agent("assistant"))).signIn());
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await house?.[Symbol.asyncDispose]();
});

/** A connection to the IdP, with all that comes from there. */
function opened(): { readonly socket: Socket; readonly ended: Promise<string> } {
  const { port, hostname } = new URL(house.issuer);
  const socket = connect({ host: hostname, port: Number(port) });
  sockets.push(socket);
  let text = "";
  socket.on("data", (piece) => {
    text += piece;
  });
  socket.on("error", () => undefined);
  return { socket, ended: new Promise((resolve) => socket.on("close", () => resolve(text))) };
}

const form = () => buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: idToken }).toString();
const head = (length: number) =>
  `POST /token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n` +
  `authorization: Basic ${btoa(`assistant:${SECRETS.assistant}`)}\r\ncontent-length: ${length}\r\n\r\n`;

test("a request that comes in many small pieces is answered as if it had come at once", async () => {
  const body = form();
  const { socket, ended } = opened();
  for (const piece of (head(body.length) + body).match(/[\s\S]{1,40}/g) ?? []) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(await ended).toMatch(/^HTTP\/1\.1 200 [\s\S]*"issued_token_type"/);
});

test("hundreds of connections that begin a request and go no further keep nobody waiting", async () => {
  for (let i = 0; i < 300; i++) {
    const { socket } = opened();
    if (i % 3 === 1) socket.write("POST /token HTTP/1.1\r\nhost: x\r\nx-a: ");
    if (i % 3 === 2) socket.write(`${head(1_000)}grant_type=`);
  }
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => exchange(house, { subjectToken: idToken, client: secretOf("assistant") })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
});

test("headers that do not come to their end, and a body that does not, are given up by the server", {
  timeout: 120_000,
}, async () => {
  const headers = opened();
  headers.socket.write("POST /token HTTP/1.1\r\nhost: x\r\nx-a: ");
  const body = opened();
  body.socket.write(`${head(1_000)}grant_type=`);
  // Whoever still sends something now and then is not kept longer for it.
  const dripping = setInterval(() => {
    for (const { socket } of [headers, body]) if (socket.writable) socket.write("a");
  }, 1_000);
  try {
    // Five seconds are for the next 512 bytes of a body, ten for the headers: who is over the one is not kept until the other is.
    const over = await Promise.race([headers.ended.then(() => "headers"), body.ended.then(() => "body")]);
    expect([over, headers.socket.closed]).toEqual(["body", false]);
    const [first, second] = await Promise.all([headers.ended, body.ended]);
    expect(first).toMatch(/^HTTP\/1\.1 408 /);
    expect(second).toMatch(/^(HTTP\/1\.1 408 [\s\S]*)?$/);
  } finally {
    clearInterval(dripping);
  }
});

test("headers that are too many or too long are refused, and the next request is served", async () => {
  const { socket, ended } = opened();
  socket.write(`GET / HTTP/1.1\r\nhost: x\r\nx-a: ${"a".repeat(20_000)}\r\n\r\n`);
  expect(await ended).toMatch(/^HTTP\/1\.1 431 /);
  expect((await fetch(`${house.issuer}/`)).status).toBe(200);
});
