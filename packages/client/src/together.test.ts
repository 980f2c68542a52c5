/** Several IdPs and several people in one process; cancellation; what never ends; and what the log is told. */
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AgentEvent } from "./events.ts";
import { APP_CLIENT } from "./testing/app.testing.ts";
import { giveCodeFlow } from "./testing/code-flow.testing.ts";
import { failure, startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
let other: World;
beforeEach(async () => {
  [world, other] = await Promise.all([startWorld(), startWorld()]);
});
afterEach(() => Promise.all([world.close(), other.close()]));

/** Answers without end: a byte now and then, until whoever reads has gone. */
function endless(): Response {
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await delay(20);
      controller.enqueue(new TextEncoder().encode(" "));
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** 100 MB, made as it is read. */
function huge(): Response {
  let left = 100;
  const chunk = new TextEncoder().encode(`"${"x".repeat(1_000_000)}"`);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(chunk);
      else controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

describe("people of one agent", () => {
  it("have tokens of their own, whoever asks at the same time", async () => {
    const agent = world.agent();
    world.idp.delay = 0.02;
    const people = await Promise.all(
      ["alice", "bob", "carol"].map(async (sub) => agent.session({ idToken: await world.idp.idToken({ sub }) })),
    );
    const tokens = await Promise.all(
      people.map((session) => session.token({ resource: world.app.resource, audience: world.app.issuer })),
    );
    expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(3);
    expect(world.idp.counts.exchange).toBe(3);
    const subjects = world.events.flatMap((event) => (event.type === "id-jag" ? [event.claims.sub] : []));
    expect(subjects.sort()).toEqual(["alice", "bob", "carol"]);
  });

  it("sign out one by one", async () => {
    const agent = world.agent();
    const [alice, bob] = [await world.signIn(agent), await world.signIn(agent)];
    await alice.signOut();
    expect(await failure(alice.fetch(world.url))).toMatchObject({ code: "sign_in_required" });
    expect((await bob.fetch(world.url)).status).toBe(200);
  });
});

describe("IdPs in one process", () => {
  it("are each asked with their own people's sign-ins alone", async () => {
    const sessions = await Promise.all([world, other].map((one) => one.session()));
    const answers = await Promise.all([world, other].map((one, i) => sessions[i]?.fetch(one.url)));
    expect(answers.map((answer) => answer?.status)).toEqual([200, 200]);
    const claims = [world, other].map(({ events }) => events.find(({ type }) => type === "id-jag"));
    expect(claims).toMatchObject([{ claims: { iss: world.idp.issuer } }, { claims: { iss: other.idp.issuer } }]);
  });

  it("are never given another's ID token", async () => {
    const foreign = await other.idp.idToken();
    expect(() => world.agent().session({ idToken: foreign })).toThrow(
      expect.objectContaining({ code: "configuration", reason: "id-token-foreign" }),
    );
  });

  it("do not learn of another's app: the agent has no credential there", async () => {
    const error = await failure((await world.session()).fetch(other.url));
    expect(error).toMatchObject({ code: "configuration", reason: "app-unknown" });
    expect([world.idp.counts.exchange, other.app.as.seen.length]).toEqual([0, 0]);
  });

  it("see a resource move to another authorization server when it refuses its old tokens", async () => {
    const apps = [world, other].map(({ app }) => ({ issuer: app.issuer, client: APP_CLIENT }));
    const session = await world.session({ apps });
    expect((await session.fetch(world.url)).status).toBe(200);
    world.app.resourceMetadata = { authorization_servers: [other.app.issuer] };
    world.app.issued.clear();
    // The other one trusts another IdP: that it is asked is what counts here.
    world.idp.claims = { client_id: APP_CLIENT.clientId };
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "invalid_grant", leg: "redemption", party: other.app.issuer });
  });

  it("finish a sign-in only where it began", async () => {
    const started = await world.agent().startSignIn({ redirectUri: "http://127.0.0.1/callback" });
    const elsewhere = await other.agent().startSignIn({ redirectUri: "http://127.0.0.1/callback" });
    expect(await failure(started.finish(await walk(elsewhere.url)))).toMatchObject({ leg: "sign-in" });
    expect([world.idp.counts.code, other.idp.counts.code]).toEqual([0, 0]);
  });
});

describe("whoever has enough", () => {
  const reason = new Error("the person closed the window");

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ["a call", async (signal) => (await world.session()).fetch(world.url, { signal })],
    ["a token", async (signal) => (await world.session()).token({ resource: world.url, signal })],
  ])("ends %s at once, with their own reason, and leaves it to the others", async (_, run) => {
    const controller = new AbortController();
    world.idp.refuse = () => {
      controller.abort(reason);
      return undefined;
    };
    world.idp.delay = 0.05;
    await expect(run(controller.signal)).rejects.toBe(reason);
  });

  it("ends a call while others wait for the same token, which comes to them", async () => {
    const session = await world.session();
    const controller = new AbortController();
    world.idp.delay = 0.05;
    const mine = session.token({ resource: world.url, signal: controller.signal });
    const theirs = session.token({ resource: world.url });
    controller.abort(reason);
    await expect(mine).rejects.toBe(reason);
    expect((await theirs).scope).toBe("ledger.read");
    expect(world.idp.counts.exchange).toBe(1);
  });

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ["a call", async (signal) => (await world.session()).fetch(world.url, { signal })],
    ["a token", async (signal) => (await world.session()).token({ resource: world.url, signal })],
    ["a sign-in", async (signal) => world.agent().startSignIn({ redirectUri: "http://127.0.0.1/callback", signal })],
    [
      "the end of a sign-in",
      async (signal) => {
        const { url, checks } = await world.agent().startSignIn({ redirectUri: "http://127.0.0.1/callback" });
        return world.agent().finishSignIn(await walk(url), checks, { signal });
      },
    ],
  ])("had it before %s began", async (_, run) => {
    await expect(run(AbortSignal.abort(reason))).rejects.toBe(reason);
    expect([world.idp.counts.code, world.idp.counts.exchange]).toEqual([0, 0]);
  });
});

describe("an answer", () => {
  type Party = (make: () => Response) => void;
  const tokenEndpoint = (server: World["app"]["as"], make: () => Response): void => {
    const { handler } = server;
    server.handler = (request) => (request.url.endsWith("/token") ? make() : handler(request));
  };
  const documents = (server: World["app"]["as"], make: () => Response): void => {
    const { handler } = server;
    server.handler = (request) => (request.url.includes("/.well-known/") ? make() : handler(request));
  };
  const parties: readonly [string, string, Party][] = [
    ["the IdP's metadata", "discovery", (make) => documents(world.idp.server, make)],
    ["the IdP's token endpoint", "exchange", (make) => tokenEndpoint(world.idp.server, make)],
    ["the app's metadata", "discovery", (make) => documents(world.app.as, make)],
    ["the app's token endpoint", "redemption", (make) => tokenEndpoint(world.app.as, make)],
    ["the resource's metadata", "discovery", (make) => documents(world.app.api, make)],
  ];

  it.each(parties)("of %s that never ends is given up in time", async (_, leg, serve) => {
    serve(endless);
    const error = await failure((await world.session({ timeout: 0.2 })).fetch(world.url));
    expect(error).toMatchObject({ leg, code: "network", reason: "timeout" });
  });

  it.each(parties)("of %s that is 100 MB long is not read to its end", async (_, leg, serve) => {
    serve(huge);
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ leg, code: "fetch_refused", reason: "too-large" });
  });

  it("of an IdP that is slow is given up in time, in a sign-in too", async () => {
    world.idp.delay = 1;
    const error = await failure(world.signIn(world.agent({ timeout: 0.1 })));
    expect(error).toMatchObject({ leg: "sign-in", code: "network", reason: "timeout" });
  });
});

describe("the log", () => {
  it("is told of every kind of step, and of no token, code or secret", async () => {
    const events: AgentEvent[] = [];
    const fallback = { redirectUri: "http://127.0.0.1/callback", authorize: walk };
    const agent = world.agent({ watch: (event) => events.push(event), fallback });
    const session = await world.signIn(agent);
    await session.fetch(world.url);
    world.clock.seconds += 590;
    await session.fetch(world.url);
    const flow = giveCodeFlow(other.app);
    const theirs = other.agent({ watch: (event) => events.push(event), fallback });
    await theirs.session({ idToken: await other.idp.idToken() }).fetch(other.url);
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(["challenge", "discovered", "id-jag", "access-token", "renewed", "code-flow"]),
    );
    const said = JSON.stringify(events);
    const { idToken, refreshToken = "none" } = session.signIn();
    const codes = flow.authorized.map((one) => one.get("state") ?? "none");
    const tokens = [...world.app.issued.keys(), ...other.app.issued.keys(), ...flow.refreshTokens];
    expect(tokens.length).toBeGreaterThan(2);
    for (const secret of [idToken, refreshToken, ...tokens, ...codes, "idp secret", "app secret"]) {
      expect(said).not.toContain(secret);
    }
    expect(said).not.toContain("eyJ");
  });

  it("that fails does no harm", async () => {
    const watch = vi.fn(() => {
      throw new Error("the log is full");
    });
    expect((await (await world.session({ watch })).fetch(world.url)).status).toBe(200);
    expect(watch).toHaveBeenCalled();
  });
});
