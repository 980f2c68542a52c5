/** A resource that wants a fresher sign-in: from its challenge, by the application, to our IdP and back. @see RFC 9470 */
import { AgentError, generateSigningKey } from "@credence/client";
import { createResourceServer } from "@credence/resource";
import { afterAll, beforeAll, expect, test } from "vitest";
import { json, startServer, type TestServer } from "../../packages/client/src/testing/http.testing.ts";
import { ALICE, acme, CALLBACK, type House, startHouse } from "../house.testing.ts";
import { visit } from "./world.testing.ts";

const SECRET = { clientId: "ledger-assistant", clientSecret: "secret-at-ledger" };

let house: House;
let app: TestServer;
/** Seconds by which the app's clock is ahead: so long ago is every sign-in. */
let ahead = 0;
beforeAll(async () => {
  app = await startServer(() => new Response(null, { status: 503 }));
  house = await startHouse({ ledger: app.origin });
  const receiver = createResourceServer({
    issuer: app.origin,
    resources: { [`${app.origin}/mcp`]: { scopes: { "ledger.read": "Read entries" } } },
    customers: [{ id: "acme", issuers: [{ issuer: house.issuer }] }],
    clients: [{ ...SECRET, method: "client_secret_basic" }],
    resolveSubject: ({ sub, customer }) => ({ id: sub, customer }),
    signingKey: (await generateSigningKey("ES256")).privateJwk,
    now: () => Date.now() / 1_000 + ahead,
    record: () => undefined,
    development: true,
  });
  const entries = receiver.protect({ scopes: ["ledger.read"], maxAge: 60 }, () => json({ entries: [] }));
  app.handler = async (request) => (await receiver.tryFetch(request)) ?? entries(request);
  await house.change(acme(app.origin));
});
afterAll(async () => {
  await app.close();
  await house[Symbol.asyncDispose]();
});

test("a resource's wish for a fresher sign-in is an error, its maxAge goes to the IdP, and the call then succeeds", async () => {
  const client = { method: "client_secret_basic", ...SECRET } as const;
  const agent = house.agent("assistant", [{ issuer: app.origin, client }]);
  const session = await house.signIn(agent);
  const url = `${app.origin}/mcp/entries`;
  expect((await session.fetch(url)).status).toBe(200);
  ahead = 100;
  const error: unknown = await session.fetch(url).catch((thrown: unknown) => thrown);
  if (!(error instanceof AgentError)) throw new Error("Nothing was asked for", { cause: error });
  expect(error).toMatchObject({ code: "insufficient_user_authentication", leg: "call", maxAge: 60, retry: "step-up" });
  ahead = 0;
  const started = await agent.startSignIn({ redirectUri: CALLBACK, stepUp: error });
  expect(new URL(started.url).searchParams.get("max_age")).toBe("60");
  const again = await started.finish(await visit(started.url, ALICE));
  expect((await again.fetch(url)).status).toBe(200);
});
