import type { Connection } from "../directory/types.ts";
import type { Facts } from "./facts.ts";

/** Noon of some day; tests state other moments relative to it. */
export const NOW = 1_800_000_000;

/** Facts of a request that the given changes make interesting: Alice of finance, the assistant, the ledger. */
export function facts(changes: Partial<Facts> = {}): Facts {
  return {
    id: "decision-1",
    now: NOW,
    defaultLifetime: 300,
    agent: { id: "assistant", enabled: true, denialError: "access_denied" },
    person: { id: "alice", groups: ["finance", "staff"], enabled: true },
    authentication: { authTime: NOW - 60 },
    app: {
      id: "ledger",
      enabled: true,
      resources: ["https://ledger.example/mcp"],
      scopes: { read: "Read", write: "Write", admin: "Administer" },
      clients: { assistant: "ledger-assistant" },
    },
    connections: [connection()],
    asked: { resource: [] },
    ...changes,
  };
}

/** A connection that grants `read` to everyone, by name and by default. */
export function connection(changes: Partial<Connection> = {}): Connection {
  return {
    id: "c1",
    enabled: true,
    agent: "assistant",
    app: "ledger",
    people: ["everyone"],
    scopes: ["read"],
    defaultScopes: ["read"],
    conditions: {},
    ...changes,
  };
}
