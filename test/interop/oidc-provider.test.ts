/**
 * `@credence/client` at oidc-provider: an IdP and an app that somebody else might have made of it (`…testing.ts`: no line of
 * ours), our grants inside it, and our own servers, in every pair that has an oidc-provider, with bearer tokens and with DPoP.
 */
import { AgentError, type AgentOptions, createAgent, type Session } from "@credence/client";
import { registerTokenExchange } from "@credence/issuer/oidc-provider";
import { createResourceServer, generateSigningKey, memoryStore, type ResourceServer } from "@credence/resource";
import { idJagTokenClaims, registerJwtBearer } from "@credence/resource/oidc-provider";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen } from "../../packages/resource/src/house.testing.ts";
import { ALICE, BOB, CALLBACK, startHouse } from "../house.testing.ts";
import { findAccount, newJwk, startProvider, visit } from "../oidc-provider.testing.ts";
import {
  AGENT,
  AT_LEDGER,
  appConfiguration,
  idpConfiguration,
  startPlainApp,
  startPlainIdp,
} from "./oidc-provider.testing.ts";

interface Party extends AsyncDisposable {
  readonly issuer: string;
}

/** IdPs: Alice's agent may reach the app, Bob's may not. */
const IDPS = {
  "a plain oidc-provider": (app) => startPlainIdp({ people: ["alice"], app }),
  "an oidc-provider with our grant": async (app) => {
    const key = await newJwk("idp");
    const store = memoryStore();
    return startProvider(
      () => idpConfiguration(key),
      (provider) =>
        registerTokenExchange(provider, {
          findAccount,
          signingKey: key,
          dpop: { markUsed: store.consume },
          record: async () => undefined,
          async decide({ audience, resource: [resource = ""], subject: { account } }) {
            const basis = { connections: [], reasons: [{ id: "connection-permits" }] } as const;
            const sub = account.accountId;
            if (audience !== app || sub !== "alice") {
              const reason = "person-not-covered";
              return { ...basis, effect: "deny", reasons: [{ id: reason }], refusal: { reason } };
            }
            const permit = { app: { issuer: app, clientId: AT_LEDGER.clientId, sub }, resource, claims: {} };
            return { ...basis, effect: "permit", ...permit, scope: ["ledger.read"], lifetime: 300 };
          },
        }),
    );
  },
  "our own server": (app) => startHouse({ ledger: app }),
} satisfies Record<string, (app: string) => Promise<Party>>;

/** What our receivers have in common, for both ways to run one. */
function receives(issuer: string, idp: () => string) {
  return {
    resources: { [`${issuer}/mcp`]: { scopes: { "ledger.read": "Read entries" } } },
    customers: async (iss: string) =>
      iss === idp() ? { customer: { id: "acme" }, issuer: { issuer: iss } } : undefined,
    resolveSubject: ({ sub }: { sub: string }) => ({ id: sub }),
    record: () => undefined,
    development: true,
  } as const;
}

/** Answers as the app's server, or its API. */
async function api(server: ResourceServer | undefined, request: Request): Promise<Response | undefined> {
  if (server === undefined) return undefined;
  const own = await server.tryFetch(request);
  if (own !== undefined || !request.url.endsWith("/mcp")) return own;
  const access = await server.authorize(request, { scopes: ["ledger.read"] });
  if (access instanceof Response) return access;
  return Response.json({ account: access.sub, scope: access.scope, bound: access.cnf !== undefined });
}

/** Apps: an authorization server that trusts one IdP, and an API at `/mcp`. */
const APPS = {
  "a plain oidc-provider": startPlainApp,
  "an oidc-provider with our grant": async (idp) => {
    const key = await newJwk("app");
    let server: ResourceServer | undefined;
    return startProvider(
      () => ({ ...appConfiguration(key), extraTokenClaims: idJagTokenClaims }),
      (provider, issuer) => {
        server = registerJwtBearer(provider, receives(issuer, idp));
      },
      (issuer) => async (req, res) => {
        const headers = new Headers(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
        const answer = await api(server, new Request(`${issuer}${req.url}`, { headers, method: req.method ?? "GET" }));
        if (answer === undefined) return false;
        res.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
        return true;
      },
    );
  },
  "our own server": async (idp) => {
    let server: ResourceServer | undefined;
    const http = await listen(async (request) => (await api(server, request)) ?? new Response(null, { status: 404 }));
    const { url: issuer } = http;
    server = createResourceServer({
      ...receives(issuer, idp),
      issuer,
      clients: [{ method: "client_secret_basic", ...AT_LEDGER }],
      signingKey: (await generateSigningKey("ES256")).privateJwk,
    });
    return { issuer, [Symbol.asyncDispose]: () => http[Symbol.asyncDispose]() };
  },
} satisfies Record<string, (idp: () => string) => Promise<Party>>;

/** Both at work: the app trusts the IdP, and the IdP lets Alice's agent reach the app. */
async function start(ofIdp: keyof typeof IDPS, ofApp: keyof typeof APPS): Promise<World> {
  let issuer = "";
  const app: Party = await APPS[ofApp](() => issuer);
  const idp: Party = await IDPS[ofIdp](app.issuer);
  issuer = idp.issuer;
  return {
    idp: issuer,
    mcp: `${app.issuer}/mcp`,
    async signIn(who, options = {}) {
      const method = "client_secret_basic";
      const agent = createAgent({
        idp: { issuer, client: { method, ...AGENT } },
        apps: [{ issuer: app.issuer, client: { method, ...AT_LEDGER } }],
        development: true,
        ...options,
      });
      const started = await agent.startSignIn({ redirectUri: CALLBACK });
      return started.finish(await visit(started.url, who));
    },
    async [Symbol.asyncDispose]() {
      await idp[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

interface World extends AsyncDisposable {
  readonly idp: string;
  readonly mcp: string;
  signIn(who: typeof ALICE, options?: Partial<AgentOptions>): Promise<Session>;
}

async function call({ mcp }: World, { fetch }: Session) {
  const answer = await fetch(mcp);
  return [answer.status, await answer.json()];
}

describe.each([
  ["a plain oidc-provider", "a plain oidc-provider"],
  ["a plain oidc-provider", "an oidc-provider with our grant"],
  ["a plain oidc-provider", "our own server"],
  ["an oidc-provider with our grant", "a plain oidc-provider"],
  ["an oidc-provider with our grant", "an oidc-provider with our grant"],
  ["an oidc-provider with our grant", "our own server"],
  ["our own server", "a plain oidc-provider"],
  ["our own server", "an oidc-provider with our grant"],
] as const)("an IdP of %s and an app of %s", (ofIdp, ofApp) => {
  let world: World;
  beforeAll(async () => {
    world = await start(ofIdp, ofApp);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("our client gets from a sign-in to a call, knowing only the URL", async () => {
    const answer = await call(world, await world.signIn(ALICE));
    expect(answer).toEqual([200, { account: "alice", scope: "ledger.read", bound: false }]);
  });

  test("our client does the same with DPoP on every leg", async () => {
    const answer = await call(world, await world.signIn(ALICE, { dpop: { required: true } }));
    expect(answer).toEqual([200, { account: "alice", scope: "ledger.read", bound: true }]);
  });

  test("our client hears a denial as one, and asks nobody else", async () => {
    const denial = await call(world, await world.signIn(BOB)).catch((error: unknown) => error);
    if (!(denial instanceof AgentError)) throw new Error("it was not denied", { cause: denial });
    expect(denial).toMatchObject({ code: "access_denied", leg: "exchange", party: world.idp, retry: "never" });
  });
});

test("our client exchanges a refresh token at an oidc-provider with our grant, and keeps it", async () => {
  await using world = await start("an oidc-provider with our grant", "a plain oidc-provider");
  const types: (string | null)[] = [];
  const spy: typeof fetch = async (input, init) => {
    const sent = new URLSearchParams(String(init?.body ?? ""));
    if (sent.has("subject_token_type")) types.push(sent.get("subject_token_type"));
    return fetch(input, init);
  };
  const session = await world.signIn(ALICE, { subject: "refresh_token", fetch: spy });
  expect(await call(world, session)).toMatchObject([200, { account: "alice" }]);
  // The same token again: the exchange has left it as it was.
  await session.idJag({ audience: new URL(world.mcp).origin, resource: world.mcp });
  expect(types).toEqual(Array(2).fill("urn:ietf:params:oauth:token-type:refresh_token"));
});
