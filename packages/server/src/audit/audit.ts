import { randomBytes } from "node:crypto";
import { CredenceError } from "@credence/protocol";
import type { Signer } from "@credence/protocol/jws";
import type { Keyring } from "../keys/keyring.ts";
import type { AuditWriter, Store } from "../store/store.ts";
import { type ChainWriter, createChainWriter } from "./chain-writer.ts";
import { createGroup } from "./commit-group.ts";
import { countedDenial, createDenialBound, isDenial } from "./denials.ts";
import type { AuditEvent } from "./event.ts";
import { createFailureCounter, type Failure, type FailureCounter } from "./failures.ts";
import { type EncodedEvent, encodeEvent } from "./payload.ts";
import { entryHash, signHead, signWriter, type Tail } from "./signatures.ts";

/** The record, open for writing by this process. */
export interface Audit {
  /**
   * Puts an event on record. Resolves once it is on disk; events are kept in the order of the calls. Denials of a client beyond
   * its bound, and all where room is short, are counted instead: what room there is, permits have.
   * Rejects with CredenceError `temporarily_unavailable` when it is not kept: then what it tells of must not happen.
   */
  record(event: AuditEvent): Promise<void>;
  /** Counts a failure of a caller that nobody knows; recorded as a sum, a few seconds later. */
  countFailure(failure: Failure): void;
  /** Signs how far the record has come, unless that is signed already. */
  signHead(): Promise<void>;
  /** Records what was counted, signs the head, and takes nothing further. The store stays open. */
  close(): Promise<void>;
}

/** What {@link openAudit} needs. */
export interface AuditOptions {
  readonly store: AuditStore;
  readonly keyring: Pick<Keyring, "signingKeys" | "created">;
  /** Seconds since the epoch; fractions are kept to the millisecond. */
  readonly now: () => number;
  /** What failed in the background: a head that was not signed, counts that were not recorded. Tried again later. */
  readonly onFault?: (error: unknown) => void;
  /** Sign the head after this many events. */
  readonly headAfterEvents?: number;
  /** Sign the head after this many seconds, if anything came. */
  readonly headAfterSeconds?: number;
  /** Record counted failures after this many seconds. */
  readonly countsAfterSeconds?: number;
  /** Denials of one client a minute that are recorded one by one; 0, the default, is no limit. */
  readonly clientDenials?: number;
  /** Bytes of the store; in the last tenth denials are counted. 0, the default, is no limit. */
  readonly storeBytes?: number;
}

type AuditStore = Pick<
  Store,
  "appendAudit" | "auditRows" | "auditWriters" | "addAuditWriter" | "addAuditHead" | "auditExtents" | "size"
>;

/** Pairs of reason and source that are told apart in one sum. */
const COUNTED_PLACES = 50;
/** Pairs of reason and client, apart from those: a flood of strangers does not push out what is known of clients. */
const DENIED_PLACES = 5_000;
/** Counts in one event: a list of the record is cut after so many. */
const COUNTS_IN_EVENT = 100;
/** Of the store, what denials may fill. */
const FOR_DENIALS = 0.9;
/** Seconds between two looks at how large the store is. */
const ROOM_EVERY_SECONDS = 5;
/** Workers of one server enter at the same moment, and of those that want one place, one has it each time: 64 may. */
const REGISTER_ATTEMPTS = 100;

/**
 * Begins a chain of the record: one for each start of a process, entered in the signed register. Keys that the keyring
 * has just made go on record first.
 *
 * @throws CredenceError `temporarily_unavailable` when the store does not take the entry; `configuration` without a key.
 */
export async function openAudit(options: AuditOptions): Promise<Audit> {
  const { store, keyring, now, onFault = () => {} } = options;
  const signer = recordSigner(keyring);
  const entry = await register(store, signer, now);
  const chain = createChainWriter(store, entry.writer, entryHash(entry));
  const heads = createHeads(store, chain, signer, now);
  const failures = createFailureCounter(COUNTED_PLACES);
  const denials = createFailureCounter(DENIED_PLACES);
  const withinBound = createDenialBound(options.clientDenials ?? 0, now);
  const headAfterEvents = options.headAfterEvents ?? 1_000;
  let closed = false;
  let short = false;

  const group = createGroup<EncodedEvent>(async (events) => {
    await chain.append(events);
    if (chain.state().seq - heads.signed() >= headAfterEvents) heads.sign().catch(onFault);
  });

  async function record(event: AuditEvent): Promise<void> {
    if (closed) throw unavailable("The record is closed.");
    if (isDenial(event) && (short || !group.hasRoom() || !withinBound(event)))
      return denials.count(countedDenial(event));
    await group.add(encodeEvent(event, now()));
  }

  async function recordCounts(counter: FailureCounter): Promise<void> {
    const counted = counter.take();
    for (let i = 0; i < counted.length; i += COUNTS_IN_EVENT) {
      try {
        const some = counted.slice(i, i + COUNTS_IN_EVENT);
        await group.add(encodeEvent({ code: "failures.counted", failures: some }, now()));
      } catch (error) {
        counter.giveBack(counted.slice(i));
        throw error;
      }
    }
  }

  async function recordAllCounts(): Promise<void> {
    const outcomes = await Promise.allSettled([recordCounts(failures), recordCounts(denials)]);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** Says so once, when room gets short: the operator can make more before permits need it. */
  async function lookForRoom(): Promise<void> {
    const most = (options.storeBytes ?? 0) * FOR_DENIALS;
    if (most === 0) return;
    const before = short;
    short = (await store.size()) >= most;
    if (short && !before) throw unavailable("The store is nearly as large as it may be: denials are only counted now.");
  }

  const timers = [
    every(options.headAfterSeconds ?? 60, () => heads.sign().catch(onFault)),
    every(options.countsAfterSeconds ?? 5, () => recordAllCounts().catch(onFault)),
    every(ROOM_EVERY_SECONDS, () => lookForRoom().catch(onFault)),
  ];
  await lookForRoom().catch(onFault);
  for (const step of keyring.created) await record(step);

  return {
    record,
    countFailure: (failure) => failures.count(failure),
    signHead: () => heads.sign(),
    async close() {
      if (closed) return;
      closed = true;
      timers.forEach(clearInterval);
      try {
        await recordAllCounts();
      } finally {
        // Also when the counts were not taken: what is in the record shall end under a signed head.
        await group.settled();
        await heads.sign();
      }
    },
  };
}

/** The record's own key, as it is at each signature. */
function recordSigner(keyring: Pick<Keyring, "signingKeys">): () => Signer {
  return () => {
    const [signer] = keyring.signingKeys("audit").signers;
    if (signer) return signer;
    throw new CredenceError("There is no key to sign the record with.", { code: "configuration" });
  };
}

// --- The register of writers --------------------------------------------------------------------------------------------

async function register(store: AuditStore, signer: () => Signer, now: () => number): Promise<AuditWriter> {
  for (let attempt = 1; ; attempt += 1) {
    const entry = await nextEntry(store, signer, now);
    try {
      await store.addAuditWriter(entry);
      return entry;
    } catch (error) {
      // Another process may have taken the place in the register between reading and writing.
      const taken = (await store.auditWriters()).some((one) => one.position === entry.position);
      if (!taken || attempt === REGISTER_ATTEMPTS) throw error;
    }
  }
}

async function nextEntry(store: AuditStore, signer: () => Signer, now: () => number): Promise<AuditWriter> {
  const before = (await store.auditWriters()).at(-1);
  const writer = randomBytes(12).toString("base64url");
  const startedAt = Math.round(now() * 1_000) / 1_000;
  const position = (before?.position ?? 0) + 1;
  const link = before && { previous: entryHash(before), tail: await tailOf(store, before) };
  return signWriter({ position, writer, startedAt, ...link }, signer());
}

/** Where the writer before stands: a later cut of its tail shows, even when it ended without a signed head. */
async function tailOf(store: AuditStore, entry: AuditWriter): Promise<Tail> {
  const { writer } = entry;
  const [extent] = await store.auditExtents(writer);
  const [last] = extent ? await store.auditRows(writer, extent.lastSeq - 1, 1) : [];
  return { writer, seq: last?.seq ?? 0, hash: last?.hash ?? entryHash(entry) };
}

// --- Heads --------------------------------------------------------------------------------------------------------------

function createHeads(store: AuditStore, chain: ChainWriter, signer: () => Signer, now: () => number) {
  let signed = 0;
  let signing: Promise<void> = Promise.resolve();

  async function signOnce(): Promise<void> {
    const { seq, hash } = chain.state();
    if (seq <= signed) return;
    const signedAt = Math.round(now() * 1_000) / 1_000;
    await store.addAuditHead(await signHead({ writer: chain.writer, seq, hash, signedAt }, signer()));
    signed = seq;
  }

  return {
    signed: () => signed,
    /** One after the other, whoever asks. */
    sign(): Promise<void> {
      signing = signing.catch(() => {}).then(signOnce);
      return signing;
    },
  };
}

/** A timer that does not keep the process alive. */
function every(seconds: number, run: () => void): NodeJS.Timeout {
  return setInterval(run, seconds * 1_000).unref();
}

function unavailable(message: string): CredenceError {
  return new CredenceError(message, { code: "temporarily_unavailable", reason: "store-unavailable", status: 503 });
}
