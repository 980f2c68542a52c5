import fastify from "fastify";
import { expect, test } from "vitest";
import { appHouse, describeAdapter, type MakeApp } from "./adapters.testing.ts";
import { accessOf, authorizationServer, protect } from "./fastify.ts";

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

test("a resource that the server does not have shows at the start", async () => {
  await using home = await appHouse(makeApp);
  expect(() => protect(home.server, { resource: "https://x.example" })).toThrow("Name one of");
});
