/**
 * One ID-JAG, redeemed a hundred times at once over HTTP, half of them at each of two server processes that share a store. Five
 * rounds; for the record: CREDENCE_CONTENTION_ROUNDS=50 npm test -- packages/resource/src/stores/contention.test.ts
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { signIdJag } from "@credence/protocol/id-jag";
import { generateSigningKey, importSigner } from "@credence/protocol/jws";
import { buildJwtBearerRequest } from "@credence/protocol/jwt-bearer";
import { Redis } from "ioredis";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { basic } from "../house.testing.ts";
import type { ReplicaOptions } from "./replica.testing.ts";
import { missingPostgresql, missingRedis, POSTGRESQL_URL, REDIS_URL } from "./services.testing.ts";

const ROUNDS = Number(process.env.CREDENCE_CONTENTION_ROUNDS ?? 5);
const AT_ONCE = 100;
const REPLICA = fileURLToPath(new URL("./replica.testing.ts", import.meta.url));
const ISSUER = "https://ledger.example";
const RESOURCE = `${ISSUER}/mcp`;
const IDP = "https://idp.acme.example";
const CLIENT = { clientId: "ledger-assistant", clientSecret: "s3cret" };
const prefix = `credence_contention_${process.pid}_`;

interface Replicas extends AsyncDisposable {
  readonly urls: readonly string[];
  /** An ID-JAG that nobody has redeemed. */
  idJag(): Promise<string>;
}

/** Two processes of one server. */
async function startReplicas(kind: ReplicaOptions["kind"], place: string): Promise<Replicas> {
  const [idp, own] = [await generateSigningKey("ES256"), await generateSigningKey("ES256")];
  const signer = await importSigner(idp.privateJwk);
  const options: ReplicaOptions = {
    ...{ kind, place, prefix, issuer: ISSUER, resource: RESOURCE, client: CLIENT, signingKey: own.privateJwk },
    idp: { issuer: IDP, jwks: { keys: [idp.publicJwk] } },
  };
  const children = [1, 2].map(() =>
    fork(REPLICA, [JSON.stringify(options)], { execArgv: ["-C", "@credence/source"], stdio: "inherit" }),
  );
  const dispose = async (): Promise<void> => {
    await Promise.all(children.map(stop));
  };
  try {
    const urls = await Promise.all(children.map(listening));
    return {
      urls,
      idJag() {
        const now = Math.floor(Date.now() / 1_000);
        const whom = { iss: IDP, sub: "alice", aud: ISSUER, client_id: CLIENT.clientId, resource: RESOURCE };
        return signIdJag({ ...whom, scope: "ledger.read", jti: crypto.randomUUID(), iat: now, exp: now + 300 }, signer);
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function listening(child: ChildProcess): Promise<string> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`a replica ended with ${code}`);
  });
  ended.catch(() => undefined);
  const [message] = await Promise.race([once(child, "message"), ended]);
  return (message as { url: string }).url; // Sent by our own script.
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill();
  await ended;
}

async function redeem(url: string, assertion: string): Promise<{ status: number; error: unknown; token: unknown }> {
  const headers = { authorization: basic(CLIENT.clientId, CLIENT.clientSecret) };
  const answer = await fetch(`${url}/token`, { method: "POST", headers, body: buildJwtBearerRequest({ assertion }) });
  const { error, access_token: token } = (await answer.json()) as Record<string, unknown>; // The endpoint answers objects.
  return { status: answer.status, error, token };
}

const PLACES: readonly [string, ReplicaOptions["kind"], string, string | undefined, () => Promise<unknown>][] = [
  ["PostgreSQL", "postgresql", POSTGRESQL_URL, await missingPostgresql(), dropTables],
  ["Redis", "redis", REDIS_URL, await missingRedis(), dropKeys],
];

describe.each(PLACES)("two processes on %s", (_, kind, place, missing, drop) => {
  test.skipIf(missing !== undefined)(
    `of ${AT_ONCE} simultaneous redemptions of one ID-JAG exactly one succeeds, in ${ROUNDS} rounds of ${ROUNDS}${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    async () => {
      try {
        await using replicas = await startReplicas(kind, place);
        for (let round = 0; round < ROUNDS; round++) {
          const assertion = await replicas.idJag();
          const answers = await Promise.all(
            Array.from({ length: AT_ONCE }, (_, index) => redeem(replicas.urls[index % 2] ?? "", assertion)),
          );
          expect(answers.filter(({ status, token }) => status === 200 && typeof token === "string")).toHaveLength(1);
          expect(answers.filter(({ status, error }) => status === 400 && error === "invalid_grant")).toHaveLength(99);
        }
      } finally {
        await drop();
      }
    },
    300_000,
  );
});

async function dropTables(): Promise<void> {
  const pool = new pg.Pool({ connectionString: POSTGRESQL_URL });
  await pool.query(["marks", "values", "epochs"].map((one) => `DROP TABLE IF EXISTS "${prefix}${one}"`).join("; "));
  await pool.end();
}

async function dropKeys(): Promise<void> {
  const client = new Redis(REDIS_URL);
  const keys = await client.keys(`${prefix}*`);
  if (keys.length > 0) await client.del(...keys);
  client.disconnect();
}
