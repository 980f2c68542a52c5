/** `@credence/resource` by itself, against the test IdP that it publishes for this. */
import { createResourceServer, generateSigningKey, memoryStore, type ResourceServerOptions } from "@credence/resource";
import { authorizationServer, protect } from "@credence/resource/hono";
import { createTestIdp, redeem, type TestIdp } from "@credence/resource/testing";
import { Hono } from "hono";
import { type Case, same, yes } from "./case.ts";

const ISSUER = "https://ledger.example";
const RESOURCE = `${ISSUER}/mcp`;
const client = { clientId: "agent", method: "client_secret_basic", clientSecret: "s3cret" } as const;

async function receiver(more: Partial<ResourceServerOptions> = {}) {
  const idp = await createTestIdp();
  const reasons: string[] = [];
  const server = createResourceServer({
    issuer: ISSUER,
    resources: { [RESOURCE]: { name: "Ledger", scopes: { read: "Read entries" } } },
    customers: [idp.customer()],
    clients: [client],
    resolveSubject: ({ sub }) => (sub === "alice" ? { id: "alice" } : undefined),
    signingKey: (await generateSigningKey("ES256")).privateJwk,
    record: ({ reason }) => void reasons.push(reason ?? "none"),
    store: memoryStore(),
    ...more,
  });
  const target = { server, clientId: client.clientId, scope: "read" };
  return { idp, server, reasons, target };
}

async function accessToken(idp: TestIdp, at: Awaited<ReturnType<typeof receiver>>): Promise<string> {
  const answer = await redeem(at.server, client, await idp.idJag(at.target));
  if (answer.accessToken === undefined) throw new Error(`not redeemed: ${JSON.stringify(answer.body)}`);
  return answer.accessToken;
}

export const receiving: readonly Case[] = [
  {
    name: "resource: every good ID-JAG is redeemed, and its token is good for a call",
    async run() {
      const at = await receiver();
      for (const { name, assertion } of await at.idp.goodIdJags(at.target)) {
        const answer = await redeem(at.server, client, assertion);
        same(answer.status, 200, name);
        yes((await at.server.check(answer.accessToken ?? "", { scopes: ["read"] })).ok, name);
      }
    },
  },
  {
    name: "resource: every bad ID-JAG is refused, for exactly its reason",
    async run() {
      const at = await receiver();
      const bad = await at.idp.badIdJags(at.target);
      yes(bad.length > 60, "a table of more than sixty");
      const wrong: string[] = [];
      for (const one of bad) {
        const answer = await redeem(at.server, client, one);
        const reason = at.reasons.at(-1);
        if (answer.error !== one.error || reason !== one.reason) {
          wrong.push(`${one.name}: ${answer.error} for ${reason}, not ${one.error} for ${one.reason}`);
        }
      }
      same(wrong, []);
    },
  },
  {
    name: "resource: keys are fetched from the issuer's metadata",
    async run() {
      const idp = await createTestIdp();
      const at = await receiver({ customers: [{ id: "c", issuers: [{ issuer: idp.issuer }] }], fetch: idp.fetch });
      const answer = await redeem(at.server, client, await idp.idJag(at.target));
      same(answer.status, 200);
    },
  },
  {
    name: "resource: a call without a token, or with one that is none, is challenged as RFC 9728 §5.1 says",
    async run() {
      const at = await receiver();
      const handler = at.server.protect({ scopes: ["read"] }, async () => new Response("in"));
      const good = await accessToken(at.idp, at);
      for (const authorization of [
        undefined,
        "Bearer",
        "Bearer x",
        `Bearer ${good}x`,
        `DPoP ${good}`,
        `Basic ${btoa("a:b")}`,
      ]) {
        const answer = await handler(
          new Request(RESOURCE, authorization === undefined ? {} : { headers: { authorization } }),
        );
        same(answer.status, 401, authorization ?? "no header");
        yes(answer.headers.get("www-authenticate")?.includes("resource_metadata=") ?? false, "a challenge");
      }
      same(await (await handler(new Request(RESOURCE, { headers: { authorization: `Bearer ${good}` } }))).text(), "in");
    },
  },
  {
    name: "resource: metadata, keys, introspection and revocation are answered as their RFCs say",
    async run() {
      const at = await receiver();
      const get = async (path: string) => (await at.server.fetch(new Request(ISSUER + path))).json();
      const metadata: Record<string, unknown> = await get("/.well-known/oauth-authorization-server");
      same(metadata.issuer, ISSUER);
      const ofResource: Record<string, unknown> = await get("/.well-known/oauth-protected-resource/mcp");
      same(ofResource.resource, RESOURCE);
      const { keys }: { keys: readonly Record<string, unknown>[] } = await get(
        new URL(String(metadata.jwks_uri)).pathname,
      );
      yes(keys.length === 1 && keys.every((key) => !("d" in key)), "one public key");
      const token = await accessToken(at.idp, at);
      const post = (url: unknown) =>
        at.server.fetch(
          new Request(String(url), {
            method: "POST",
            headers: { authorization: `Basic ${btoa("agent:s3cret")}` },
            body: new URLSearchParams({ token }),
          }),
        );
      const active = async () => Object(await (await post(metadata.introspection_endpoint)).json()).active;
      same(await active(), true);
      same((await post(metadata.revocation_endpoint)).status, 200);
      same(await active(), false);
      same((await at.server.check(token)).ok, false);
    },
  },
  {
    name: "resource: no request makes the token endpoint fail: each gets an OAuth error, and grants nothing",
    async run() {
      const at = await receiver();
      const grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
      const bodies: readonly (string | Uint8Array<ArrayBuffer>)[] = [
        ...[
          "",
          "&",
          "=",
          "%",
          "a=%00",
          "grant_type=",
          `${grant}&${grant}`,
          `${grant}&assertion=`,
          `${grant}&assertion=a.b.c`,
        ],
        ...[
          `${grant}&assertion=${"A".repeat(70_000)}`,
          `${grant}&authorization_details=${"%5B".repeat(5_000)}`,
          "{}",
          "\0",
        ],
        Uint8Array.from([0x61, 0x3d, 0xff]),
        Uint8Array.from({ length: 2_000 }, (_, i) => i % 256),
      ];
      const types = ["application/x-www-form-urlencoded", "application/json", "multipart/form-data", "text/plain"];
      for (const body of bodies) {
        for (const type of types) {
          const headers = { "content-type": type, authorization: `Basic ${btoa("agent:s3cret")}` };
          const answer = await at.server.fetch(new Request(`${ISSUER}/token`, { method: "POST", headers, body }));
          const { error, access_token }: Record<string, unknown> = await answer.json();
          yes(answer.status >= 400 && answer.status < 500, `status ${answer.status}`);
          yes(typeof error === "string" && access_token === undefined, "an error and no token");
        }
      }
      for (const method of ["GET", "PUT", "DELETE"]) {
        same((await at.server.fetch(new Request(`${ISSUER}/token`, { method }))).status, 405, method);
      }
    },
  },
  {
    name: "resource: a body without end is not read to its end",
    async run() {
      const at = await receiver();
      let pulled = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled++;
          if (pulled > 1_000) controller.close();
          else controller.enqueue(new Uint8Array(16_384).fill(0x61));
        },
      });
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const init = { method: "POST", headers, body, duplex: "half" };
      const answer = await at.server.fetch(new Request(`${ISSUER}/token`, init));
      same(answer.status, 400);
      yes(pulled < 100, `${pulled} pieces were read`);
    },
  },
  {
    name: "resource/hono: the middleware answers its own endpoints, protects a route, and leaves the others",
    async run() {
      const at = await receiver();
      const app = new Hono();
      app.use(authorizationServer(at.server));
      app.get("/mcp", protect(at.server, { scopes: ["read"] }), (c) => c.json({ for: c.get("access").sub }));
      app.get("/open", (c) => c.text("open"));
      const { accessToken: token = "" } = await redeem(
        { issuer: ISSUER, fetch: async (request) => app.fetch(request) },
        client,
        await at.idp.idJag(at.target),
      );
      const headers = { authorization: `Bearer ${token}` };
      same(await (await app.request("/mcp", { headers })).json(), { for: "alice" });
      same([(await app.request("/mcp")).status, (await app.request("/open")).status], [401, 200]);
    },
  },
];
