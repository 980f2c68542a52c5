/** Token exchanges over real HTTP, as each client may make them, and what is on record of them. */
import { addClientAuth, type ClientIdentity } from "@credence/protocol/client-auth";
import { createDpopProof, type DpopKey } from "@credence/protocol/dpop";
import { decodeIdJag, type IdJagClaims } from "@credence/protocol/id-jag";
import { buildTokenExchangeRequest, type TokenExchangeParameters } from "@credence/protocol/token-exchange";
import { expect } from "vitest";
import type { RecordedEvent } from "../packages/server/src/audit/event.ts";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { type House, SECRETS } from "./house.testing.ts";

export const LEDGER = "https://ledger.example";
export const MCP = `${LEDGER}/mcp`;

/** How an exchange is made. */
export interface Exchange extends Partial<TokenExchangeParameters> {
  readonly subjectToken: string;
  /** The agent; by default the assistant, with its secret. */
  readonly client?: ClientIdentity;
  /** Proves this key. */
  readonly key?: DpopKey;
  /** A header of the caller's own making, in place of a proof. */
  readonly dpop?: string;
  readonly nonce?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly change?: (form: URLSearchParams) => void;
  /** What sends it, where it is not the platform's fetch. */
  readonly via?: typeof fetch;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
  /** Of the ID-JAG, where there is one. */
  readonly claims: IdJagClaims | undefined;
}

export const secretOf = (clientId: string): ClientIdentity => ({
  method: "client_secret_basic",
  clientId,
  clientSecret: SECRETS[clientId] ?? "",
});

/** Makes one exchange at a house's token endpoint. */
export async function exchange(house: House, asked: Exchange): Promise<Answer> {
  const { client = secretOf("assistant"), key, dpop, nonce, headers = {}, change, via = fetch, ...parameters } = asked;
  const url = `${house.issuer}/token`;
  const now = Date.now() / 1_000;
  const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, ...parameters });
  const proof = dpop ?? (key && (await createDpopProof(key, { method: "POST", url, now, nonce })));
  const sent = {
    ...(await addClientAuth(form, client, house.issuer, now)),
    ...headers,
    ...(proof ? { dpop: proof } : {}),
  };
  change?.(form);
  const response = await via(url, { method: "POST", headers: sent, body: form });
  const body = (await response.json()) as Answer["body"];
  const decoded = typeof body.access_token === "string" ? decodeIdJag(body.access_token) : undefined;
  return {
    status: response.status,
    body,
    headers: response.headers,
    claims: decoded?.ok ? decoded.value.claims : undefined,
  };
}

/** What is on record of an exchange. */
export async function recorded(house: House, { body, claims }: Answer): Promise<RecordedEvent | undefined> {
  const decision = String(body.decision_id ?? claims?.jti);
  return (await listEvents(house.server.store, { decision })).events[0];
}

/** The error on the wire, and the exact reason on record. */
export async function expectRefused(house: House, answer: Answer, error: string, reason: string): Promise<void> {
  expect(answer.body).toMatchObject({ error });
  expect(answer.body).not.toHaveProperty("access_token");
  expect((await recorded(house, answer))?.reasons?.[0]?.id).toBe(reason);
}
