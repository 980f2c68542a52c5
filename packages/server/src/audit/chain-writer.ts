import { CredenceError } from "@credence/protocol";
import type { AuditRow, Store } from "../store/store.ts";
import { type ChainState, rowHash } from "./chain.ts";
import type { EncodedEvent } from "./payload.ts";

/** Writes one chain. Its appends must not overlap. */
export interface ChainWriter {
  readonly writer: string;
  /** What is surely in the store. */
  state(): ChainState;
  /** Appends events in order, all or none. Rejects when the store did not take them; the next append still fits. */
  append(events: readonly EncodedEvent[]): Promise<void>;
}

/** Appends without a good answer that are remembered: far more than a database can have under way. */
const MOST_DOUBTFUL = 100;

/** @param first - What the first row follows. */
export function createChainWriter(
  store: Pick<Store, "appendAudit" | "auditRows">,
  writer: string,
  first: string,
): ChainWriter {
  let state: ChainState = { seq: 0, hash: first };
  // Ends of appends that were answered with an error. A store may fail after its commit (a connection that broke before the
  // answer came), or commit later still, so which of them is kept is found out before the next append, each time. One is, at most.
  let doubtful: readonly ChainState[] = [];

  async function settleDoubt(): Promise<void> {
    if (doubtful.length === 0) return;
    const longest = Math.max(...doubtful.map(({ seq }) => seq)) - state.seq;
    const kept = reached(state, await store.auditRows(writer, state.seq, longest + 1));
    if (kept.seq === state.seq) return;
    // A hash covers all rows before it.
    if (!doubtful.some(({ seq, hash }) => seq === kept.seq && hash === kept.hash)) throw foreignRows(writer);
    state = kept;
    doubtful = [];
  }

  return {
    writer,
    state: () => state,
    async append(events) {
      await settleDoubt();
      const rows = toRows(writer, state, events);
      try {
        await store.appendAudit(rows);
      } catch (error) {
        doubtful = [...doubtful, reached(state, rows)].slice(-MOST_DOUBTFUL);
        throw error;
      }
      state = reached(state, rows);
      // Their places are taken: none of them comes through any more.
      doubtful = [];
    },
  };
}

function toRows(writer: string, state: ChainState, events: readonly EncodedEvent[]): AuditRow[] {
  const rows: AuditRow[] = [];
  let { seq, hash } = state;
  for (const { payload, personal } of events) {
    seq += 1;
    hash = rowHash(writer, seq, hash, payload);
    rows.push({ writer, seq, hash, payload, personal });
  }
  return rows;
}

function reached(before: ChainState, rows: readonly AuditRow[]): ChainState {
  const last = rows.at(-1);
  return last ? { seq: last.seq, hash: last.hash } : before;
}

function foreignRows(writer: string): CredenceError {
  return new CredenceError(`The record of writer ${writer} has rows that this process did not write.`, {
    code: "temporarily_unavailable",
    reason: "store-unavailable",
    status: 503,
  });
}
