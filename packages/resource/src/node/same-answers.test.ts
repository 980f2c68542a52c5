/** The token endpoint on node:http reads requests by itself: what it answers is what the Web's requests are answered. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, test } from "vitest";
import { newCertificate } from "../../../../test/certificates.testing.ts";
import { basic, CLIENT, type House, house } from "../house.testing.ts";
import { authorizationServer } from "../node.ts";
import type { ResourceServer } from "../server.ts";

const FORM = "Content-Type: application/x-www-form-urlencoded";
const AUTHORIZATION = `Authorization: ${basic(CLIENT.clientId, CLIENT.clientSecret)}`;
const CLIENT_CERT = `Client-Cert: :${newCertificate("the agent's, behind a proxy").der.toString("base64")}:`;
const GRANT = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

interface RawRequest {
  readonly line?: string;
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
  /** Ends the connection in the middle of the body. */
  readonly cut?: boolean;
}

/** Sends bytes, and reads the answer with what was recorded of it. */
async function send(home: House, port: number, request: RawRequest) {
  const { line = "POST /token HTTP/1.1", headers = [FORM, AUTHORIZATION], body = "", cut = false } = request;
  const known = home.events.length;
  const length = `Content-Length: ${Buffer.byteLength(body) + (cut ? 10 : 0)}`;
  const head = [line, "Host: ledger.example", "Connection: close", length, ...headers].join("\r\n");
  const socket = connect(port, "127.0.0.1");
  const sending = Buffer.concat([Buffer.from(`${head}\r\n\r\n`), Buffer.from(body)]);
  await new Promise<unknown>((resolve) => socket.write(sending, resolve));
  if (cut) {
    socket.destroy();
    await expect.poll(() => home.events.length, { timeout: 10_000 }).toBe(known + 1);
  }
  const text = cut ? "" : Buffer.concat(await socket.toArray()).toString("utf8");
  // Ids are fresh each time, and so is each ID-JAG.
  const event = { ...home.events[known], decisionId: undefined, jti: undefined, accessToken: undefined };
  const [answered = "", ...rest] = text.split("\r\n\r\n");
  const sent = answered
    .toLowerCase()
    .split("\r\n")
    .filter((one) => /^(http|cache-control|content-type|www-authenticate|allow|retry-after|dpop-nonce)/.test(one))
    .sort();
  return { sent, event, body: withoutIds(rest.join("\r\n\r\n")) };
}

/** Ids and tokens are fresh each time. */
function withoutIds(body: string): unknown {
  const json = /\{.*\}/s.exec(body)?.[0];
  if (json === undefined) return undefined;
  const { decision_id: id, error_description: told, access_token: token, ...same } = JSON.parse(json);
  return { ...same, id: typeof id, token: typeof token, told: String(told).replace(String(id), "ID") };
}

describe("node:http answers as the Web's requests are answered", () => {
  test.each<[string, (home: House) => Promise<RawRequest>]>([
    ["a good redemption", async (home) => ({ body: `${GRANT}&assertion=${await home.idJag()}` })],
    [
      "names of headers in other letters",
      async (home) => ({
        headers: [
          FORM.toUpperCase().replace("APPLICATION/X-WWW-FORM-URLENCODED", "application/x-www-form-urlencoded"),
          AUTHORIZATION.replace("A", "a"),
        ],
        body: `${GRANT}&assertion=${await home.idJag()}`,
      }),
    ],
    [
      "a query, which is no part of the endpoint",
      async (home) => ({
        line: "POST /token?a=b HTTP/1.1",
        body: `${GRANT}&assertion=${await home.idJag()}`,
      }),
    ],
    [
      "a path that is written otherwise",
      async (home) => ({
        line: "POST /x/../token HTTP/1.1",
        body: `${GRANT}&assertion=${await home.idJag()}`,
      }),
    ],
    ["two Authorization headers", async () => ({ headers: [FORM, AUTHORIZATION, AUTHORIZATION], body: GRANT })],
    ["two Content-Type headers", async () => ({ headers: [FORM, FORM, AUTHORIZATION], body: GRANT })],
    ["two DPoP headers", async () => ({ headers: [FORM, AUTHORIZATION, "DPoP: a", "DPoP: b"], body: GRANT })],
    ["no Authorization", async () => ({ headers: [FORM], body: GRANT })],
    [
      "a wrong secret",
      async () => ({ headers: [FORM, `Authorization: ${basic(CLIENT.clientId, "no")}`], body: GRANT }),
    ],
    ["another content type", async () => ({ headers: ["Content-Type: application/json", AUTHORIZATION], body: "{}" })],
    ["no content type", async () => ({ headers: [AUTHORIZATION], body: GRANT })],
    ["another method", async () => ({ line: "PUT /token HTTP/1.1", body: GRANT })],
    ["no body", async () => ({})],
    ["no UTF-8", async () => ({ body: Buffer.from([0x61, 0x3d, 0xff]) })],
    ["a parameter twice", async () => ({ body: `${GRANT}&${GRANT}` })],
    [
      "a certificate that a proxy hands on",
      async (home) => ({
        headers: [FORM, AUTHORIZATION, CLIENT_CERT],
        body: `${GRANT}&assertion=${await home.idJag()}`,
      }),
    ],
    ["two certificates", async () => ({ headers: [FORM, AUTHORIZATION, CLIENT_CERT, CLIENT_CERT], body: GRANT })],
    ["a certificate that is none", async () => ({ headers: [FORM, AUTHORIZATION, "Client-Cert: no"], body: GRANT })],
    ["a body as long as there may be", async () => ({ body: `${GRANT}&x=${"y".repeat(65_536 - GRANT.length - 3)}` })],
    ["one byte more", async () => ({ body: `${GRANT}&x=${"y".repeat(65_537 - GRANT.length - 3)}` })],
    ["a body that breaks off", async () => ({ body: GRANT, cut: true })],
  ])("%s", async (_, make) => {
    await using home = await house();
    // Without the endpoint that reads by itself, every request becomes a Web request.
    const { tokenEndpoint: _own, ...ofWeb } = home.server;
    await using node = await listening(home.server);
    await using web = await listening(ofWeb);
    const [answer, expected] = [
      await send(home, node.port, await make(home)),
      await send(home, web.port, await make(home)),
    ];
    expect(answer).toEqual(expected);
    expect(answer.event).toMatchObject({ kind: "redemption" });
  });
});

test("a proxy's certificate binds, whichever way the request is read", async () => {
  await using home = await house();
  const { tokenEndpoint: _own, ...ofWeb } = home.server;
  for (const server of [home.server, ofWeb]) {
    await using at = await listening(server);
    const headers = [FORM, AUTHORIZATION, CLIENT_CERT];
    const { event } = await send(home, at.port, { headers, body: `${GRANT}&assertion=${await home.idJag()}` });
    expect(event).toMatchObject({ outcome: "granted", binding: "certificate" });
  }
});

test.each<[string, "short" | "long", RawRequest]>([
  ["as clients send it", "short", {}],
  ["with a charset", "short", { headers: [`${FORM}; charset=UTF-8`] }],
  ["with a query", "long", { line: "POST /token?a=b HTTP/1.1" }],
  ["of another method", "long", { line: "PUT /token HTTP/1.1" }],
  ["of another type", "long", { headers: ["Content-Type: application/json"] }],
  ["for another path", "long", { line: "POST /jwks HTTP/1.1" }],
])("a request %s goes the %s way: the long one makes a Web request of it", async (_, way, request) => {
  await using home = await house();
  const { tokenEndpoint } = home.server;
  if (tokenEndpoint === undefined) throw new Error("no token endpoint");
  const taken: string[] = [];
  await using at = await listening({
    ...home.server,
    tokenEndpoint: {
      ...tokenEndpoint,
      answer(one) {
        taken.push("short");
        return tokenEndpoint.answer(one);
      },
    },
    tryFetch(one, context) {
      taken.push("long");
      return home.server.tryFetch(one, context);
    },
  });
  await send(home, at.port, { headers: [FORM], body: GRANT, ...request });
  expect(taken).toEqual([way]);
});

async function listening(resourceServer: ResourceServer): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer(authorizationServer(resourceServer, { clientCertHeader: true })).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // A TCP server that listens has one.
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
