/** Agents whose client id is the URL of their own metadata document, against a real IdP. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { type Agent, createAgent, type Session } from "@credence/client";
import { addClientAuth, type ClientIdentity } from "@credence/protocol/client-auth";
import { generateDpopKey } from "@credence/protocol/dpop";
import { generateSigningKey, importSigner, type PublicJwk, type Signer, signJwt } from "@credence/protocol/jws";
import { buildClientMetadata } from "@credence/protocol/metadata";
import { JWT_TOKEN_TYPE } from "@credence/protocol/token-exchange";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { DOCUMENT_LIMITS } from "../packages/server/src/directory/client-documents.ts";
import type { Organization } from "../packages/server/src/directory/types.ts";
import { ACTOR_TOKEN_TYP } from "../packages/server/src/idp/actor.ts";
import { startServer } from "../packages/server/src/process/server.ts";
import { type Answer, exchange, expectRefused } from "./exchange.testing.ts";
import { ALICE, acme, CALLBACK, type House, startHouse } from "./house.testing.ts";

/** The server of the agent's makers: what stands at each path, and how often it was asked for. */
const served = new Map<string, RequestListener>();
let asked: string[] = [];
const makers = createServer((req, res) => {
  const path = req.url ?? "/";
  asked.push(path);
  const handle = served.get(path);
  if (handle) handle(req, res);
  else res.writeHead(404).end();
});
/** Seconds by which the IdP's clock is ahead: so that what it keeps grows old. */
let later = 0;
let origin: string;
let house: House;
let keys: { publicJwk: PublicJwk; signer: Signer };
let count = 0;
/** The agent of the test: each has a URL of its own, which the IdP has never seen. */
let id: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => makers.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(makers.address() as AddressInfo).port}`;
  house = await startHouse({ server: { now: () => Date.now() / 1_000 + later } });
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
  makers.closeAllConnections();
  await new Promise((resolve) => makers.close(resolve));
});
beforeEach(async () => {
  keys = await newKeys();
  count += 1;
  id = `${origin}/agents/${count}.json`;
  await house.change(listed(id));
});
afterEach(() => {
  served.clear();
  asked = [];
  later = 0;
  vi.restoreAllMocks();
});

async function newKeys() {
  const { publicJwk, privateJwk } = await generateSigningKey("ES256");
  return { publicJwk, signer: await importSigner(privateJwk) };
}

/** Acme with one more agent: all that is said of it here is its URL, and what it may reach. */
function listed(agentId: string, more: Partial<Organization["agents"][number]> = {}): Organization {
  const base = acme();
  return {
    ...base,
    agents: [
      ...base.agents,
      {
        id: agentId,
        name: "Scout",
        enabled: true,
        auth: { method: "client_id_metadata_document" },
        redirectUris: [],
        postLogoutRedirectUris: [],
        denialError: "access_denied",
        ...more,
      },
    ],
    apps: base.apps.map((app) => ({ ...app, clients: { ...app.clients, [agentId]: "ledger-scout" } })),
    connections: base.connections.map((one) => (one.agent === "assistant" ? { ...one, agent: agentId } : one)),
  };
}

const json =
  (body: unknown, headers: Record<string, string> = {}): RequestListener =>
  (_req, res) =>
    res.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const pathOf = (url: string) => new URL(url).pathname;
const good = (more: object = {}) => ({
  ...buildClientMetadata({
    clientId: id,
    name: "Scout",
    redirectUris: [CALLBACK],
    keys: { jwks: [keys.publicJwk] },
  }),
  ...more,
});
const serve = (body: unknown, headers?: Record<string, string>) => served.set(pathOf(id), json(body, headers));
const identity = (signer = keys.signer): ClientIdentity => ({ method: "private_key_jwt", clientId: id, signer });
const agentOf = (client: ClientIdentity = identity()): Agent =>
  createAgent({ idp: { issuer: house.issuer, client }, apps: [], development: true });
const exchanged = (session: Session, client = identity()): Promise<Answer> =>
  exchange(house, { subjectToken: session.signIn().idToken, client });
/** An exchange that stands or falls with its client: nobody has signed in for it. */
const attempted = (client = identity()): Promise<Answer> => exchange(house, { subjectToken: "none", client });
const timesAsked = (path = pathOf(id)) => asked.filter((one) => one === path).length;
/** Renews the sign-in by its refresh token, as the agent would: the new ID token. */
async function refreshed(session: Session): Promise<string> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: session.signIn().refreshToken ?? "",
  });
  await addClientAuth(form, identity(), house.issuer, Date.now() / 1_000);
  const answer = await fetch(`${house.issuer}/token`, { method: "POST", body: form });
  return String((await answer.json()).id_token);
}
/** What the record counts of callers that nobody knows. */
const counted = () => vi.spyOn(house.server.audit, "countFailure");

describe("an agent whose id is the URL of its document", () => {
  test.each<[string, () => void]>([
    ["in the document", () => serve(good())],
    [
      "at a URL that the document names",
      () => {
        serve({ ...good(), jwks: undefined, jwks_uri: `${origin}/jwks.json` });
        served.set("/jwks.json", json({ keys: [keys.publicJwk] }));
      },
    ],
  ])("signs a person in, exchanges and renews, with its keys %s", async (_, publish) => {
    publish();
    const session = await house.signIn(agentOf());
    expect((await exchanged(session)).claims).toMatchObject({ client_id: "ledger-scout", sub: "alice" });
    const renewed = await refreshed(session);
    expect((await exchange(house, { subjectToken: renewed, client: identity() })).claims?.sub).toBe("alice");
    expect(timesAsked()).toBe(1);
  });

  test("redirects to any port of this machine, as a native application may", async () => {
    serve(good());
    const redirectUri = "http://127.0.0.1:51234/callback";
    const started = await agentOf().startSignIn({ redirectUri });
    const end = await openUserAgent(ALICE).browse(started.url, redirectUri);
    expect("html" in end ? end.html : end.url).toContain(`${redirectUri}?code=`);
  });

  test("does not redirect to where its document does not name", async () => {
    serve(good());
    const started = await agentOf().startSignIn({ redirectUri: "https://elsewhere.example/callback" });
    const page = await fetch(started.url, { redirect: "manual" });
    expect(page.status).toBe(400);
    expect(await page.text()).toContain("somewhere unknown");
  });

  test("has the organization's name for it on our pages, whatever it calls itself", async () => {
    serve(good({ client_name: "Acme Payroll" }));
    const started = await agentOf().startSignIn({ redirectUri: CALLBACK });
    const first = await fetch(started.url, { redirect: "manual" });
    const cookie = first.headers.getSetCookie().map((one) => one.split(";")[0]);
    const next = new URL(first.headers.get("location") ?? "", house.issuer);
    const page = await (await fetch(next, { headers: { cookie: cookie.join("; ") } })).text();
    expect(page).toContain("Scout");
    expect(page).not.toContain("Acme Payroll");
  });

  test("that the organization does not list is nobody: its document is not even asked for", async () => {
    serve(good());
    await house.change(acme());
    const failures = counted();
    expect(await attempted()).toMatchObject({ status: 401, body: { error: "invalid_client" } });
    expect(failures).toHaveBeenCalledWith(expect.objectContaining({ reason: "client-unknown" }));
    const started = await agentOf().startSignIn({ redirectUri: CALLBACK });
    expect((await fetch(started.url)).status).toBe(400);
    expect(timesAsked()).toBe(0);
  });

  test("that is disabled is refused", async () => {
    serve(good());
    await house.change(listed(id, { enabled: false }));
    expect((await attempted()).body).toMatchObject({ error: "invalid_client" });
  });
});

describe("a document is not used", () => {
  const invalid = [401, "invalid_client", "client-metadata-invalid"] as const;
  const unavailable = [503, "temporarily_unavailable", "client-metadata-unavailable"] as const;
  const answer = (handle: (req: IncomingMessage, res: ServerResponse) => void) => () => served.set(pathOf(id), handle);

  test.each<[string, () => void, readonly [number, string, string]]>([
    ["when it names another client", () => serve(good({ client_id: `${origin}/agents/other.json` })), invalid],
    ["when it names itself with a slash more", () => serve(good({ client_id: `${id}/` })), invalid],
    ["when it has a private key", () => serve(good({ jwks: { keys: [{ ...keys.publicJwk, d: "AAAA" }] } })), invalid],
    ["when it has a symmetric key", () => serve(good({ jwks: { keys: [{ kty: "oct", k: "AAAA" }] } })), invalid],
    ["when it has a secret", () => serve(good({ client_secret: "hush" })), invalid],
    [
      "when it wants to prove a secret",
      () => serve(good({ token_endpoint_auth_method: "client_secret_post" })),
      invalid,
    ],
    [
      "when it wants to sign with a secret",
      () => serve(good({ token_endpoint_auth_method: "client_secret_jwt" })),
      invalid,
    ],
    ["when it has no keys", () => serve(good({ jwks: undefined })), invalid],
    [
      "when its keys are at a private address",
      () => serve(good({ jwks: undefined, jwks_uri: "https://10.0.0.1/jwks" })),
      invalid,
    ],
    ["when its keys are a file", () => serve(good({ jwks: undefined, jwks_uri: "file:///etc/passwd" })), invalid],
    [
      "when it has the ID-JAG's profile and not its grants",
      () => serve(good({ grant_types: ["refresh_token"] })),
      invalid,
    ],
    ["when it would have people sent to a script", () => serve(good({ redirect_uris: ["javascript:x"] })), invalid],
    [
      "when it redirects to a good one",
      () => {
        answer((_req, res) => res.writeHead(302, { location: `${origin}/good.json` }).end())();
        served.set("/good.json", json(good()));
      },
      invalid,
    ],
    ["when it is a page", answer((_req, res) => res.end("<!doctype html><title>Scout</title>")), invalid],
    ["when it is a list", () => serve([good()]), invalid],
    ["when it is not UTF-8", answer((_req, res) => res.end(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))), invalid],
    ["when it is not there", () => served.delete(pathOf(id)), invalid],
    ["when its server has a bad day", answer((_req, res) => res.writeHead(500).end()), unavailable],
    ["when its server has no time", answer((_req, res) => res.writeHead(429).end()), unavailable],
    ["when its server hangs up", answer((req) => req.socket.destroy()), unavailable],
  ])("%s", async (_, publish, [status, error, reason]) => {
    publish();
    const failures = counted();
    const refused = await attempted();
    expect(refused).toMatchObject({ status, body: { error } });
    expect(failures).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ reason }));
    expect(refused.headers.has("retry-after")).toBe(status === 503);
    expect(timesAsked("/good.json")).toBe(0);

    const started = await agentOf().startSignIn({ redirectUri: CALLBACK });
    const page = await fetch(started.url, { redirect: "manual", headers: { accept: "text/html" } });
    expect([page.status, page.headers.get("location")]).toEqual([status, null]);
    expect(await page.text()).toContain(error);
  });

  test.each(["https://10.0.0.1/agent.json", "https://169.254.169.254/latest/meta-data", "https://[fd00::1]/agent"])(
    "when it is at the private address %s, and no connection is made",
    async (url) => {
      id = url;
      await house.change(listed(id));
      const failures = counted();
      expect((await attempted()).status).toBe(401);
      expect(failures).toHaveBeenCalledWith(expect.objectContaining({ reason: "client-metadata-invalid" }));
    },
  );

  test("when it grows to 100 MB: it is not read to its end", async () => {
    let sent = 0;
    answer((_req, res) => {
      const piece = Buffer.alloc(65_536, 0x20);
      const more = (): void => {
        while (!res.destroyed && sent < 100_000_000) {
          sent += piece.length;
          if (!res.write(piece)) return void res.once("drain", more);
        }
        res.end();
      };
      more();
    })();
    expect(await attempted()).toMatchObject({ status: 401, body: { error: "invalid_client" } });
    expect(sent).toBeLessThan(20_000_000);
  });

  test("when it never ends: the exchange waits for the time limit, and no longer", async () => {
    let dripping: NodeJS.Timeout | undefined;
    const closed = new Promise<void>((resolve) => {
      answer((_req, res) => {
        res.writeHead(200, { "content-type": "application/json" }).write("{");
        dripping = setInterval(() => res.write(" "), 100);
        res.once("close", resolve);
      })();
    });
    expect(await attempted()).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    await closed;
    clearInterval(dripping);
  }, 20_000);
});

describe("what a document says of the agent counts", () => {
  test("without the exchange among its grants it does not exchange", async () => {
    serve(good({ authorization_grant_profiles_supported: undefined, grant_types: ["authorization_code"] }));
    const failures = counted();
    expect(await attempted()).toMatchObject({ status: 400, body: { error: "unauthorized_client" } });
    expect(failures).toHaveBeenCalledWith(expect.objectContaining({ reason: "client-grant" }));
  });

  test("with another profile than the ID-JAG's it does not exchange", async () => {
    serve(good({ authorization_grant_profiles_supported: ["urn:example:other"] }));
    expect((await attempted()).body).toMatchObject({ error: "unauthorized_client" });
  });

  test("that it is bound to a key: without a proof it gets nothing, with it an ID-JAG for the key", async () => {
    serve(good({ dpop_bound_access_tokens: true }));
    const key = await generateDpopKey();
    const agent = createAgent({
      idp: { issuer: house.issuer, client: identity() },
      apps: [],
      dpop: { key },
      development: true,
    });
    const session = await house.signIn(agent);
    const failures = counted();
    expect((await exchanged(session)).body).toMatchObject({ error: "invalid_dpop_proof" });
    expect(failures).toHaveBeenCalledWith(expect.objectContaining({ reason: "binding-missing" }));
    const proven = await exchange(house, { subjectToken: session.signIn().idToken, client: identity(), key });
    expect(proven.claims?.cnf).toEqual({ jkt: key.jkt });
  });

  test("that it is public: it exchanges only where the organization has bound it to a key, and with that", async () => {
    serve({ ...good({ dpop_bound_access_tokens: true }), token_endpoint_auth_method: "none", jwks: undefined });
    const client = { method: "none", clientId: id } as const;
    const key = await generateDpopKey();
    await house.change(listed(id, { dpopBound: true }));
    const session = await house.signIn(house.publicAgent(id, key));
    const subjectToken = session.signIn().idToken;
    expect((await exchange(house, { subjectToken, client, key })).claims?.cnf).toEqual({ jkt: key.jkt });
    expect((await exchange(house, { subjectToken, client })).body).toMatchObject({ error: "unauthorized_client" });
    await house.change(listed(id));
    expect((await exchange(house, { subjectToken, client, key })).body).toMatchObject({ error: "unauthorized_client" });
  });

  test("an assertion for a public agent's id proves nothing", async () => {
    serve({ ...good(), token_endpoint_auth_method: "none" });
    expect((await attempted()).body).toMatchObject({ error: "invalid_client" });
  });
});

describe("a document that changes", () => {
  test("its new key is seen at once, and the old one counts no longer", async () => {
    serve(good());
    const session = await house.signIn(agentOf());
    const [old, next] = [keys, await newKeys()];
    keys = next;
    serve(good());
    later = DOCUMENT_LIMITS.coolDown + 1;
    expect((await exchanged(session, identity(next.signer))).status).toBe(200);
    expect(timesAsked()).toBe(2);
    const stale = await exchanged(session, identity(old.signer));
    expect(stale).toMatchObject({ status: 401, body: { error: "invalid_client" } });
  });

  test("is asked again for an unknown key once in a while, however many come", async () => {
    serve(good());
    await attempted();
    const strange = await newKeys();
    later = DOCUMENT_LIMITS.coolDown + 1;
    const all = await Promise.all(Array.from({ length: 20 }, () => attempted(identity(strange.signer))));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([401]));
    await attempted(identity(strange.signer));
    expect(timesAsked()).toBe(2);
  });

  test("while a sign-in is open: the code is redeemed with the new key, and not with the old one", async () => {
    serve(good());
    const old = keys;
    const begin = async (signer: Signer) => {
      const started = await agentOf(identity(signer)).startSignIn({ redirectUri: CALLBACK });
      return { started, end: await openUserAgent(ALICE).browse(started.url, CALLBACK) };
    };
    const next = await newKeys();
    const [first, second] = [await begin(next.signer), await begin(old.signer)];
    keys = next;
    serve(good());
    later = DOCUMENT_LIMITS.coolDown + 1;
    const session = await first.started.finish(String(first.end.url));
    expect((await exchanged(session)).status).toBe(200);
    await expect(second.started.finish(String(second.end.url))).rejects.toMatchObject({ code: "invalid_client" });
  });

  test("at the URL of its keys is seen within a minute, however long they were to be kept", async () => {
    serve(good({ jwks: undefined, jwks_uri: `${origin}/jwks-${count}.json` }));
    const path = `/jwks-${count}.json`;
    served.set(path, json({ keys: [keys.publicJwk] }, { "cache-control": "max-age=31536000" }));
    const session = await house.signIn(agentOf());
    keys = await newKeys();
    served.set(path, json({ keys: [keys.publicJwk] }));
    expect((await exchanged(session)).status).toBe(401);
    later = 31;
    expect((await exchanged(session)).status).toBe(200);
  });

  test("is on record with what has changed, before it counts", async () => {
    serve(good(), { "cache-control": "max-age=60" });
    const session = await house.signIn(agentOf());
    serve(good({ client_name: "Scout II", redirect_uris: ["https://scout.example/callback"] }));
    later = 61;
    const { claims } = await exchange(house, { subjectToken: session.signIn().idToken, client: identity() });
    expect(claims).toBeDefined();
    const { events } = await listEvents(house.server.store, { code: "client.metadata-changed", agent: id });
    expect(events).toMatchObject([{ agent: id, members: ["client_name", "redirect_uris"] }]);
  });

  test("while the server is down is on record when it is back", async () => {
    await using own = await startHouse();
    await own.change(listed(id));
    serve(good());
    await exchange(own, { subjectToken: "none", client: identity() });
    await own.server.close();
    serve(good({ post_logout_redirect_uris: ["https://scout.example/bye"] }));
    const again = await startServer({
      issuer: own.issuer,
      host: "127.0.0.1",
      port: Number(new URL(own.issuer).port),
      dataDir: own.dataDir,
      keyFile: join(dirname(own.dataDir), "data.key"),
      issuerIsLoopback: true,
      idJagLifetime: 300,
      resolveSecret: () => "secret",
      log: pino({ level: "silent" }),
    });
    try {
      await exchange(own, { subjectToken: "none", client: identity() });
      const { events } = await listEvents(again.store, { code: "client.metadata-changed" });
      expect(events).toMatchObject([{ agent: id, members: ["post_logout_redirect_uris"] }]);
    } finally {
      await again.close();
    }
  });
});

test.each([
  ["is not there any more", 404],
  ["can not be had", 503],
])("a person signs out of an agent whose document %s", async (_, status) => {
  serve(good());
  const browser = openUserAgent(ALICE);
  const session = await house.signIn(agentOf(), ALICE, browser);
  const signOuts = async () => (await listEvents(house.server.store, { code: "sign-out" })).events;
  const before = (await signOuts()).length;
  const { url = "" } = await session.signOut();
  const { fetch } = globalThis;
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) => {
    // She has seen the question, and while she reads it the agent's makers go out of business.
    if (init?.method === "POST" && String(input).includes("/confirm")) {
      later = DOCUMENT_LIMITS.stale;
      served.set(pathOf(id), (_req, res) => res.writeHead(status).end());
    }
    return fetch(input, init);
  });
  await browser.browse(url);
  expect(later).toBe(DOCUMENT_LIMITS.stale);
  expect((await signOuts()).slice(before)).toMatchObject([{ person: { id: "alice" } }]);
});

describe("an actor whose id is the URL of its document", () => {
  test.each<[string, () => void, number, string, string | undefined]>([
    ["acts by the key in it", () => serve(good()), 200, "act", undefined],
    [
      "does not, where it is not good",
      () => serve(good({ client_secret: "hush" })),
      400,
      "invalid_request",
      "actor-token-invalid",
    ],
    [
      "does not for the moment, where it can not be had",
      () => served.set(pathOf(id), (_req, res) => res.writeHead(502).end()),
      503,
      "temporarily_unavailable",
      "client-metadata-unavailable",
    ],
  ])("%s", async (_, publish, status, error, reason) => {
    publish();
    const base = listed(id);
    await house.change({ ...base, connections: acme().connections.map((one) => ({ ...one, actors: [id] })) });
    const subjectToken = (await house.signIn(house.agent("assistant"))).signIn().idToken;
    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: id, sub: id, aud: house.issuer, jti: crypto.randomUUID(), iat: now, exp: now + 60 };
    const token = await signJwt(ACTOR_TOKEN_TYP, claims, keys.signer);
    const answer = await exchange(house, { subjectToken, actor: { token, type: JWT_TOKEN_TYPE } });
    expect(answer.status).toBe(status);
    if (reason === undefined) expect(answer.claims?.act).toEqual({ sub: id });
    else await expectRefused(house, answer, error, reason);
  });
});

test("an exchange that the agent's document stands for is on record under the agent's URL", async () => {
  serve(good());
  const session = await house.signIn(agentOf());
  const refused = await exchange(house, {
    subjectToken: session.signIn().idToken,
    client: identity(),
    audience: "https://nowhere.example",
  });
  await expectRefused(house, refused, "invalid_target", "audience-unknown");
});
