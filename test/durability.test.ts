/**
 * `kill -9` at random moments under load: every ID-JAG that a client has got is on record, the record is whole, and the server
 * starts again by itself. `CREDENCE_ROUNDS` says how often, for each store.
 */
import { Agent } from "node:http";
import { decodeIdJag } from "@credence/protocol/id-jag";
import { describe, expect, onTestFinished, test } from "vitest";
import { storeLocation } from "../packages/server/src/store/location.ts";
import { openStore } from "../packages/server/src/store/open.ts";
import { createTestSchema } from "../packages/server/src/store/postgresql.testing.ts";
import { exchangeAt, idTokenAt, type ServerProcess, startServerProcess } from "./server-process.testing.ts";

const ROUNDS = Number(process.env.CREDENCE_ROUNDS ?? 2);
/** Seconds that a round may take on a slow machine. */
const ROUND_WITHIN = 60;
const CLIENTS = 12;
/** Milliseconds of load before the kill, at most. */
const LOAD = 1_500;

/** Exchanges until the server is gone. @returns the ids of the ID-JAGs that came, whole. */
async function exchangeUntilGone({ issuer }: ServerProcess, idToken: string): Promise<string[]> {
  const connections = new Agent({ keepAlive: true });
  const ids: string[] = [];
  const one = async (): Promise<void> => {
    for (;;) {
      const answer = await exchangeAt(issuer, idToken, connections).catch(() => undefined);
      if (answer === undefined) return;
      // Before the kill nothing is refused.
      expect(answer.body).toMatchObject({ access_token: expect.any(String) });
      const decoded = decodeIdJag(String(answer.body.access_token));
      if (decoded.ok) ids.push(decoded.value.claims.jti);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, one));
  connections.destroy();
  return ids;
}

/** The ids of all ID-JAGs on record. */
async function permitted({ dataDir }: ServerProcess, url: string | undefined): Promise<ReadonlySet<string>> {
  const store = await openStore(storeLocation(dataDir, url), { readOnly: true });
  const ids = new Set<string>();
  for (const { writer, lastSeq } of await store.auditExtents()) {
    for (const { payload } of await store.auditRows(writer, 0, lastSeq)) {
      const { jti } = JSON.parse(payload);
      if (jti !== undefined) ids.add(jti);
    }
  }
  await store.close();
  return ids;
}

async function killAgainAndAgain(flags: readonly string[], url?: string): Promise<void> {
  const store = url === undefined ? [] : ["--store", url];
  const first = await startServerProcess({ flags: [...flags, ...store] });
  await using _folder = first;
  let server = first;
  onTestFinished(() => void server.child.kill("SIGKILL"));
  const idToken = await idTokenAt(server.issuer);
  let got = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const load = exchangeUntilGone(server, idToken);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LOAD));
    // With all its workers, as the power goes.
    process.kill(-(server.child.pid ?? 0), "SIGKILL");
    const ids = await load;
    got += ids.length;
    server = await server.again();
    const recorded = await permitted(server, url);
    expect(ids.filter((id) => !recorded.has(id))).toEqual([]);
    const { code, output } = await server.credence("audit", "verify", ...store);
    expect(code, `after ${round} kills: ${output}`).toBe(0);
  }
  expect(got).toBeGreaterThan(0);
  if (ROUNDS > 2) console.log(`${ROUNDS} kills, ${got} ID-JAGs got, each on record`);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
}

describe("kill -9 under load loses no event of an ID-JAG that somebody got, and nothing that mends itself", () => {
  const within = 1_000 * ROUND_WITHIN * (ROUNDS + 1);

  test("on SQLite", () => killAgainAndAgain([]), within);

  test("on SQLite, with workers", () => killAgainAndAgain(["--workers", "2"]), within);

  test(
    "on PostgreSQL",
    async () => {
      const schema = await createTestSchema();
      onTestFinished(() => schema.drop());
      await killAgainAndAgain([], schema.url);
    },
    within,
  );
});
