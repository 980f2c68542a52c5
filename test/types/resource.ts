/** What may and may not be written with `@credence/resource`. Each line that must not compile says why. */
import {
  type AccessTokenClaims,
  createResourceServer,
  memoryStore,
  type PrivateJwk,
  type ReceiverEvent,
  type ResourceServer,
  type ResourceServerOptions,
  type ResourceStore,
} from "@credence/resource";
import { authorizationServer, protect } from "@credence/resource/hono";
import { Hono } from "hono";

interface User {
  readonly id: string;
  readonly plan: "free" | "paid";
}

/** The account's type is the app's own, and comes back to its own functions. */
export function servers(signingKey: PrivateJwk): ResourceServer {
  const options: ResourceServerOptions<User> = {
    issuer: "https://ledger.example",
    resources: { "https://ledger.example/mcp": { scopes: { read: "Read" } } },
    customers: [{ id: "acme", issuers: [{ issuer: "https://idp.example" }] }],
    clients: [{ clientId: "a", method: "client_secret_basic", clientSecret: "s" }],
    resolveSubject: ({ sub }) => ({ id: sub, plan: "free" }),
    narrow: ({ account, scope }) => (account.plan === "paid" ? scope : []),
    signingKey,
    record: (event: ReceiverEvent) => console.log(event.reason),
  };
  const server = createResourceServer(options);
  const { record: _, ...unrecorded } = options;
  // @ts-expect-error nothing is issued without a record
  createResourceServer(unrecorded);
  const { customers: __, ...untrusting } = options;
  // @ts-expect-error who is trusted is said, never assumed
  createResourceServer(untrusting);
  // @ts-expect-error an account has an id
  createResourceServer({ ...options, resolveSubject: () => ({ plan: "free" }) });
  // @ts-expect-error a client with a secret has one
  createResourceServer({ ...options, clients: [{ clientId: "a", method: "client_secret_basic" }] });
  // @ts-expect-error a public key signs nothing
  createResourceServer({ ...options, signingKey: { kty: "EC", crv: "P-256", x: "x", y: "y" } });
  // @ts-expect-error no such way to use an ID-JAG
  createResourceServer({ ...options, customers: [{ id: "a", issuers: [{ issuer: "x", replay: "often" }] }] });
  return server;
}

/** A call is served with the claims, or not at all. */
export async function calls(server: ResourceServer): Promise<void> {
  const handler = server.protect({ scopes: ["read"] }, async (request, access) => {
    access satisfies AccessTokenClaims;
    // @ts-expect-error whose token it is can not be changed
    access.sub = "mallory";
    return new Response(`${request.method} ${access.sub}`);
  });
  (await handler(new Request("https://ledger.example/mcp"))) satisfies Response;
  // @ts-expect-error a list of scopes, not a text
  server.protect({ scopes: "read" }, async () => new Response());
  // @ts-expect-error a handler answers
  server.protect({}, async () => "in");
  const checked = await server.check("token");
  // @ts-expect-error a token that nobody asked about has no claims
  checked.value;
  await server.revoke({ iss: "https://idp.example", sub: "alice" });
  // @ts-expect-error what is revoked is named by its issuer
  await server.revoke({ sub: "alice" });
}

/** Behind the middleware the claims are there, and only there. */
export function hono(server: ResourceServer): Hono {
  const app = new Hono();
  app.use(authorizationServer(server));
  app.get("/mcp", protect(server, { scopes: ["read"] }), (c) => c.json({ for: c.get("access").sub }));
  // @ts-expect-error where nothing is checked there are no claims
  app.get("/open", (c) => c.json(c.get("access").sub));
  return app;
}

/** A store of one's own has all of its functions. */
export function stores(): ResourceStore {
  const store: ResourceStore = memoryStore();
  const { consume: _, ...without } = store;
  // @ts-expect-error without marks an ID-JAG would count twice
  const incomplete: ResourceStore = without;
  // @ts-expect-error first or again, nothing else
  const vague: ResourceStore = { ...store, consume: async () => true };
  return incomplete ?? vague;
}
