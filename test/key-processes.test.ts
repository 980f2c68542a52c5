/** Several servers on one PostgreSQL: one set of keys. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { type RunningServer, startServer } from "../packages/server/src/process/server.ts";
import { createTestSchema, type TestSchema } from "../packages/server/src/store/postgresql.testing.ts";
import { orderKeys, publishedKeys } from "./key-rotation.testing.ts";

const ISSUER = "https://idp.acme.example";
let folder: string;
let schema: TestSchema;
let servers: RunningServer[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "credence-key-processes-"));
  schema = await createTestSchema();
  // The first start makes the key file, which both are given.
  await start(0).then((server) => server.close());
  servers = await Promise.all([start(0), start(1)]);
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await schema.drop();
  rmSync(folder, { recursive: true });
});

function start(n: number): Promise<RunningServer> {
  return startServer({
    issuer: ISSUER,
    issuerIsLoopback: false,
    host: "127.0.0.1",
    port: 0,
    dataDir: join(folder, `data-${n}`),
    keyFile: join(folder, "key"),
    store: schema.url,
    keys: { jwksAge: 1 },
    idJagLifetime: 300,
    resolveSecret: () => "no secret here",
    log: pino({ level: "silent" }),
  });
}

const kids = async (n: number) => (await publishedKeys({ issuer: servers[n]?.url ?? "" })).map(({ kid }) => kid).sort();
const order = (n: number, path: string, body: object = {}) =>
  orderKeys({ dataDir: join(folder, `data-${n}`) }, path, body);

test("what one does, the other has at once: a rotation, a revoked key", async () => {
  expect(await kids(1)).toEqual(await kids(0));
  const [first] =
    (await servers[0]?.store.keyRing())?.keys.filter(({ use, alg }) => `${use} ${alg}` === "idp ES256") ?? [];
  expect(await order(0, `${first?.kid}/revoke`)).toMatchObject({ status: 200 });
  await expect.poll(() => kids(1), { timeout: 10_000, interval: 50 }).not.toContain(first?.kid);
  expect(await kids(1)).toEqual(await kids(0));
});

test("both asked to rotate at the same moment, there is one rotation", async () => {
  await expect.poll(async () => (await kids(0)).length, { timeout: 30_000 }).toBeGreaterThanOrEqual(4);
  const rotations = async () =>
    (await listEvents(servers[0]?.store ?? expect.unreachable(), { code: "key.retiring" })).events.length;
  const before = await rotations();
  await expect
    .poll(
      async () => {
        const answers = await Promise.all([order(0, "rotate"), order(1, "rotate")]);
        return answers.map(({ status }) => status).sort();
      },
      { timeout: 30_000, interval: 200 },
    )
    .toEqual([200, 409]);
  // One of each algorithm.
  expect((await rotations()) - before).toBe(2);
  await expect.poll(async () => (await kids(1)).join(), { timeout: 10_000 }).toBe((await kids(0)).join());
});
