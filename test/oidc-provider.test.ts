/** Our grants in oidc-providers that run as several processes on one database: whoever answers, the answer is the same. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { createAgent } from "@credence/client";
import { registerTokenExchange } from "@credence/issuer/oidc-provider";
import { memoryStore, type ResourceStore } from "@credence/resource";
import { idJagTokenClaims, type ProviderResourceServer, registerJwtBearer } from "@credence/resource/oidc-provider";
import { sqliteStore } from "@credence/resource/sqlite";
import { type Adapter, type AdapterPayload, type Configuration, Provider } from "oidc-provider";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import { ALICE, CALLBACK } from "./house.testing.ts";
import { AGENT, AT_LEDGER, appConfiguration, idpConfiguration } from "./interop/oidc-provider.testing.ts";
import { addSignInPage, findAccount, newJwk } from "./oidc-provider.testing.ts";

/** An adapter as a maker writes it: one table, found by id, by a session's uid, by a grant. */
function sqliteAdapter(database: DatabaseSync): (model: string) => Adapter {
  database.exec(
    "CREATE TABLE artifacts (model TEXT, id TEXT, uid TEXT, grant_id TEXT, payload TEXT, expires INTEGER, PRIMARY KEY (model, id))",
  );
  const now = () => Math.floor(Date.now() / 1_000);
  const read = (row: unknown): AdapterPayload | undefined => {
    const { payload } = (row ?? {}) as { payload?: string };
    return payload === undefined ? undefined : (JSON.parse(payload) as AdapterPayload);
  };
  const by = (column: string, model: string, value: string) =>
    read(
      database
        .prepare(`SELECT payload FROM artifacts WHERE model = ? AND ${column} = ? AND expires > ?`)
        .get(model, value, now()),
    );
  return (model) => ({
    async upsert(id, payload, expiresIn = 3_600) {
      database
        .prepare("INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?, ?)")
        .run(model, id, payload.uid ?? null, payload.grantId ?? null, JSON.stringify(payload), now() + expiresIn);
    },
    find: async (id) => by("id", model, id),
    findByUid: async (uid) => by("uid", model, uid),
    findByUserCode: async () => undefined,
    async consume(id) {
      const payload = { ...by("id", model, id), consumed: now() };
      database
        .prepare("UPDATE artifacts SET payload = ? WHERE model = ? AND id = ?")
        .run(JSON.stringify(payload), model, id);
    },
    async destroy(id) {
      database.prepare("DELETE FROM artifacts WHERE model = ? AND id = ?").run(model, id);
    },
    async revokeByGrantId(grantId) {
      database.prepare("DELETE FROM artifacts WHERE grant_id = ?").run(grantId);
    },
  });
}

interface Cluster extends AsyncDisposable {
  readonly issuer: string;
}

/** Several providers behind one address, which answer by turns. */
async function startCluster(
  configure: (adapter: (model: string) => Adapter) => Configuration,
  extend: (provider: Provider) => RequestListener | undefined,
): Promise<Cluster> {
  const members: RequestListener[] = [];
  let turn = 0;
  const http = createServer((req, res) => members[turn++ % members.length]?.(req, res));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const adapter = sqliteAdapter(new DatabaseSync(":memory:"));
  for (let member = 0; member < 3; member++) {
    const provider = new Provider(issuer, configure(adapter));
    addSignInPage(provider);
    members.push(extend(provider) ?? provider.callback());
  }
  return {
    issuer,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

let idp: Cluster;
let app: Cluster;
const servers: ProviderResourceServer[] = [];
beforeAll(async () => {
  const [idpKey, appKey] = [await newJwk("idp"), await newJwk("app")];
  const store: ResourceStore = sqliteStore(":memory:");
  const marks = memoryStore();
  app = await startCluster(
    (adapter) => ({ ...appConfiguration(appKey), adapter, extraTokenClaims: idJagTokenClaims }),
    (provider) => {
      const resource = `${provider.issuer}/mcp`;
      const server = registerJwtBearer(provider, {
        resources: { [resource]: { scopes: { "ledger.read": "Read entries" } } },
        customers: async (iss) =>
          iss === idp.issuer ? { customer: { id: "acme" }, issuer: { issuer: iss } } : undefined,
        resolveSubject: ({ sub }) => ({ id: sub }),
        store,
        record: () => undefined,
        development: true,
      });
      servers.push(server);
      const callback = provider.callback();
      return (req, res) => {
        const headers = new Headers(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
        const request = new Request(`${provider.issuer}${req.url}`, { headers });
        const answer = req.url === "/mcp" ? server.authorize(request) : server.tryFetch(request);
        answer.then(async (access) => {
          if (access === undefined) return callback(req, res);
          if (access instanceof Response) {
            return res.writeHead(access.status, Object.fromEntries(access.headers)).end(await access.text());
          }
          return res.writeHead(200).end(access.sub);
        });
      };
    },
  );
  idp = await startCluster(
    (adapter) => ({ ...idpConfiguration(idpKey), adapter }),
    (provider) => {
      registerTokenExchange(provider, {
        findAccount,
        signingKey: idpKey,
        dpop: { markUsed: marks.consume },
        record: async () => undefined,
        decide: async ({ audience, resource: [resource = ""], subject }) => ({
          effect: "permit",
          reasons: [{ id: "connection-permits" }],
          connections: [],
          app: { issuer: audience, clientId: AT_LEDGER.clientId, sub: subject.account.accountId },
          resource,
          scope: ["ledger.read"],
          lifetime: 300,
          claims: {},
        }),
      });
      return undefined;
    },
  );
});
afterAll(async () => {
  await idp[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

async function signIn() {
  const method = "client_secret_basic";
  const agent = createAgent({
    idp: { issuer: idp.issuer, client: { method, ...AGENT } },
    apps: [{ issuer: app.issuer, client: { method, ...AT_LEDGER } }],
    development: true,
  });
  const browser = openUserAgent(ALICE);
  const started = await agent.startSignIn({ redirectUri: CALLBACK });
  const { url } = await browser.browse(started.url, CALLBACK);
  return { session: await started.finish(url), browser };
}

const asked = () => ({ audience: app.issuer, resource: `${app.issuer}/mcp` });

async function redeem(idJag: string) {
  const { clientId, clientSecret } = AT_LEDGER;
  const answer = await fetch(`${app.issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: idJag }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

test("a sign-in at one is exchanged at every other", async () => {
  const { session } = await signIn();
  const idJags = await Promise.all([1, 2, 3, 4, 5, 6].map(() => session.idJag(asked())));
  expect(new Set(idJags.map(({ idJag }) => idJag)).size).toBe(6);
});

test("a sign-out at one ends the exchange at every other", async () => {
  const { session, browser } = await signIn();
  expect(await session.idJag(asked())).toBeDefined();
  await browser.browse(`${idp.issuer}/session/end?id_token_hint=${session.signIn().idToken}`);
  const asking = [1, 2, 3].map(() => session.idJag(asked()).catch((error: unknown) => error));
  for (const refused of await Promise.all(asking))
    expect(refused).toMatchObject({ code: "invalid_grant", leg: "exchange" });
});

test("an ID-JAG redeemed 60 times at once, at all of them, becomes one access token", async () => {
  const { session } = await signIn();
  const { idJag } = await session.idJag(asked());
  const answers = await Promise.all(Array.from({ length: 60 }, () => redeem(idJag)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ body }) => body.error === "invalid_grant")).toHaveLength(59);
});

test("an access token of one counts at every other, until one of them revokes it", async () => {
  const { session } = await signIn();
  const { idJag } = await session.idJag(asked());
  const { access_token: token } = (await redeem(idJag)).body;
  const call = async () => (await fetch(`${app.issuer}/mcp`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await Promise.all([call(), call(), call()])).toEqual([200, 200, 200]);
  await servers[0]?.revoke({ iss: idp.issuer, sub: "alice" });
  expect(await Promise.all([call(), call(), call()])).toEqual([401, 401, 401]);
});
