/** SIGTERM in the middle of load, on the real command: nobody who sent a request goes without an answer. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { decodeIdJag } from "@credence/protocol/id-jag";
import { expect, test } from "vitest";
import { exchangeUntilDrained, idTokenAt, startServerProcess } from "./server-process.testing.ts";

/** Of clients in a hurry, clients that think, and those that come back when they are nearly forgotten. */
const PAUSES = [...Array<number>(12).fill(0), ...Array<number>(12).fill(40), ...Array<number>(4).fill(1_500), 3_500];

test.each([
  ["one process", [], "2s"],
  ["two workers", ["--workers", "2"], "2s"],
] as const)(
  "SIGTERM during load fails no request, and what was answered is on record: %s",
  async (_, flags, drain) => {
    await using server = await startServerProcess({ flags, env: { CREDENCE_DRAIN: drain } });
    const idToken = await idTokenAt(server.issuer);
    const load = exchangeUntilDrained(server.issuer, idToken, PAUSES);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const ended = server.stop("SIGTERM");
    const { idJags, failures } = await load;
    expect(failures).toEqual([]);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(idJags.length).toBeGreaterThan(PAUSES.length);
    const recorded = permittedIn(server.dataDir);
    for (const idJag of idJags) expect(recorded).toContain(jtiOf(idJag));
    expect(server.said()).not.toMatch(/"level":50/);
  },
  120_000,
);

function jtiOf(idJag: string): string | undefined {
  const decoded = decodeIdJag(idJag);
  return decoded.ok ? decoded.value.claims.jti : undefined;
}

function permittedIn(dataDir: string): ReadonlySet<unknown> {
  const database = new DatabaseSync(join(dataDir, "credence.sqlite"), { readOnly: true });
  const rows = database.prepare("select payload from audit_events").all();
  database.close();
  return new Set(rows.map(({ payload }) => JSON.parse(String(payload)).jti));
}
