import { type JwkSet, parseJwks } from "@credence/protocol/jws";
import type { AuditHead, AuditRow, AuditWriter, Store } from "../store/store.ts";
import { type ChainState, rowHash } from "./chain.ts";
import { groupBy } from "./group-by.ts";
import { alteredFields, parsePayload, parsePersonal } from "./payload.ts";
import { entryHash, isGoodHead, readWriter, type Tail } from "./signatures.ts";

/** What is wrong, by stable ids. */
export type AuditProblemKind =
  /** A row is not what was written, or does not follow from the one before it. */
  | "changed"
  /** Rows are missing before a later one. */
  | "missing"
  /** Rows are missing at the end, of which something signed says that they were there. */
  | "tail-cut"
  /** A signed head's signature is not good. */
  | "head-signature"
  /** A register entry's signature is not good, or it does not follow from the one before it. */
  | "register-changed"
  /** A register entry is missing. */
  | "register-missing"
  /** A personal field is not the one that was recorded. (An erased one is fine.) */
  | "personal-changed";

/** The first thing that is wrong with one writer's part of the record. */
export interface AuditProblem {
  readonly kind: AuditProblemKind;
  readonly writer: string;
  /** The first bad row. */
  readonly seq?: number;
  readonly message: string;
}

/** What {@link verifyRecord} found. */
export interface Verification {
  readonly ok: boolean;
  /** Rows that were read and found good. */
  readonly events: number;
  readonly writers: number;
  /** Signed heads that were compared, published ones included. */
  readonly heads: number;
  readonly problems: readonly AuditProblem[];
}

/** What {@link verifyRecord} reads. */
export type RecordReader = Pick<Store, "auditWriters" | "auditHeads" | "auditRows" | "auditExtents">;

/** Something signed that says: at this seq, the chain had this hash. */
interface Checkpoint extends ChainState {
  readonly says: string;
}

const PAGE = 500;

/**
 * Checks the whole record: the register, each chain of rows, the signed heads, the personal fields. Safe while a server
 * writes.
 *
 * A tail that was cut is seen where something signed covers it: a head, or the register entry of a later start. Whoever
 * may write the store could also remove those, at its end; only heads that were published elsewhere show that.
 *
 * @param publicKeys - The public keys of the record (JWK).
 * @param published - Heads that were kept elsewhere.
 * @returns for each writer the first thing that is wrong. Rejects when the store can not be read.
 */
export async function verifyRecord(
  store: RecordReader,
  publicKeys: readonly unknown[],
  published: readonly AuditHead[] = [],
): Promise<Verification> {
  const keys = parseJwks({ keys: publicKeys }) ?? { keys: [] };
  // In this order: what was written before what vouches for it. A row that comes in between is no problem, a head whose
  // row was not read yet would be.
  const stored = await store.auditHeads();
  const extents = await store.auditExtents();
  const register = await checkRegister(await store.auditWriters(), keys);
  const heads = await checkHeads(
    [
      ...stored.map((head) => ({ head, origin: "the head" })),
      ...published.map((head) => ({ head, origin: "the published head" })),
    ],
    keys,
  );
  const checkpoints = group([...register.checkpoints, ...heads.checkpoints]);

  const problems = [...register.problems, ...heads.problems];
  let events = 0;
  for (const entry of register.entries) {
    const walked = await walk(store, entry, checkpoints.get(entry.writer) ?? []);
    events += walked.events;
    problems.push(...walked.problems);
  }
  const known = new Set(register.entries.map((entry) => entry.writer));
  const named = [...extents.map((extent) => extent.writer), ...checkpoints.keys()];
  problems.push(...unregistered(new Set(named.filter((writer) => !known.has(writer)))));
  const compared = stored.length + published.length;
  return { ok: problems.length === 0, events, writers: register.entries.length, heads: compared, problems };
}

// --- The register -------------------------------------------------------------------------------------------------------

type WriterCheckpoint = Checkpoint & { readonly writer: string };

async function checkRegister(entries: readonly AuditWriter[], keys: JwkSet) {
  const problems: AuditProblem[] = [];
  const checkpoints: WriterCheckpoint[] = [];
  let before: AuditWriter | undefined;
  for (const entry of entries) {
    const { writer, position } = entry;
    const claims = await readWriter(entry, keys);
    const expected = (before?.position ?? 0) + 1;
    if (!claims) {
      problems.push({
        kind: "register-changed",
        writer,
        message: `The register's entry ${position} has no good signature.`,
      });
    } else if (position !== expected) {
      problems.push({
        kind: "register-missing",
        writer,
        message: `${range("The register's entry", "The register's entries", expected, position - 1)} missing.`,
      });
    } else if (claims.previous !== (before && entryHash(before)) || claims.tail?.writer !== before?.writer) {
      problems.push({
        kind: "register-changed",
        writer,
        message: `The register's entry ${position} does not follow from the one before it.`,
      });
    }
    if (claims?.tail) checkpoints.push(tailCheckpoint(claims.tail, position));
    before = entry;
  }
  return { entries, problems, checkpoints };
}

function tailCheckpoint(tail: Tail, position: number): WriterCheckpoint {
  return { ...tail, says: `the register's entry ${position}` };
}

function unregistered(writers: ReadonlySet<string>): AuditProblem[] {
  return [...writers].map((writer) => ({
    kind: "register-missing",
    writer,
    message: "The register has no entry of this writer, and there are rows or signed heads of it.",
  }));
}

// --- Heads --------------------------------------------------------------------------------------------------------------

async function checkHeads(heads: readonly { readonly head: AuditHead; readonly origin: string }[], keys: JwkSet) {
  const problems: AuditProblem[] = [];
  const checkpoints: WriterCheckpoint[] = [];
  for (const { head, origin } of heads) {
    const { writer, seq, hash, signedAt } = head;
    if (await isGoodHead(head, keys)) {
      checkpoints.push({ writer, seq, hash, says: `${origin} signed at ${isoTime(signedAt)}` });
    } else {
      const message = `The signature of ${origin} at record ${seq} is not good.`;
      problems.push({ kind: "head-signature", writer, seq, message });
    }
  }
  return { problems, checkpoints };
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}

function group(checkpoints: readonly WriterCheckpoint[]): Map<string, Checkpoint[]> {
  return groupBy(checkpoints, (checkpoint) => checkpoint.writer);
}

// --- One chain ----------------------------------------------------------------------------------------------------------

interface Walk {
  readonly events: number;
  readonly problems: readonly AuditProblem[];
}

/** Follows a chain from its register entry to its end, or to the first row that is not good. */
async function walk(store: RecordReader, entry: AuditWriter, checkpoints: readonly Checkpoint[]): Promise<Walk> {
  const { writer } = entry;
  const bySeq = groupBy(checkpoints, (checkpoint) => checkpoint.seq);
  const personalProblems: AuditProblem[] = [];
  let state: ChainState = { seq: 0, hash: entryHash(entry) };
  // The last row that something signed vouches for: what was changed comes after it.
  let vouched = 0;
  const ended = (problem?: AuditProblem): Walk => ({
    events: state.seq,
    problems: [...(problem ? [problem] : []), ...personalProblems.slice(0, 1)],
  });
  for (;;) {
    const rows = await store.auditRows(writer, state.seq, PAGE);
    const last = rows.at(-1);
    if (!last) return ended(cutTail(writer, state.seq, checkpoints));
    for (const row of rows) {
      const problem = rowProblem(row, state) ?? checkpointProblem(row, vouched, bySeq.get(row.seq));
      if (problem) return ended(problem);
      personalProblems.push(...personalProblem(row));
      state = { seq: row.seq, hash: row.hash };
      if (bySeq.has(row.seq)) vouched = row.seq;
    }
  }
}

function rowProblem(row: AuditRow, before: ChainState): AuditProblem | undefined {
  const { writer, seq } = row;
  if (seq !== before.seq + 1) {
    const gap = range("Record", "Records", before.seq + 1, seq - 1);
    return { kind: "missing", writer, seq: before.seq + 1, message: `${gap} missing, though later ones are there.` };
  }
  if (row.hash !== rowHash(writer, seq, before.hash, row.payload)) {
    const who = seq === 1 ? "it" : "it, or the one before it,";
    const message = `Record ${seq} does not have the hash that it must have: ${who} was changed.`;
    return { kind: "changed", writer, seq, message };
  }
  if (!parsePayload(row.payload)) {
    return {
      kind: "changed",
      writer,
      seq,
      message: `Record ${seq} is not an event of this version or an earlier one.`,
    };
  }
  return undefined;
}

function checkpointProblem(row: AuditRow, vouched: number, at: readonly Checkpoint[] = []): AuditProblem | undefined {
  const broken = at.find((checkpoint) => checkpoint.hash !== row.hash);
  if (!broken) return undefined;
  const rows = range("Record", "Records", vouched + 1, row.seq, "was", "were");
  const message = `${rows} rewritten, one of them at least: ${broken.says} says otherwise.`;
  return { kind: "changed", writer: row.writer, seq: vouched + 1, message };
}

function cutTail(writer: string, lastSeq: number, checkpoints: readonly Checkpoint[]): AuditProblem | undefined {
  const furthest = checkpoints.reduce<Checkpoint | undefined>(
    (most, one) => (one.seq > (most?.seq ?? lastSeq) ? one : most),
    undefined,
  );
  if (!furthest) return undefined;
  const rows = range("Record", "Records", lastSeq + 1, furthest.seq);
  return {
    kind: "tail-cut",
    writer,
    seq: lastSeq + 1,
    message: `${rows} missing at the end: ${furthest.says} covers them.`,
  };
}

function personalProblem(row: AuditRow): AuditProblem[] {
  const payload = parsePayload(row.payload);
  const personal = parsePersonal(row.personal);
  const altered = payload ? alteredFields(payload, personal) : [];
  if (personal !== undefined && altered.length === 0) return [];
  const what = altered.length === 0 ? "what stands beside it" : altered.join(", ");
  const message = `Record ${row.seq}: ${what} is not what was recorded.`;
  return [{ kind: "personal-changed", writer: row.writer, seq: row.seq, message }];
}

function range(one: string, many: string, from: number, to: number, is = "is", are = "are"): string {
  return from === to ? `${one} ${from} ${is}` : `${many} ${from} to ${to} ${are}`;
}
