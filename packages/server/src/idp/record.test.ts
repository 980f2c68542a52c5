import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RecordOnDisk, recordOnDisk } from "../audit/audit.testing.ts";
import type { RecordedEvent } from "../audit/event.ts";
import { listEvents } from "../audit/read.ts";
import { recordExchange } from "./record.ts";

type Exchange = Parameters<typeof recordExchange>[0];

const AGENT: NonNullable<Exchange["client"]>["agent"] = {
  id: "assistant",
  name: "Assistant",
  enabled: true,
  auth: { method: "client_secret_basic", secret: { env: "ASSISTANT_SECRET" } },
  redirectUris: [],
  postLogoutRedirectUris: [],
  denialError: "access_denied",
};
const CLIENT = { clientId: "assistant", agent: AGENT };
const OFF = { id: "connection-off", connection: "assistant-ledger" } as const;
const PERMITS = { id: "connection-permits", connection: "assistant-ledger" } as const;

let disk: RecordOnDisk;
beforeAll(async () => {
  disk = await recordOnDisk();
});
afterAll(() => disk.dispose());

async function recorded(changes: Partial<Exchange>, decisionId: string): Promise<readonly RecordedEvent[]> {
  const audit = await disk.openAudit();
  const event = {
    time: 1_800_000_000,
    outcome: "refused",
    source: "203.0.113.7",
    reasons: [],
    connections: [],
  } as const;
  await recordExchange({ ...event, decisionId, ...changes }, audit);
  await audit.close();
  return (await listEvents(disk.store, {})).events.filter((one) => one.decisionId === decisionId);
}

describe("an exchange on record", () => {
  test.each<[string, Partial<Exchange>, Partial<RecordedEvent>]>([
    [
      "keeps app, connection and near misses of its decision",
      { outcome: "denied", appId: "ledger", refusal: { reason: "connection-off" }, reasons: [OFF], nearMisses: [OFF] },
      { code: "exchange.denied", app: "ledger", reasons: [OFF], nearMisses: [OFF] },
    ],
    [
      "tells first why a permit was not signed, then what had permitted it",
      { refusal: { reason: "signer-unavailable", detail: "key" }, reasons: [PERMITS], appId: "ledger" },
      { code: "exchange.refused", reasons: [{ id: "signer-unavailable", detail: "key" }, PERMITS], app: "ledger" },
    ],
    [
      "has what exactly was refused before any decision, and no app",
      {
        refusal: { reason: "parameter-missing", detail: "audience" },
        reasons: [{ id: "parameter-missing", detail: "audience" }],
      },
      { code: "exchange.refused", reasons: [{ id: "parameter-missing", detail: "audience" }] },
    ],
    [
      "has of authorization details their types, of an actor its id, and what was proven; no more of them",
      {
        outcome: "denied",
        refusal: { reason: "details-not-covered" },
        reasons: [{ id: "details-not-covered" }],
        asked: {
          audience: "https://ledger.example",
          resource: [],
          scope: undefined,
          authorizationDetails: [
            { type: "account", identifier: "DE89 3704" },
            { type: "account", owner: "Alice" },
          ],
        },
        actor: { id: "worker", act: { sub: "worker", note: "private" } },
        binding: { "x5t#S256": "thumbprint" },
      },
      { detailsAsked: ["account"], actor: "worker", binding: "certificate" },
    ],
  ])("%s", async (name, changes, expected) => {
    const [event] = await recorded({ client: CLIENT, ...changes }, name);
    expect(event).toMatchObject(expected);
    expect(event?.app).toBe(expected.app);
    expect(event).not.toHaveProperty("jti");
  });

  test("holds no member of what was asked for in detail", async () => {
    const text = JSON.stringify((await listEvents(disk.store, {})).events);
    expect(text).toContain('"detailsAsked":["account"]');
    expect(text).not.toMatch(/DE89|private|thumbprint/);
  });

  test("is counted only, where nobody proved who asks", async () => {
    const refusal = { reason: "client-auth-missing" } as const;
    expect(await recorded({ refusal, reasons: [{ id: refusal.reason }] }, "d-unknown")).toEqual([]);
    expect((await listEvents(disk.store, { code: "failures" })).events).toMatchObject([
      { failures: [{ reason: "client-auth-missing", count: 1, source: "203.0.113.7", sample: "d-unknown" }] },
    ]);
  });
});
