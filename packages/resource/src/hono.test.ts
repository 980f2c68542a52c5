import { CredenceError } from "@credence/protocol";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { Hono, type MiddlewareHandler } from "hono";
import { describe, expect, test } from "vitest";
import { appHouse, describeAdapter, type MakeApp } from "./adapters.testing.ts";
import { type AccessEnv, authorizationServer, protect } from "./hono.ts";
import { socketCertificate } from "./node.ts";

const READ = { scopes: ["ledger.read"] };
const WRITE = { scopes: ["ledger.read", "ledger.write"] };

/** What went wrong, so that tests see it. */
const faults: unknown[] = [];

/** @param overrideGlobalObjects - Of `@hono/node-server`: whether its `Request` takes the place of the runtime's. */
function makeApp(before: MiddlewareHandler = (_c, next) => next(), overrideGlobalObjects = true): MakeApp {
  return (server, { clientCertHeader = false }) => {
    const certificates = {
      clientCertHeader,
      certificate: (c: { env: HttpBindings }) => socketCertificate(c.env.incoming),
    };
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.use(before, authorizationServer(server, certificates));
    app.post("/echo", async (c) => c.json({ echo: await c.req.json() }));
    app.get("/api/entries", protect(server, { ...READ, ...certificates }), (c) => {
      return c.json({ account: c.get("access").sub });
    });
    app.post("/api/entries", protect(server, { ...WRITE, ...certificates }), async (c) => {
      return c.json({ added: await c.req.json(), by: c.get("access").sub }, 201);
    });
    app.route("/", forgotten);
    app.onError((error, c) => {
      faults.push(error);
      return c.json({ error: "server_error" }, 500);
    });
    return getRequestListener(app.fetch, { overrideGlobalObjects });
  };
}

/** Routes of an app that says that they are guarded, and does not guard them. */
const forgotten = new Hono<AccessEnv>().get("/forgotten", (c) => c.json({ account: c.get("access").sub }));

// First of all, while `Request` is the runtime's own.
describe("behind middleware that reads bodies", () => {
  test("a token request is an error of the set-up that says how to mend it", async () => {
    const reading: MiddlewareHandler = async (c, next) => {
      await c.req.parseBody();
      return next();
    };
    await using home = await appHouse(makeApp(reading, false));
    expect((await home.redeem()).status).toBe(500);
    const fault = faults.at(-1);
    expect(fault).toBeInstanceOf(CredenceError);
    expect(fault).toMatchObject({
      code: "configuration",
      message: expect.stringContaining("before every body parser"),
    });
  });

  test("other requests of the app are not disturbed", async () => {
    const reading: MiddlewareHandler = async (c, next) => {
      if (c.req.method === "POST" && c.req.path === "/echo") await c.req.json();
      return next();
    };
    await using home = await appHouse(makeApp(reading, false));
    const sent = { method: "POST", headers: { "content-type": "application/json" }, body: '{"a":1}' };
    expect((await home.send("/echo", sent)).json).toEqual({ echo: { a: 1 } });
    expect((await home.redeem()).status).toBe(200);
  });
});

describeAdapter("Hono", makeApp());

test("without options, on any runtime: nothing shows a certificate", async () => {
  await using home = await appHouse(makeApp());
  const app = new Hono<AccessEnv>()
    .use(authorizationServer(home.server))
    .get("/api", protect(home.server), (c) => c.json({ account: c.get("access").sub }));
  expect((await app.request("/jwks")).status).toBe(200);
  expect((await app.request("/api")).status).toBe(401);
  const headers = { authorization: `Bearer ${await home.token()}` };
  expect(await (await app.request("/api", { headers })).json()).toEqual({ account: "acme/alice" });
});

test("a resource that the server does not have shows at the start", async () => {
  await using home = await appHouse(makeApp());
  expect(() => protect(home.server, { resource: "https://x.example" })).toThrow("Name one of");
});
