import { createRequire } from "node:module";
import { CredenceError } from "@credence/protocol";
import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import { describe, expect, test } from "vitest";
import { appHouse, describeAdapter, type MakeApp } from "./adapters.testing.ts";
import { accessOf, authorizationServer, protect } from "./express.ts";

const require = createRequire(import.meta.url);
/** The same by another name: as far as it is used here, its interface is that of the version after it. */
const express4: typeof express = require("express4");

const READ = { scopes: ["ledger.read"] };
const WRITE = { scopes: ["ledger.read", "ledger.write"] };

/** What went wrong, so that tests see it. */
const faults: unknown[] = [];
const answerFault: ErrorRequestHandler = (error, _req, res, _next) => {
  faults.push(error);
  res.status(500).json({ error: "server_error" });
};

function makeApp(before: RequestHandler = (_req, _res, next) => next(), framework = express): MakeApp {
  return (server, options) => {
    const app = framework();
    app.use(before, authorizationServer(server, options), framework.json());
    app.post("/echo", (req, res) => void res.json({ echo: req.body }));
    const api = framework.Router();
    api.get("/entries", protect(server, { ...READ, ...options }), (req, res) => {
      res.json({ account: accessOf(req).sub });
    });
    api.post("/entries", protect(server, { ...WRITE, ...options }), (req, res) => {
      res.status(201).json({ added: req.body, by: accessOf(req).sub });
    });
    // Below a mount point Express shortens `req.url`.
    app.use("/api", api);
    app.get("/forgotten", (req, res) => void res.json({ account: accessOf(req).sub }));
    app.use(answerFault);
    return app;
  };
}

describeAdapter("Express", makeApp());
describeAdapter("Express 4", makeApp(undefined, express4));

describe("behind a body parser that came first", () => {
  test.each([
    ["Express", express],
    ["Express 4, which hears of no promise that rejects", express4],
  ])("a token request is an error of the set-up that says how to mend it: %s", async (_, framework) => {
    faults.length = 0;
    await using home = await appHouse(makeApp(framework.urlencoded({ extended: false }), framework));
    expect((await home.redeem()).status).toBe(500);
    const fault = faults.at(-1);
    expect(fault).toBeInstanceOf(CredenceError);
    expect(fault).toMatchObject({
      code: "configuration",
      message: expect.stringContaining("before every body parser"),
    });
  });

  test("other requests of the app are not disturbed", async () => {
    await using home = await appHouse(makeApp(express.json()));
    const sent = { method: "POST", headers: { "content-type": "application/json" }, body: '{"a":1}' };
    expect((await home.send("/echo", sent)).json).toEqual({ echo: { a: 1 } });
    expect((await home.redeem()).status).toBe(200);
  });

  test("the raw bytes that it kept are read, and what is doubled in them is refused", async () => {
    const keeping = express.urlencoded({
      extended: false,
      verify: (req, _res, rawBody) => void Object.assign(req, { rawBody }),
    });
    await using home = await appHouse(makeApp(keeping));
    expect((await home.redeem()).status).toBe(200);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    await home.send("/token", { method: "POST", headers, body: "assertion=a&assertion=b" });
    expect(home.events.at(-1)?.reason).toBe("parameter-doubled");
  });
});

test("claims that nobody checked are an error of the set-up that says what is missing", async () => {
  await using home = await appHouse(makeApp());
  await home.send("/forgotten");
  const message = expect.stringContaining("put protect before this handler");
  expect(faults.at(-1)).toMatchObject({ code: "configuration", message });
});

test("a resource that the server does not have shows at the start", async () => {
  await using home = await appHouse(makeApp());
  expect(() => protect(home.server, { resource: "https://x.example" })).toThrow("Name one of");
});
