/** Client certificates on both legs and at the resource, over real TLS: at our IdP behind a proxy that ends TLS, and at our receiver. */

import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { type AgentOptions, createAgent, type Session } from "@credence/client";
import { generateSigningKey } from "@credence/protocol/jws";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { createResourceServer } from "@credence/resource";
import { accessOf, authorizationServer, protect } from "@credence/resource/node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { newCertificate, type TestCertificate, tlsFetch } from "../certificates.testing.ts";
import { ALICE, acme, CALLBACK, type House, SECRETS, startHouse } from "../house.testing.ts";
import { visit } from "./world.testing.ts";

const [server, mine, others] = [newCertificate("server"), newCertificate("assistant"), newCertificate("somebody else")];
const thumbprintOf = async (certificate: TestCertificate): Promise<string> => {
  const confirmation = await certificateConfirmation(certificate.der);
  return (confirmation.ok && confirmation.value["x5t#S256"]) || "";
};

/** The platform's fetch, as far as it is used here, with a certificate or without one. */
const fetchWith = (certificate?: TestCertificate): typeof fetch => tlsFetch(server, certificate);

const TLS: ServerOptions = {
  cert: server.cert,
  key: server.key,
  ca: [mine.cert, others.cert],
  requestCert: true,
  rejectUnauthorized: false,
};

interface Listening {
  readonly url: string;
  handler: (req: IncomingMessage, res: ServerResponse) => void;
  close(): Promise<void>;
}

/** A TLS server that asks for a certificate, and goes on without one. */
async function listen(): Promise<Listening> {
  const https = createServer(TLS, (req, res) => listening.handler(req, res));
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  const listening: Listening = {
    url: `https://127.0.0.1:${(https.address() as AddressInfo).port}`,
    handler: (_req, res) => void res.writeHead(503).end(),
    async close() {
      https.closeAllConnections();
      await new Promise((resolve) => https.close(resolve));
    },
  };
  return listening;
}

/** A proxy that ends TLS and hands the client's certificate on. @see RFC 9440 §2.2 */
function proxyTo(port: number): Listening["handler"] {
  return (req, res) => {
    const { raw } = req.socket instanceof TLSSocket ? req.socket.getPeerCertificate() : { raw: undefined };
    const shown = raw ? { "client-cert": `:${raw.toString("base64")}:` } : {};
    const { "client-cert": _, ...headers } = req.headers;
    const options = { host: "127.0.0.1", port, path: req.url, method: req.method, headers: { ...headers, ...shown } };
    req.pipe(
      request(options, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      }),
    );
  };
}

let house: House;
let idp: Listening;
let app: Listening;
let resource: string;
beforeAll(async () => {
  [idp, app] = await Promise.all([listen(), listen()]);
  resource = `${app.url}/api`;
  house = await startHouse({
    ledger: app.url,
    server: { issuer: idp.url, clientCertHeader: true, trustedProxies: ["127.0.0.1"] },
  });
  idp.handler = proxyTo(Number(new URL(house.issuer).port));
  const organization = acme(app.url);
  await house.change({
    ...organization,
    apps: organization.apps.map((one) => (one.id === "ledger" ? { ...one, resources: [resource] } : one)),
  });
  const receiver = createResourceServer({
    issuer: app.url,
    resources: { [resource]: { scopes: { "ledger.read": "Read entries" }, requireBound: true } },
    customers: [{ id: "acme", issuers: [{ issuer: idp.url }] }],
    clients: [{ clientId: "ledger-assistant", method: "client_secret_basic", clientSecret: "s" }],
    resolveSubject: ({ sub, customer }) => ({ id: sub, customer }),
    signingKey: (await generateSigningKey("ES256")).privateJwk,
    fetch: fetchWith(),
    record: () => undefined,
    development: true,
  });
  const [own, gate] = [authorizationServer(receiver), protect(receiver, { scopes: ["ledger.read"] })];
  app.handler = (req, res) =>
    void own(req, res, () => void gate(req, res, () => void res.end(JSON.stringify({ by: accessOf(req).sub }))));
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await Promise.all([idp.close(), app.close()]);
  await house[Symbol.asyncDispose]();
});

/** Alice's session with an agent that shows a certificate, or says that it does. */
async function signIn(certificate: TestCertificate | undefined, options: Partial<AgentOptions>): Promise<Session> {
  const method = "client_secret_basic";
  const agent = createAgent({
    idp: { issuer: idp.url, client: { method, clientId: "assistant", clientSecret: SECRETS.assistant ?? "" } },
    apps: [{ issuer: app.url, client: { method, clientId: "ledger-assistant", clientSecret: "s" } }],
    development: true,
    fetch: fetchWith(certificate),
    ...options,
  });
  const started = await agent.startSignIn({ redirectUri: CALLBACK });
  // Alice's browser trusts the server, and shows no certificate.
  vi.stubGlobal("fetch", fetchWith());
  const back = await visit(started.url, ALICE).finally(() => vi.unstubAllGlobals());
  return started.finish(back);
}

describe("an agent that shows its certificate", () => {
  test("gets an ID-JAG that is bound to it, an access token that is bound to it, and its call through", async () => {
    const session = await signIn(mine, { certificateThumbprint: await thumbprintOf(mine) });
    const { claims } = await session.idJag({ audience: app.url, resource });
    expect(claims.cnf).toEqual({ "x5t#S256": await thumbprintOf(mine) });
    const token = await session.token({ resource });
    expect(token.tokenType).toBe("Bearer");
    expect((await session.fetch(`${resource}/entries`)).status).toBe(200);
    const headers = { authorization: `Bearer ${token.accessToken}` };
    for (const stranger of [undefined, others]) {
      expect((await fetchWith(stranger)(`${resource}/entries`, { headers })).status).toBe(401);
    }
  });

  test("whose certificate is not the one that it expects uses nothing", async () => {
    const session = await signIn(others, { certificateThumbprint: await thumbprintOf(mine) });
    await expect(session.token({ resource })).rejects.toMatchObject({ reason: "binding-differs", leg: "exchange" });
  });

  test("that reaches the IdP without it, by a proxy on the way, refuses the unbound ID-JAG", async () => {
    const session = await signIn(undefined, { certificateThumbprint: await thumbprintOf(mine) });
    await expect(session.token({ resource })).rejects.toMatchObject({ reason: "binding-differs", leg: "exchange" });
  });

  test("that shows another one at the app gets no token there", async () => {
    const [first, second] = [fetchWith(mine), fetchWith(others)];
    const session = await signIn(mine, {
      certificateThumbprint: await thumbprintOf(mine),
      fetch: (input, init) => (String(input).startsWith(app.url) ? second : first)(input, init),
    });
    await expect(session.token({ resource })).rejects.toMatchObject({ code: "invalid_grant", leg: "redemption" });
  });
});
