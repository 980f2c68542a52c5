/** Two servers of one issuer, as two processes of one deployment are: one key, and one store with a connection of each. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { Redis } from "ioredis";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { basic, CLIENT, expectRefused, type House, house, listen } from "../house.testing.ts";
import { postgresqlStore } from "../postgresql.ts";
import { redisStore } from "../redis.ts";
import { sqliteStore } from "../sqlite.ts";
import type { ResourceStore } from "../store.ts";
import { missingPostgresql, missingRedis, POSTGRESQL_URL, REDIS_URL } from "./services.testing.ts";

interface Place extends AsyncDisposable {
  readonly stores: readonly [ResourceStore, ResourceStore];
}

const prefix = `credence_replicas_${process.pid}_`;
const PLACES: readonly [string, () => Promise<Place>, string | undefined][] = [
  [
    "a SQLite file",
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "credence-replicas-"));
      const [one, two] = [1, 2].map(() => sqliteStore(join(directory, "store.db")));
      if (one === undefined || two === undefined) throw new Error("There are two");
      return {
        stores: [one, two],
        async [Symbol.asyncDispose]() {
          for (const each of [one, two]) each.close();
          rmSync(directory, { recursive: true });
        },
      };
    },
    undefined,
  ],
  [
    "a PostgreSQL database",
    async () => {
      const [one, two] = [1, 2].map(() => new pg.Pool({ connectionString: POSTGRESQL_URL, max: 10 }));
      if (one === undefined || two === undefined) throw new Error("There are two");
      return {
        stores: [postgresqlStore(one, { prefix }), postgresqlStore(two, { prefix })],
        async [Symbol.asyncDispose]() {
          await one.query(
            `DROP TABLE IF EXISTS ${["marks", "values", "epochs"].map((table) => prefix + table).join()}`,
          );
          await Promise.all([one.end(), two.end()]);
        },
      };
    },
    await missingPostgresql(),
  ],
  [
    "a Redis",
    async () => {
      const [one, two] = [1, 2].map(() => new Redis(REDIS_URL));
      if (one === undefined || two === undefined) throw new Error("There are two");
      return {
        stores: [redisStore(one, { prefix }), redisStore(two, { prefix })],
        async [Symbol.asyncDispose]() {
          const keys = await one.keys(`${prefix}*`);
          if (keys.length > 0) await one.del(...keys);
          for (const each of [one, two]) each.disconnect();
        },
      };
    },
    await missingRedis(),
  ],
];

const now = () => Math.floor(Date.now() / 1_000);
const GOOD = { status: 200, reason: undefined };
const REVOKED = { status: 401, reason: "access-token-revoked" };

/** A server and an API of its resource, both over HTTP. */
interface Replica extends AsyncDisposable {
  readonly home: House;
  call(token: string): Promise<{ readonly status: number; readonly reason: string | undefined }>;
  end(token: string): Promise<number>;
}

async function withApi(home: House): Promise<Replica> {
  const serve = home.server.protect({}, (_, access) => Response.json({ sub: access.sub }));
  const api = await listen((request) => serve(request));
  return {
    home,
    async call(token) {
      const known = home.events.length;
      const { status } = await fetch(`${api.url}/mcp`, { headers: { authorization: `Bearer ${token}` } });
      return { status, reason: home.events[known]?.reason };
    },
    async end(token) {
      const headers = { authorization: basic(CLIENT.clientId, CLIENT.clientSecret) };
      const body = new URLSearchParams({ token });
      return (await fetch(`${home.url}/revoke`, { method: "POST", headers, body })).status;
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

async function replicas({ stores: [store, other] }: Place, format: "jwt" | "opaque") {
  const first = await house(() => ({ store, accessToken: { format }, now }));
  const second = await house(({ resources }) => ({
    store: other,
    accessToken: { format },
    now,
    issuer: first.url,
    resources: { [first.resource]: Object.values(resources)[0] ?? { scopes: {} } },
    customers: [{ id: "acme", issuers: [{ issuer: first.idp.issuer }] }],
    signingKey: first.key.privateJwk,
  }));
  const [one, two] = [await withApi(first), await withApi(second)];
  return {
    one,
    two,
    /** An ID-JAG of this moment. */
    async idJag() {
      first.clock.now = now();
      return await first.idJag();
    },
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]();
      await two[Symbol.asyncDispose]();
    },
  };
}

for (const [name, create, missing] of PLACES) {
  const title = `two servers on ${name}${missing === undefined ? "" : ` (skipped: ${missing})`}`;
  describe.skipIf(missing !== undefined)(title, () => {
    test.each(["jwt", "opaque"] as const)("take each other's %s tokens, and revocations at once", async (format) => {
      await using place = await create();
      await using both = await replicas(place, format);
      const { one, two } = both;
      const token = String((await one.home.redeem({ assertion: await both.idJag() })).body.access_token);
      expect([await one.call(token), await two.call(token)]).toEqual([GOOD, GOOD]);
      const pending = await both.idJag();
      await two.home.server.revoke({ iss: one.home.idp.issuer, sub: "alice" });
      expect([await one.call(token), await two.call(token)]).toEqual([REVOKED, REVOKED]);
      expectRefused(await one.home.redeem({ assertion: pending }), 400, "invalid_grant", "id-jag-revoked");
      const later = async () => (await one.home.redeem({ assertion: await both.idJag() })).status;
      await expect.poll(later, { timeout: 5_000 }).toBe(200);
    });

    test.each(["jwt", "opaque"] as const)("know of a %s token that one of them has ended", async (format) => {
      await using place = await create();
      await using both = await replicas(place, format);
      const redeemed = await both.one.home.redeem({ assertion: await both.idJag() });
      const token = String(redeemed.body.access_token);
      expect(await both.two.end(token)).toBe(200);
      expect([(await both.one.call(token)).status, (await both.two.call(token)).status]).toEqual([401, 401]);
    });

    test("redeem one ID-JAG once, of fifty times at each", async () => {
      await using place = await create();
      await using both = await replicas(place, "jwt");
      const assertion = await both.idJag();
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) => (index % 2 ? both.one : both.two).home.redeem({ assertion })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ body }) => body.error === "invalid_grant")).toHaveLength(99);
    });

    test("take one proof once, of ten times at each", async () => {
      await using place = await create();
      await using both = await replicas(place, "jwt");
      const key = await generateDpopKey();
      const dpop = await createDpopProof(key, { method: "POST", url: `${both.one.home.url}/token`, now: now() });
      const idJags = await Promise.all(Array.from({ length: 20 }, () => both.idJag()));
      const answers = await Promise.all(
        idJags.map((assertion, index) => (index % 2 ? both.one : both.two).home.redeem({ assertion }, { dpop })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ body }) => body.error === "invalid_dpop_proof")).toHaveLength(19);
    });
  });
}

describe("a server whose database is not there", () => {
  test.each<[string, () => { store: ResourceStore; close(): unknown }]>([
    [
      "PostgreSQL",
      () => {
        const pool = new pg.Pool({ connectionString: "postgresql://nobody@127.0.0.1:1/none" });
        return { store: postgresqlStore(pool, { timeout: 0.5 }), close: () => pool.end() };
      },
    ],
    [
      "Redis",
      () => {
        const client = new Redis("redis://127.0.0.1:1", { maxRetriesPerRequest: null });
        client.on("error", () => undefined);
        return { store: redisStore(client, { timeout: 0.5 }), close: () => client.disconnect() };
      },
    ],
  ])("%s: 503, nothing issued, and nothing believed", async (_, connect) => {
    const { store, close } = connect();
    await using good = await house();
    const token = String((await good.redeem()).body.access_token);
    await using home = await house(() => ({
      store,
      issuer: good.url,
      resources: { [good.resource]: { scopes: { "ledger.read": "Read" } } },
      signingKey: good.key.privateJwk,
    }));
    const assertion = await home.idJag({ aud: good.url, resource: good.resource });
    expectRefused(await home.redeem({ assertion }), 503, "temporarily_unavailable", "store-unavailable");
    expect(await home.server.check(token)).toMatchObject({ ok: false, refusal: { reason: "store-unavailable" } });
    await close();
  });
});
