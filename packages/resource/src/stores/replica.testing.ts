/**
 * A resource server in a process of its own, on a store that it shares with others: told all by its parent, it listens on a free
 * port and says where.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { JwkSet, PrivateJwk } from "@credence/protocol/jws";
import { authorizationServer, nodeCrypto } from "../node.ts";
import { postgresqlStore } from "../postgresql.ts";
import { redisStore } from "../redis.ts";
import { createResourceServer } from "../server.ts";
import type { ResourceStore } from "../store.ts";

/** What all replicas of one server have in common. */
export interface ReplicaOptions {
  readonly kind: "postgresql" | "redis";
  /** URL of the store. */
  readonly place: string;
  readonly prefix: string;
  readonly issuer: string;
  readonly resource: string;
  readonly idp: { readonly issuer: string; readonly jwks: JwkSet };
  readonly client: { readonly clientId: string; readonly clientSecret: string };
  readonly signingKey: PrivateJwk;
}

// Written by `startReplicas`.
const options = JSON.parse(process.argv[2] ?? "{}") as ReplicaOptions;
const { issuer, resource, idp, client, signingKey } = options;
const server = createServer(
  authorizationServer(
    createResourceServer({
      issuer,
      resources: { [resource]: { scopes: { "ledger.read": "Read entries" } } },
      customers: [{ id: "acme", issuers: [{ issuer: idp.issuer, jwks: idp.jwks }] }],
      clients: [{ ...client, method: "client_secret_basic" }],
      resolveSubject: ({ customer, sub }) => ({ id: `${customer}/${sub}`, customer }),
      signingKey,
      store: await open(options),
      crypto: nodeCrypto,
      record: () => undefined,
    }),
  ),
);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo; // A TCP server that listens has one.
  process.send?.({ url: `http://127.0.0.1:${port}` });
});
process.once("disconnect", () => process.exit(0));

async function open({ kind, place, prefix }: ReplicaOptions): Promise<ResourceStore> {
  // Deadlines are for people who wait; here a hundred requests wait for a machine that does a hundred other things.
  if (kind === "redis") {
    const { Redis } = await import("ioredis");
    return redisStore(new Redis(place), { prefix, timeout: 20 });
  }
  const { Pool } = (await import("pg")).default;
  return postgresqlStore(new Pool({ connectionString: place, max: 10 }), { prefix, timeout: 20 });
}
