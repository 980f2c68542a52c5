import type { AuditRow, Store } from "../store/store.ts";
import type { RecordedEvent } from "./event.ts";
import { decodeEvent, parsePayload, parsePersonal } from "./payload.ts";

/** How far a reader has come, for each writer: commits of several writers have no common order. */
export type AuditCursor = Readonly<Record<string, number>>;

/** Which events to read; all of the given filters must fit. */
export interface AuditQuery {
  /** Only what came after it. */
  readonly after?: AuditCursor;
  /** At most this many events; 100 when absent. */
  readonly limit?: number;
  /** Which end to begin at; `oldest` when absent. Events always come oldest first. */
  readonly from?: "oldest" | "newest";
  /** A code, or the part of one before a dot (`exchange`). */
  readonly code?: string;
  readonly agent?: string;
  /** Id, or email (in any case), of a person. Erased events of theirs are not found. */
  readonly person?: string;
  readonly app?: string;
  /** A decision's id, which is the ID-JAG's `jti` too. */
  readonly decision?: string;
  /** Seconds since the epoch: not older than this. */
  readonly since?: number;
}

/** A page of the record. */
export interface AuditPage {
  /** Oldest first; those of one writer in the order in which they were recorded. */
  readonly events: readonly RecordedEvent[];
  /** For the next read to go on from. From the newest end: the end of the record at the time of reading. */
  readonly cursor: AuditCursor;
}

/** What reading needs of the store. */
export type AuditReader = Pick<Store, "auditWriters" | "auditRows" | "auditExtents">;

const DEFAULT_LIMIT = 100;
const PAGE = 200;

/** Reads events, merged by time over all writers. */
export async function listEvents(store: AuditReader, query: AuditQuery = {}): Promise<AuditPage> {
  return query.from === "newest" ? listNewest(store, query) : listOldest(store, query);
}

async function listOldest(store: AuditReader, query: AuditQuery): Promise<AuditPage> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const cursor: Record<string, number> = { ...query.after };
  const writers = await store.auditWriters();
  const lanes = writers.map(({ writer, startedAt }) => forwards(store, writer, cursor[writer] ?? 0, startedAt));
  const events: RecordedEvent[] = [];
  for await (const event of merge(lanes, (a, b) => a.time < b.time)) {
    if (fits(event, query)) events.push(event);
    cursor[event.writer] = event.seq;
    if (events.length >= limit) break;
  }
  return { events, cursor };
}

async function listNewest(store: AuditReader, query: AuditQuery): Promise<AuditPage> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const extents = await store.auditExtents();
  const lastSeqs = new Map(extents.map(({ writer, lastSeq }) => [writer, lastSeq]));
  const writers = await store.auditWriters();
  const cursor = Object.fromEntries(writers.map(({ writer }) => [writer, lastSeqs.get(writer) ?? 0]));
  const lanes = writers.map(({ writer, startedAt }) =>
    backwards(store, writer, cursor[writer] ?? 0, query.after?.[writer] ?? 0, startedAt),
  );
  const events: RecordedEvent[] = [];
  for await (const event of merge(lanes, (a, b) => a.time > b.time)) {
    if (events.length >= limit) break;
    if (fits(event, query)) events.push(event);
  }
  return { events: events.reverse(), cursor };
}

function fits(event: RecordedEvent, query: AuditQuery): boolean {
  const { code, agent, app, decision, since, person } = query;
  return (
    (code === undefined || event.code === code || event.code.startsWith(`${code}.`)) &&
    (agent === undefined || event.agent === agent) &&
    (app === undefined || event.app === app) &&
    (decision === undefined || event.decisionId === decision || event.jti === decision) &&
    (since === undefined || event.time >= since) &&
    (person === undefined || event.person?.id === person || event.person?.email?.toLowerCase() === person.toLowerCase())
  );
}

// --- One writer's events, page by page -------------------------------------------------------------------------------------

type Lane = AsyncGenerator<RecordedEvent, void>;

// The first page of a lane is one row: to merge, each writer's first event is needed, and most writers' second one is not.

async function* forwards(store: AuditReader, writer: string, after: number, startedAt: number): Lane {
  let reached = after;
  for (let size = 1; ; size = PAGE) {
    const events = await readPage(store, writer, reached, size, startedAt);
    yield* events;
    const last = events.at(-1);
    if (!last) return;
    reached = last.seq;
  }
}

async function* backwards(store: AuditReader, writer: string, last: number, after: number, startedAt: number): Lane {
  let reached = last;
  for (let size = 1; reached > after; size = PAGE) {
    const from = Math.max(after, reached - size);
    const read = await readPage(store, writer, from, reached - from, startedAt);
    // Where rows are missing, as many as were asked for reach further.
    const events = read.filter(({ seq }) => seq <= reached);
    yield* events.toReversed();
    reached = events.length > 0 ? from : await beforeGap(store, writer, after, from);
  }
}

/**
 * Whoever changed the record may have left a gap of any length. Halves it until there is a page to read.
 * @returns what no row lies between and `from`.
 */
async function beforeGap(store: AuditReader, writer: string, after: number, from: number): Promise<number> {
  let [low, high] = [after, from];
  while (high - low > PAGE) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await store.auditRows(writer, middle, 1);
    if (row !== undefined && row.seq <= from) low = middle;
    else high = middle;
  }
  return high;
}

async function readPage(
  store: AuditReader,
  writer: string,
  after: number,
  limit: number,
  startedAt: number,
): Promise<RecordedEvent[]> {
  const rows = await store.auditRows(writer, after, limit);
  return rows.map((row) => toEvent(row, startedAt));
}

function toEvent(row: AuditRow, startedAt: number): RecordedEvent {
  const { writer, seq } = row;
  const payload = parsePayload(row.payload);
  if (!payload) return { writer, seq, time: startedAt, code: "unreadable" };
  return { writer, seq, ...decodeEvent(payload, parsePersonal(row.personal)) };
}

// --- Merging ------------------------------------------------------------------------------------------------------------

async function* merge(lanes: readonly Lane[], before: (a: RecordedEvent, b: RecordedEvent) => boolean): Lane {
  const open: { lane: Lane; next: RecordedEvent }[] = [];
  for (const lane of lanes) {
    const { value } = await lane.next();
    if (value) open.push({ lane, next: value });
  }
  for (;;) {
    const first = open.reduce<(typeof open)[number] | undefined>(
      (best, one) => (best === undefined || before(one.next, best.next) ? one : best),
      undefined,
    );
    if (!first) return;
    yield first.next;
    const { value } = await first.lane.next();
    if (value) first.next = value;
    else open.splice(open.indexOf(first), 1);
  }
}
