import { guardedFetch } from "@credence/protocol/fetch";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDiscovery } from "./discovery.ts";
import { json, startServer, type TestServer } from "./testing/http.testing.ts";
import { failure } from "./testing/world.testing.ts";

let server: TestServer;
let documents: Record<string, unknown>;
let now: number;
beforeEach(async () => {
  documents = {};
  now = 1_000;
  server = await startServer(({ url }) => {
    const { pathname } = new URL(url);
    return documents[pathname] === undefined ? new Response(null, { status: 404 }) : json(documents[pathname]);
  });
});
afterEach(() => server.close());

const discovery = (): ReturnType<typeof createDiscovery> =>
  createDiscovery(guardedFetch({ allowLoopback: true }), () => now);
const asked = (): string[] => server.seen.map(({ url }) => new URL(url).pathname);

describe("a resource's metadata", () => {
  it("is looked for at the path, then at the root", async () => {
    documents["/.well-known/oauth-protected-resource"] = {
      resource: server.origin,
      authorization_servers: ["https://as.example"],
    };
    const found = await discovery().resource(`${server.origin}/mcp`);
    expect(found.resource).toBe(server.origin);
    expect(asked()).toEqual(["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]);
  });

  it("that is there and wrong is not passed over for the next place", async () => {
    documents["/.well-known/oauth-protected-resource/mcp"] = { resource: "https://other.example" };
    documents["/.well-known/oauth-protected-resource"] = {
      resource: server.origin,
      authorization_servers: ["https://as.example"],
    };
    const error = await failure(discovery().resource(`${server.origin}/mcp`));
    expect(error).toMatchObject({ reason: "metadata-resource" });
  });

  it("stands where the challenge says, and nowhere else", async () => {
    const error = await failure(discovery().resource(`${server.origin}/mcp`, `${server.origin}/custom`));
    expect(error).toMatchObject({ code: "not_supported", reason: "metadata-missing" });
    expect(asked()).toEqual(["/custom"]);
  });
});

describe("a server's metadata", () => {
  const as = (issuer: string): Record<string, unknown> => ({ issuer, token_endpoint: `${issuer}/token` });

  it.each([
    "/.well-known/oauth-authorization-server/tenant",
    "/.well-known/openid-configuration/tenant",
    "/tenant/.well-known/openid-configuration",
  ])("is found at %s", async (path) => {
    const issuer = `${server.origin}/tenant`;
    documents[path] = as(issuer);
    expect((await discovery().authorizationServer(issuer)).issuer).toBe(issuer);
    expect((await discovery().identityProvider(issuer)).issuer).toBe(issuer);
  });

  it("is fetched once for all who ask, and again after five minutes", async () => {
    documents["/.well-known/oauth-authorization-server"] = as(server.origin);
    const one = discovery();
    await Promise.all(Array.from({ length: 50 }, () => one.authorizationServer(server.origin)));
    now += 299;
    await one.authorizationServer(server.origin);
    expect(asked()).toHaveLength(1);
    now += 1;
    await one.authorizationServer(server.origin);
    expect(asked()).toHaveLength(2);
  });

  it("that could not be had is asked for again", async () => {
    const one = discovery();
    expect(await failure(one.authorizationServer(server.origin))).toMatchObject({
      code: "not_supported",
      leg: "discovery",
    });
    documents["/.well-known/oauth-authorization-server"] = as(server.origin);
    expect((await one.authorizationServer(server.origin)).issuer).toBe(server.origin);
  });

  it("that was wrong is asked for again", async () => {
    const one = discovery();
    documents["/.well-known/oauth-authorization-server"] = as("https://other.example");
    expect(await failure(one.authorizationServer(server.origin))).toMatchObject({ reason: "metadata-issuer" });
    documents["/.well-known/oauth-authorization-server"] = as(server.origin);
    expect((await one.authorizationServer(server.origin)).issuer).toBe(server.origin);
  });

  it("of a server that is busy is not looked for elsewhere", async () => {
    server.handler = () => json({}, 503);
    expect(await failure(discovery().authorizationServer(server.origin))).toMatchObject({
      code: "temporarily_unavailable",
      retry: "wait",
    });
    expect(asked()).toHaveLength(1);
  });
});
