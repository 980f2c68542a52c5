import { CredenceError } from "@credence/protocol";
import type { AuditPersonal, AuditRow, Store } from "../store/store.ts";
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

/** @param first - What the first row follows. */
export function createChainWriter(
  store: Pick<Store, "appendAudit" | "auditRows">,
  writer: string,
  first: string,
): ChainWriter {
  let state: ChainState = { seq: 0, hash: first };
  // Rows of an append that was answered with an error. A store may fail after its commit (a connection that broke before
  // the answer came), so whether they are kept is found out before the next append.
  let doubtful: readonly AuditRow[] = [];

  async function settleDoubt(): Promise<void> {
    if (doubtful.length === 0) return;
    const kept = await store.auditRows(writer, state.seq, doubtful.length + 1);
    const own = kept.length === doubtful.length && kept.every((row, n) => row.hash === doubtful[n]?.hash);
    if (kept.length > 0 && !own) throw foreignRows(writer);
    state = reached(state, kept);
    doubtful = [];
  }

  return {
    writer,
    state: () => state,
    async append(events) {
      await settleDoubt();
      const { rows, personal } = toRows(writer, state, events);
      try {
        await store.appendAudit(rows, personal);
      } catch (error) {
        doubtful = rows;
        throw error;
      }
      state = reached(state, rows);
    },
  };
}

function toRows(
  writer: string,
  state: ChainState,
  events: readonly EncodedEvent[],
): { rows: AuditRow[]; personal: AuditPersonal[] } {
  const rows: AuditRow[] = [];
  const personal: AuditPersonal[] = [];
  let { seq, hash } = state;
  for (const event of events) {
    seq += 1;
    hash = rowHash(writer, seq, hash, event.payload);
    rows.push({ writer, seq, hash, payload: event.payload });
    for (const { field, salt, value } of event.personal) personal.push({ writer, seq, field, salt, value });
  }
  return { rows, personal };
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
