import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { json } from "./testing/http.testing.ts";
import { failure, startWorld, type World } from "./testing/world.testing.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.close());

const fifty = <T>(run: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: 50 }, run));
const bearers = (): (string | null)[] => world.app.api.seen.map(({ headers }) => headers.get("authorization"));

describe("from a sign-in to a working call", () => {
  it("signs in, follows the challenge, exchanges, redeems and calls", async () => {
    const session = await world.signIn();
    const response = await session.fetch(world.url, { method: "POST", body: "one entry" });
    expect(await response.json()).toEqual({ entries: [], echo: "one entry" });
    expect(world.events.map(({ type }) => type)).toEqual(["challenge", "discovered", "id-jag", "access-token"]);
    expect(bearers()).toEqual([null, null, "Bearer access-1"]);
  });

  it("sends the first token with every further call to the same resource", async () => {
    const session = await world.session();
    await session.fetch(world.url);
    await session.fetch(`${world.app.resource}/accounts?of=2026`);
    expect(bearers().at(-1)).toBe("Bearer access-1");
    expect(world.idp.counts.exchange).toBe(1);
  });

  it("leaves a resource alone that wants no token", async () => {
    world.app.api.handler = () => new Response("open to all");
    const session = await world.session();
    expect(await (await session.fetch(world.url)).text()).toBe("open to all");
    expect(world.events).toEqual([]);
  });

  it("hands over a 401 that wants something else than a bearer token", async () => {
    world.app.api.handler = () => new Response(null, { status: 401, headers: { "www-authenticate": "Basic realm=x" } });
    const session = await world.session();
    expect((await session.fetch(world.url)).status).toBe(401);
    expect(world.idp.counts.exchange).toBe(0);
  });

  it("hands over answers of the app as they are", async () => {
    world.app.serve = () => json({ error: "no such entry" }, 404);
    const session = await world.session();
    const response = await session.fetch(world.url);
    expect([response.status, await response.json()]).toEqual([404, { error: "no such entry" }]);
  });

  it("takes a Request as the platform's fetch does", async () => {
    const session = await world.session();
    const response = await session.fetch(new Request(world.url, { method: "POST", body: "from a request" }));
    expect(await response.json()).toMatchObject({ echo: "from a request" });
  });
});

describe("an access token", () => {
  it("is asked for by 50 simultaneous calls once", async () => {
    world.idp.delay = 0.05;
    const session = await world.session();
    const responses = await fifty(() => session.fetch(world.url));
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([1, 1]);
  });

  it("is renewed before it expires, by a new exchange", async () => {
    const session = await world.session();
    await session.fetch(world.url);
    world.clock.seconds += 269;
    await session.fetch(world.url);
    expect(world.idp.counts.exchange).toBe(1);
    world.clock.seconds += 2;
    await session.fetch(world.url);
    expect(world.idp.counts.exchange).toBe(2);
    expect(bearers().slice(-2)).toEqual(["Bearer access-1", "Bearer access-2"]);
  });

  it("that lives five seconds is used for four", async () => {
    world.app.tokenLifetime = 5;
    const session = await world.session();
    const first = await session.token({ resource: world.url });
    world.clock.seconds += 3;
    expect(await session.token({ resource: world.url })).toEqual(first);
    world.clock.seconds += 1;
    expect(await session.token({ resource: world.url })).not.toEqual(first);
  });

  it("that the resource no longer takes is replaced once, whatever number of calls finds out", async () => {
    const session = await world.session();
    await session.fetch(world.url);
    world.app.issued.clear();
    const responses = await fifty(() => session.fetch(world.url));
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    expect(world.idp.counts.exchange).toBe(2);
  });

  it("that is fresh and not taken ends the call", async () => {
    world.app.api.handler = () =>
      new Response(null, {
        status: 401,
        headers: { "www-authenticate": `Bearer error="invalid_token"` },
      });
    const session = await world.session();
    const audience = world.app.issuer;
    await session.token({ resource: world.app.resource, audience });
    const plain = world.app.api.handler;
    world.app.api.handler = (request) =>
      request.url.includes(".well-known")
        ? json({ resource: world.app.resource, authorization_servers: [audience] })
        : plain(request);
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "invalid_token", leg: "call", status: 401, party: world.app.api.origin });
    expect(bearers().filter(Boolean)).toHaveLength(1);
  });

  it("says what it is for", async () => {
    const session = await world.session();
    expect(await session.token({ resource: world.url })).toEqual({
      accessToken: "access-1",
      tokenType: "Bearer",
      expiresAt: world.clock.seconds + 300,
      scope: "ledger.read",
      resource: world.app.resource,
      issuer: world.app.issuer,
    });
  });

  it("is not to be had for what is no URL", async () => {
    const session = await world.session();
    const error = await failure(session.token({ resource: "ledger" }));
    expect(error).toMatchObject({ code: "configuration", reason: "resource-malformed" });
  });

  it("is found by the challenge of a GET when no well-known place tells", async () => {
    const session = await world.session();
    const { resource, scope } = await session.token({ resource: `${world.url}?month=3` });
    expect([resource, scope]).toEqual([world.app.resource, "ledger.read"]);
    expect(bearers().every((sent) => sent === null)).toBe(true);
  });

  it("is had without discovery when the audience is given", async () => {
    const session = await world.session();
    await session.token({ resource: world.app.resource, audience: world.app.issuer, scope: "ledger.read" });
    expect(world.app.api.seen).toEqual([]);
  });
});

describe("the scope", () => {
  const asked = (): string | null | undefined =>
    new URLSearchParams(world.idp.server.seen.findLast(({ body }) => body.includes("token-exchange"))?.body).get(
      "scope",
    );

  it("of the challenge wins", async () => {
    world.app.resourceMetadata = { scopes_supported: ["ledger.read", "ledger.write"] };
    await (await world.session()).fetch(world.url);
    expect(asked()).toBe("ledger.read");
  });

  it("is what the resource lists when the challenge names none", async () => {
    world.app.challenge = { scope: undefined };
    world.app.resourceMetadata = { scopes_supported: ["ledger.read", "ledger.write"] };
    await (await world.session()).fetch(world.url);
    expect(asked()).toBe("ledger.read ledger.write");
  });

  it("is left to the policy when nobody names one", async () => {
    world.app.challenge = { scope: undefined };
    await (await world.session()).fetch(world.url);
    expect(asked()).toBeNull();
  });

  it("grows once when a call needs more", async () => {
    world.app.needs = ({ method }) => (method === "POST" ? "ledger.write" : "ledger.read");
    const session = await world.session();
    await session.fetch(world.url);
    expect((await session.fetch(world.url, { method: "POST", body: "x" })).status).toBe(200);
    expect([asked(), world.idp.counts.exchange]).toEqual(["ledger.read ledger.write", 2]);
  });

  it("that the organization does not grant ends the call", async () => {
    world.app.needs = ({ method }) => (method === "POST" ? "ledger.write" : "ledger.read");
    world.idp.grantScope = () => ["ledger.read"];
    world.idp.refuse = (turn) => (turn === 2 ? json({ error: "access_denied" }, 400) : undefined);
    const session = await world.session();
    const error = await failure(session.fetch(world.url, { method: "POST", body: "x" }));
    expect(error).toMatchObject({ code: "access_denied", leg: "exchange" });
  });

  it("that grew is kept for the call even when the wider token has to be replaced", async () => {
    world.app.needs = ({ method }) => (method === "POST" ? "ledger.write" : "ledger.read");
    const session = await world.session();
    await session.fetch(world.url, { method: "POST", body: "x" });
    world.app.issued.clear();
    expect((await session.fetch(world.url, { method: "POST", body: "x" })).status).toBe(200);
    expect(asked()).toBe("ledger.read ledger.write");
    expect(world.idp.counts.exchange).toBe(4);
  });

  it("that is still not enough ends the call, with what it needs", async () => {
    world.app.needs = ({ headers }) => (headers.get("authorization") === "Bearer access-1" ? "more" : "most");
    const session = await world.session();
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "insufficient_scope", leg: "call", scope: "most", retry: "never" });
    expect(world.idp.counts.exchange).toBe(2);
  });
});

describe("a call", () => {
  const stream = (text: string): RequestInit => ({
    method: "POST",
    body: new Blob([text]).stream(),
    // Node's fetch asks for it; the platform's types do not know it.
    ...({ duplex: "half" } as object),
  });

  it("with a stream as body gets its token first, by the well-known metadata", async () => {
    world.app.resourceMetadata = { scopes_supported: ["ledger.read"] };
    const session = await world.session();
    const url = world.app.resource;
    expect(await (await session.fetch(url, stream("long"))).json()).toMatchObject({ echo: "long" });
    expect(bearers().filter(Boolean)).toEqual(["Bearer access-1"]);
  });

  it("with a stream as body that is refused is not repeated; the next one works", async () => {
    const session = await world.session();
    await session.fetch(world.url);
    world.app.issued.clear();
    const error = await failure(session.fetch(world.url, stream("long")));
    expect(error).toMatchObject({ code: "configuration", reason: "body-not-repeatable", leg: "call" });
    expect((await session.fetch(world.url, stream("again"))).status).toBe(200);
  });

  it("does not follow a redirect, so that its token stays at its origin", async () => {
    world.app.serve = () => new Response(null, { status: 307, headers: { location: `${world.app.issuer}/elsewhere` } });
    const session = await world.session();
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "fetch_refused", reason: "redirect", leg: "call" });
    expect(world.app.as.seen.some(({ url }) => url.endsWith("/elsewhere"))).toBe(false);
    const manual = await session.fetch(world.url, { redirect: "manual" });
    expect(manual.headers.get("location")).toBe(`${world.app.issuer}/elsewhere`);
  });

  it("to another origin goes without the token of the first", async () => {
    const session = await world.session();
    await session.fetch(world.url);
    await session.fetch(`${world.app.issuer}/api/entries`).catch(() => {});
    await session.fetch(`${world.app.api.origin}/apiary`).catch(() => {});
    const [other] = world.app.as.seen.filter(({ url }) => url.endsWith("/api/entries"));
    expect(other?.headers.get("authorization")).toBeNull();
    expect(world.app.api.seen.find(({ url }) => url.endsWith("/apiary"))?.headers.get("authorization")).toBeNull();
  });

  it("with an Authorization header of its own is refused", async () => {
    const session = await world.session();
    const error = await failure(session.fetch(world.url, { headers: { Authorization: "Bearer mine" } }));
    expect(error).toMatchObject({ code: "configuration", reason: "authorization-header" });
    expect(world.app.api.seen).toEqual([]);
  });

  it.each([
    ["http://10.0.0.1/", "address-private"],
    ["http://169.254.169.254/latest/meta-data", "address-private"],
    ["https://[fd00::1]/", "address-private"],
    ["http://ledger.example/", "url-scheme"],
    ["https://user:word@ledger.example/", "url-credentials"],
    ["/entries", "url-malformed"],
  ])("to %s is refused", async (url, reason) => {
    const session = await world.session();
    expect(await failure(session.fetch(url))).toMatchObject({ code: "fetch_refused", reason, leg: "call" });
  });

  it("to this machine itself is refused outside development", async () => {
    const agent = world.agent({
      development: false,
      idp: { issuer: "https://idp.example", client: { method: "none", clientId: "assistant" } },
      apps: [],
    });
    const idToken = await world.idp.idToken({ iss: "https://idp.example" });
    const error = await failure(agent.session({ idToken }).fetch(world.url));
    expect(error).toMatchObject({ code: "fetch_refused", reason: "address-loopback" });
  });

  it("that its caller gives up comes back with the caller's reason, and the others go on", async () => {
    world.idp.delay = 0.1;
    const session = await world.session();
    const controller = new AbortController();
    const given = session.fetch(world.url, { signal: controller.signal }).catch((cause: unknown) => cause);
    const other = session.fetch(world.url);
    await expect.poll(() => world.idp.server.seen.some(({ body }) => body.includes("token-exchange"))).toBe(true);
    const reason = new Error("changed my mind");
    controller.abort(reason);
    expect(await given).toBe(reason);
    expect((await other).status).toBe(200);
    expect(world.idp.counts.exchange).toBe(1);
  });

  it("to a server that is not there says so", async () => {
    const session = await world.session();
    await world.app.api.close();
    expect(await failure(session.fetch(world.url))).toMatchObject({
      code: "network",
      reason: "unreachable",
      leg: "call",
    });
  });
});

describe("a denial", () => {
  const denied = (): Response =>
    json({ error: "access_denied", error_description: "No. (decision d-1)", decision_id: "d-1" }, 400);

  it("is final: nothing is retried, nothing is opened, nobody is asked for consent", async () => {
    world.idp.refuse = denied;
    const session = await world.signIn();
    const before = world.idp.server.seen.length;
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({
      code: "access_denied",
      leg: "exchange",
      party: world.idp.issuer,
      decisionId: "d-1",
      retry: "never",
      status: 400,
    });
    expect(error.message).toContain("d-1");
    expect(world.idp.server.seen.slice(before).map(({ url }) => new URL(url).pathname)).toEqual(["/token"]);
    expect(world.app.as.seen.filter(({ method }) => method === "POST")).toEqual([]);
    expect(world.app.as.seen.some(({ url }) => url.includes("authorize"))).toBe(false);
  });

  it("is asked anew by the next call, because the organization may have changed its mind", async () => {
    world.idp.refuse = (turn) => (turn === 1 ? denied() : undefined);
    const session = await world.session();
    await failure(session.fetch(world.url));
    expect((await session.fetch(world.url)).status).toBe(200);
  });

  it("called invalid_grant by a peer that knows no other costs one renewal of the sign-in, then it is final", async () => {
    world.idp.refuse = () => json({ error: "invalid_grant", decision_id: "d-2" }, 400);
    const session = await world.signIn();
    expect(await failure(session.fetch(world.url))).toMatchObject({ code: "invalid_grant", leg: "exchange" });
    expect([world.idp.counts.exchange, world.idp.counts.refresh]).toEqual([2, 1]);
  });

  it("that is a step-up says what the sign-in must be", async () => {
    const body = { error: "insufficient_user_authentication", max_age: 300, acr_values: "urn:mfa" };
    world.idp.refuse = () => json(body, 400);
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: body.error, maxAge: 300, acrValues: "urn:mfa", retry: "step-up" });
    expect(world.idp.counts.exchange).toBe(1);
  });

  it.each([
    [503, "temporarily_unavailable", { "retry-after": "7" }, 7],
    [429, "slow_down", {}, undefined],
  ])("that is %i is not retried, and says how long to wait", async (status, code, headers, retryAfter) => {
    world.idp.refuse = () => json({}, status, headers);
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code, retry: "wait", retryAfter });
    expect(world.idp.counts.exchange).toBe(1);
  });

  it.each(["invalid_client", "unauthorized_client", "invalid_target", "invalid_scope", "invalid_request"])(
    "at the app that is %s is not retried",
    async (code) => {
      world.app.refuse = () => json({ error: code }, 400);
      const error = await failure((await world.session()).fetch(world.url));
      expect(error).toMatchObject({ code, leg: "redemption", party: world.app.issuer });
      expect(world.app.counts.redeem).toBe(1);
    },
  );

  it("at the app that is invalid_grant is worth one fresh ID-JAG", async () => {
    world.app.refuse = (turn) => (turn === 1 ? json({ error: "invalid_grant" }, 400) : undefined);
    expect((await (await world.session()).fetch(world.url)).status).toBe(200);
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([2, 2]);
  });

  it("at the app that stays invalid_grant ends after that one", async () => {
    world.app.refuse = () => json({ error: "invalid_grant" }, 400);
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "invalid_grant", leg: "redemption", retry: "new-id-jag" });
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([2, 2]);
  });
});
