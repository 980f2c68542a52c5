import type { Agent, App, Connection, Organization, Person } from "../directory/types.ts";

/**
 * What the server keeps, by intent. Every operation is atomic by itself; those that matter say how. A write resolves after its
 * commit. Any operation rejects when the store is unavailable: callers fail closed.
 *
 * Any number of processes may have one store open. What one of them wrote, the others see as soon as it resolved; the
 * organization and what is looked up in it, a second later at the latest, and the process that changed it at once.
 */
export interface Store {
  // --- Single use ---------------------------------------------------------------------------------------------------
  /**
   * Marks a key as used. Of any number of simultaneous calls with one kind and key, exactly one gets `first`.
   * @param expiresAt - Seconds since the epoch after which the mark may be forgotten.
   */
  consume(kind: string, key: string, expiresAt: number): Promise<"first" | "again">;

  // --- The organization -------------------------------------------------------------------------------------------
  /** The whole organization and its revision; revision 0 is the empty one of a new store. */
  organization(): Promise<{ readonly revision: number; readonly document: Organization }>;
  /** The organization itself, without what it holds; its name is empty in a new store. */
  organizationHead(): Promise<Pick<Organization, "name" | "demo" | "tenant">>;
  /**
   * Makes the organization equal to the document, all or nothing, if the revision still is the expected one.
   * @returns the new revision, or `conflict` with the current one.
   */
  replaceOrganization(
    document: Organization,
    expectedRevision: number,
  ): Promise<{ readonly revision: number } | { readonly conflict: number }>;

  // --- Look-ups of a decision; each by an index, whatever the size of the organization -------------------------------
  person(id: string): Promise<Person | undefined>;
  /** Compared without regard to case. */
  personByEmail(email: string): Promise<Person | undefined>;
  agent(id: string): Promise<Agent | undefined>;
  /** By its issuer, or by an alias of it. */
  appByIssuer(issuerOrAlias: string): Promise<App | undefined>;
  /** By the client id of the app as a relying party. */
  appByRelyingParty(clientId: string): Promise<App | undefined>;
  connections(agent: string, app: string): Promise<readonly Connection[]>;

  // --- Sign-in artifacts (sessions, codes, refresh tokens …); values are opaque to the store --------------------------
  /** Stores or replaces an artifact. A mark of use stays: what was used once does not become unused by being saved. */
  putArtifact(artifact: Artifact): Promise<void>;
  artifact(model: string, key: string): Promise<Artifact | undefined>;
  artifactByUid(model: string, uid: string): Promise<Artifact | undefined>;
  /** What of a model belongs to somebody and was not used up, in the order of the keys. */
  artifactsOf(subject: string, model: string): Promise<readonly Artifact[]>;
  /**
   * Marks an artifact as used, in one conditional update: of any number of simultaneous calls, exactly one gets `first`.
   * An artifact that does not exist can not be used: `again`.
   * @param now - Seconds since the epoch, recorded as the time of use.
   */
  consumeArtifact(model: string, key: string, now: number): Promise<"first" | "again">;
  deleteArtifact(model: string, key: string): Promise<void>;
  /** Deletes every artifact of a grant, of all models. */
  deleteGrant(grantId: string): Promise<void>;
  /**
   * Ends everything that a person is signed in by, for good and in one step: sessions, sign-ins under way, and what agents hold for
   * them.
   */
  endSignIns(person: string): Promise<EndedSignIns>;

  // --- How people prove who they are, beside a password; each look-up by an index ------------------------------------
  /** Keeps a factor, unless there is one of that kind and key already, whoever's it is. */
  addFactor(factor: Factor): Promise<"added" | "exists">;
  factor(kind: string, key: string): Promise<Factor | undefined>;
  /** All of a person's, oldest first. */
  factorsOf(person: string): Promise<readonly Factor[]>;
  /** Replaces what is sealed in a factor of this person, if it is still there. */
  changeFactor(person: string, kind: string, key: string, payload: string): Promise<"changed" | "gone">;
  /**
   * Notes that a factor was used, in one conditional update: of any number of simultaneous calls with one counter, exactly
   * one gets `first`. A counter that is not above the last one is `again`, but for those who do not count: 0 after 0.
   * @param now - Seconds since the epoch.
   */
  useFactor(kind: string, key: string, counter: number, now: number): Promise<"first" | "again">;
  /**
   * Removes a person's factors: all, those of a kind, or one of them.
   * @returns how many there were: of any number of simultaneous removals of one factor, exactly one removes it.
   */
  removeFactors(person: string, kind?: string, key?: string): Promise<number>;

  /** Removes all of a person's factors, and ends what they are signed in by, in one step. @returns how many of each there were. */
  resetFactors(person: string): Promise<EndedSignIns & { readonly removed: number }>;
  /** Puts other factors in the place of a person's of one kind, in one step: of several at once, those of one stay. */
  replaceFactors(person: string, kind: string, factors: readonly Factor[]): Promise<void>;

  // --- Attempts to sign in, counted for all processes ------------------------------------------------------------------
  /**
   * Counts an attempt as failed in each of some counts, in their order, unless one of them is blocked: then in none. Of any number
   * of simultaneous attempts, no more pass than the limits say.
   *
   * @param now - Seconds since the epoch.
   * @returns `wait` in seconds; or 0, and what to hand to `attemptSucceeded`.
   */
  beginAttempt(
    limits: readonly AttemptLimit[],
    now: number,
  ): Promise<{ readonly wait: number } | { readonly wait: 0; readonly marks: readonly AttemptMark[] }>;
  /**
   * Takes back an attempt that was counted as failed: all that stands in the first count, from each; and what blocked them is as it
   * was before.
   */
  attemptSucceeded(marks: readonly AttemptMark[]): Promise<void>;

  // --- Keys: sealed before they come here -----------------------------------------------------------------------------
  /** All keys that there ever were, and by what they are sealed. */
  keyRing(): Promise<KeyRing>;
  /** The revision alone: asked for often, to see whether another process changed something. */
  keyRingRevision(): Promise<number>;
  /**
   * Adds or replaces keys, the sealed data key, or both, all or nothing, if the revision still is the expected one.
   * @returns the new revision, or `conflict` with the current one.
   */
  changeKeyRing(
    change: KeyRingChange,
    expectedRevision: number,
  ): Promise<{ readonly revision: number } | { readonly conflict: number }>;

  // --- The record -----------------------------------------------------------------------------------------------------
  /** Resolves after the commit of all rows, in order, or rejects with none of them kept. */
  appendAudit(rows: readonly AuditRow[]): Promise<void>;
  addAuditWriter(writer: AuditWriter): Promise<void>;
  addAuditHead(head: AuditHead): Promise<void>;
  /** In the order of the register. */
  auditWriters(): Promise<readonly AuditWriter[]>;
  auditHeads(): Promise<readonly AuditHead[]>;
  /** Rows of one writer with seq > `after`, in order. */
  auditRows(writer: string, after: number, limit: number): Promise<readonly AuditRow[]>;
  /**
   * How far each writer's rows reach, also of writers that the register does not have; or one writer's alone.
   * Of a writer without rows there is nothing.
   */
  auditExtents(writer?: string): Promise<readonly AuditExtent[]>;

  /** Bytes that everything takes. */
  size(): Promise<number>;

  // --- Housekeeping ---------------------------------------------------------------------------------------------------
  /** Forgets marks and artifacts that expired before `now` (seconds since the epoch). */
  sweep(now: number): Promise<void>;
  /** Commits something tiny, for readiness: resolves when that came through within two seconds, and rejects otherwise. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** One count of attempts, and what it lets through. */
export interface AttemptLimit {
  readonly kind: string;
  /** A hash of whatever is counted. */
  readonly key: string;
  /** Failures before the first wait. */
  readonly free: number;
  /** Longest wait in seconds; it doubles from 1. */
  readonly longest: number;
  /** Seconds of quiet after which failures are forgotten. */
  readonly forget: number;
}

/** An attempt under way, in one count. */
export interface AttemptMark {
  readonly kind: string;
  readonly key: string;
  /** Until when the count was blocked before; seconds since the epoch. */
  readonly until: number;
}

/** One record of the sign-in half (what oidc-provider keeps through its adapter). */
export interface Artifact {
  readonly model: string;
  /** Hash of the artifact's id: the id itself may be a bearer secret. */
  readonly key: string;
  readonly uid?: string;
  readonly grantId?: string;
  /** Whose it is, as `subjectKey` names them; it goes with them. */
  readonly subject?: string;
  /** Sealed JSON. */
  readonly payload: string;
  /** Seconds since the epoch. */
  readonly expiresAt?: number;
  /** Seconds since the epoch; set once. */
  readonly consumedAt?: number;
}

/** What somebody was signed in by, and is no longer. */
export interface EndedSignIns {
  readonly sessions: number;
  /** What agents could have renewed. */
  readonly grants: number;
}

/** Something that a person has enrolled to sign in with: a passkey, a shared secret, a recovery code. */
export interface Factor {
  readonly kind: string;
  /** Unique within the kind. */
  readonly key: string;
  /** Id of the person. */
  readonly person: string;
  /** Sealed JSON. */
  readonly payload: string;
  /** How often an authenticator says that it was used; 0 where it does not count. */
  readonly counter: number;
  /** Seconds since the epoch. */
  readonly createdAt: number;
  /** Seconds since the epoch; absent until the first use. */
  readonly usedAt?: number;
}

/** The signing keys, and the key that seals them and all other secrets. */
export interface KeyRing {
  /** 0 in a new store. */
  readonly revision: number;
  readonly dataKey?: WrappedDataKey;
  /** In the order of their making. */
  readonly keys: readonly StoredKey[];
}

/** What {@link Store.changeKeyRing} sets; what it does not name stays. */
export interface KeyRingChange {
  readonly dataKey?: WrappedDataKey;
  readonly keys?: readonly StoredKey[];
}

/** The data key, as its key-encryption key sealed it. */
export interface WrappedDataKey {
  /** Which key-encryption key sealed it. */
  readonly by: string;
  readonly wrapped: string;
}

/**
 * Where a key is in its life: it is published before it signs, still verifies after it, and then goes. A revoked one
 * went at once, from wherever it was.
 */
export const KEY_STATES = ["published", "active", "retiring", "retired", "revoked"] as const;

/** One of {@link KEY_STATES}. */
export type KeyState = (typeof KEY_STATES)[number];

/** A signing key: public half in clear, private half sealed. Times in seconds since the epoch. */
export interface StoredKey {
  readonly kid: string;
  readonly use: string;
  readonly alg: string;
  readonly state: KeyState;
  readonly publicJwk: string;
  /** The private half; of a key that is gone, its public half once more, under the same seal. */
  readonly sealed: string;
  readonly createdAt: number;
  /** When it began to sign. */
  readonly activatedAt?: number;
  /** When it ended to sign. */
  readonly retiringAt?: number;
  /** When it went, or of a retiring one, when it goes. */
  readonly endsAt?: number;
}

/** One event of the record: the hash covers writer, seq, the hash before it and the payload. */
export interface AuditRow {
  readonly writer: string;
  /** From 1, without gaps, per writer. */
  readonly seq: number;
  /** Base64url SHA-256. */
  readonly hash: string;
  /** Canonical JSON, personal fields as commitments. */
  readonly payload: string;
  /** The personal fields, which the hash does not cover, so that they can be erased; empty where there is none. */
  readonly personal: string;
}

/** How far the rows of one writer reach. */
export interface AuditExtent {
  readonly writer: string;
  /** The highest seq. */
  readonly lastSeq: number;
}

/** One process start, in the signed register. */
export interface AuditWriter {
  /** Place in the register, from 1, without gaps; unique, so that of two simultaneous entries one is rejected. */
  readonly position: number;
  readonly writer: string;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** JWS over the writer's id, start and the entry before it. */
  readonly signature: string;
}

/** A signed head of one writer's chain. */
export interface AuditHead {
  readonly writer: string;
  readonly seq: number;
  readonly hash: string;
  /** Seconds since the epoch. */
  readonly signedAt: number;
  readonly signature: string;
}
