/** What is kept in the tests of the store, and where. */
import type { Agent, App, Connection, Organization, Person } from "../directory/types.ts";
import type { StoreLocation } from "./location.ts";
import type { Artifact, AuditRow, Factor, StoredKey } from "./store.ts";

/** One place where a store is kept, for a test alone; it may be opened any number of times. */
export interface StorePlace {
  readonly location: StoreLocation;
  dispose(): Promise<void>;
}

export function times<T>(count: number, run: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => run(n)));
}

export function person(id: string, email: string): Person {
  return { id, email, name: id, groups: ["finance"], enabled: true };
}

export function many(count: number): Person[] {
  const ids = Array.from({ length: count }, (_, n) => `p${String(n).padStart(5, "0")}`);
  return ids.map((id) => person(id, `${id}@acme.example`));
}

export function auditRow(seq: number, writer = "w"): AuditRow {
  return { writer, seq, hash: `hash-${seq}`, payload: `{"n":${seq}}`, personal: "" };
}

export const ALICE = person("alice", "alice@acme.example");
export const BOB = person("bob", "Bob@acme.example");
export const ASSISTANT: Agent = {
  id: "assistant",
  name: "Assistant",
  enabled: true,
  auth: { method: "client_secret_basic", secret: { env: "ASSISTANT_SECRET" } },
  redirectUris: ["http://127.0.0.1/callback"],
  postLogoutRedirectUris: [],
  denialError: "access_denied",
};
export const LEDGER: App = {
  id: "ledger",
  name: "Ledger",
  enabled: true,
  issuer: "https://ledger.example",
  resources: ["https://ledger.example/mcp"],
  scopes: { "ledger.read": "Read entries" },
  clients: { assistant: "ledger-assistant" },
  subject: "id",
};
export const CONNECTION: Connection = {
  id: "assistant-ledger",
  enabled: true,
  agent: "assistant",
  app: "ledger",
  people: ["group:finance"],
  scopes: ["ledger.read"],
  defaultScopes: [],
  conditions: { maxAge: 28_800 },
};
export const ACME: Organization = {
  name: "Acme",
  demo: false,
  people: [ALICE, BOB],
  agents: [ASSISTANT],
  apps: [LEDGER],
  connections: [CONNECTION],
};
export const CODE: Artifact = {
  model: "AuthorizationCode",
  key: "hash-of-the-code",
  grantId: "grant-1",
  payload: "sealed",
  expiresAt: 2_000,
};
export const PASSKEY: Factor = {
  kind: "passkey",
  key: "hash-of-the-id",
  person: "alice",
  payload: "sealed",
  counter: 0,
  createdAt: 1_100,
};
export const KEY: StoredKey = {
  kid: "kid-1",
  use: "idp",
  alg: "ES256",
  state: "active",
  publicJwk: "{}",
  sealed: "sealed",
  createdAt: 1_000,
};
