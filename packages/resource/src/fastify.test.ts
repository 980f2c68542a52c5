import { once } from "node:events";
import { connect } from "node:http2";
import fastify from "fastify";
import { expect, test } from "vitest";
import { newCertificate, type TestCertificate } from "../../../test/certificates.testing.ts";
import { appHouse, describeAdapter, type MakeApp } from "./adapters.testing.ts";
import { accessOf, authorizationServer, protect } from "./fastify.ts";
import { createResourceServer, generateSigningKey } from "./index.ts";
import { createTestIdp } from "./testing.ts";

const READ = { scopes: ["ledger.read"] };
const WRITE = { scopes: ["ledger.read", "ledger.write"] };

const makeApp: MakeApp = async (server, options) => {
  const app = fastify();
  await app.register(authorizationServer(server, options));
  app.post("/echo", async ({ body }) => ({ echo: body }));
  app.get("/forgotten", async (request) => ({ account: accessOf(request).sub }));
  // As an app has it: routes with types of their own, below a prefix.
  await app.register(
    async (api) => {
      api.get<{ Querystring: { page?: string } }>(
        "/entries",
        { onRequest: protect(server, { ...READ, ...options }) },
        async (request) => ({ account: accessOf(request).sub, page: request.query.page }),
      );
      api.post<{ Body: { text: string } }>(
        "/entries",
        { onRequest: protect(server, { ...WRITE, ...options }) },
        async (request, reply) => reply.code(201).send({ added: request.body, by: accessOf(request).sub }),
      );
    },
    { prefix: "/api" },
  );
  await app.ready();
  return (req, res) => app.routing(req, res);
};

describeAdapter("Fastify", makeApp);

test("a hook for a whole instance guards every route of it", async () => {
  const guarded: MakeApp = async (server) => {
    const app = fastify();
    await app.register(authorizationServer(server));
    await app.register(async (api) => {
      api.addHook("onRequest", protect(server, READ));
      api.get("/api/people", async (request) => ({ account: accessOf(request).sub }));
    });
    await app.ready();
    return (req, res) => app.routing(req, res);
  };
  await using home = await appHouse(guarded);
  expect((await home.send("/api/people")).status).toBe(401);
  const headers = { authorization: `Bearer ${await home.token()}` };
  expect((await home.send("/api/people", { headers })).json).toEqual({ account: "acme/alice" });
});

test("an answer of the token endpoint is JSON, whatever type a hook before it has set", async () => {
  const typed: MakeApp = async (server) => {
    const app = fastify();
    app.addHook("onRequest", async (_request, reply) => void reply.type("text/html"));
    await app.register(authorizationServer(server));
    await app.ready();
    return (req, res) => app.routing(req, res);
  };
  await using home = await appHouse(typed);
  const answer = await home.redeem();
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toMatch(/^application\/json(;|$)/);
});

test("HTTP/2 too: an ID-JAG is redeemed, and a token that is bound to a certificate opens with it alone", async () => {
  const [listener, known] = [
    newCertificate("ledger, at the end of a TLS connection"),
    newCertificate("the agent's own, known"),
  ];
  const idp = await createTestIdp();
  const tls = { ...listener, ca: known.cert, requestCert: true, rejectUnauthorized: false };
  const app = fastify({ http2: true, https: tls });
  const client = { clientId: "agent", method: "client_secret_basic", clientSecret: "s3cret" } as const;
  const server = createResourceServer({
    issuer: "https://ledger.example",
    resources: { "https://ledger.example/api": { scopes: { "ledger.read": "Read entries" } } },
    customers: [idp.customer()],
    clients: [client],
    resolveSubject: ({ sub }) => ({ id: sub }),
    signingKey: (await generateSigningKey("ES256")).privateJwk,
    record: () => {},
  });
  await app.register(authorizationServer(server));
  app.get("/api/entries", { onRequest: protect(server, READ) }, async (request) => ({
    account: accessOf(request).sub,
  }));
  const url = await app.listen({ port: 0, host: "127.0.0.1" });

  /** One request over a connection of its own. */
  const send = async (path: string, sent: Record<string, string>, body = "", certificate?: TestCertificate) => {
    const shown = certificate ? { cert: certificate.cert, key: certificate.key } : {};
    const session = connect(url, { ca: listener.cert, ...shown });
    const stream = session.request({ ":path": path, ":method": body === "" ? "GET" : "POST", ...sent });
    // A GET has ended already.
    if (body !== "") stream.end(body);
    const [[headers], chunks] = await Promise.all([once(stream, "response"), stream.toArray()]);
    session.close();
    return { status: headers[":status"], json: JSON.parse(Buffer.concat(chunks).toString("utf8")) };
  };
  const assertion = await idp.idJag({ server, clientId: client.clientId, scope: "ledger.read" });
  const form = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion }).toString();
  const basic = `Basic ${btoa(`${client.clientId}:${client.clientSecret}`)}`;
  const typed = { "content-type": "application/x-www-form-urlencoded", authorization: basic };
  const { json, status } = await send("/token", typed, form, known);
  expect({ status, json }).toMatchObject({ status: 200, json: { scope: "ledger.read" } });
  const authorization = `Bearer ${json.access_token}`;
  expect(await send("/api/entries", { authorization }, "", known)).toEqual({ status: 200, json: { account: "alice" } });
  expect((await send("/api/entries", { authorization })).status).toBe(401);
  await app.close();
});

test("a resource that the server does not have shows at the start", async () => {
  await using home = await appHouse(makeApp);
  expect(() => protect(home.server, { resource: "https://x.example" })).toThrow("Name one of");
});
