/** The ceiling: bare node:http, and nothing but the form, one ES256 verification and one signature. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { PrivateJwk } from "@credence/protocol/jws";
import { es256Key, signJwt, verifyJwt } from "./es256.ts";
import { optionsOf, ready } from "./harness/server.ts";

const { jwk } = optionsOf<{ jwk: PrivateJwk }>();
const key = es256Key(jwk);
let served = 0;

const server = createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => answer(req, res, Buffer.concat(chunks)));
});
await ready(server, {});

function answer(_: IncomingMessage, res: ServerResponse, body: Buffer): void {
  const claims = verifyJwt(new URLSearchParams(body.toString("latin1")).get("subject_token") ?? "", key);
  if (claims === undefined) {
    res.writeHead(400).end();
    return;
  }
  const now = Math.floor(Date.now() / 1_000);
  const granted = { ...claims, jti: String(++served), iat: now, exp: now + 300 };
  const text = JSON.stringify({ access_token: signJwt("oauth-id-jag+jwt", granted, key), expires_in: 300 });
  res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) }).end(text);
}
