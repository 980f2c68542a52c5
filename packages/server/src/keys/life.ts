import type { JwsAlgorithm } from "@credence/protocol/jws";
import type { KeyState, StoredKey } from "../store/store.ts";

/** What a signing key is for: ID tokens and ID-JAGs, or the record. A key of one never signs for the other. */
export type KeyUse = "idp" | "audit";

/** How keys live. Seconds. */
export interface KeyTimes {
  /** A key signs for so long; absent, until somebody rotates it. */
  readonly rotateEvery?: number;
  /** A key still verifies for so long after it has signed for the last time. */
  readonly overlap: number;
  /** A key is in the JWKS for so long before it signs: by then, every cache that keeps to what we say of it has it. */
  readonly lead: number;
}

/** A kind of key that there shall be. */
export interface KeyKind {
  readonly use: KeyUse;
  readonly alg: JwsAlgorithm;
}

/** What becomes of the keys: those that change, as they are then, and those that are to be made. */
export interface KeyPlan {
  readonly changed: readonly StoredKey[];
  readonly make: readonly (KeyKind & { readonly state: KeyState })[];
}

/** What somebody has asked for. */
export type KeyOrder =
  /** The next key takes over. `now`: even if it was not published for long enough. */
  | { readonly do: "rotate"; readonly use: KeyUse; readonly alg?: JwsAlgorithm; readonly now?: boolean }
  /** A key that only verifies any more goes before its time. */
  | { readonly do: "retire"; readonly kid: string }
  /** A key that somebody else may have: nothing that it signed counts any more. */
  | { readonly do: "revoke"; readonly kid: string };

/** Why an order is not carried out. */
export type OrderRefusal =
  | { readonly reason: "key-unknown" }
  | { readonly reason: "key-signs" | "key-gone"; readonly state: KeyState }
  /** The next key may sign from then on. */
  | { readonly reason: "next-key-too-new"; readonly from: number }
  | { readonly reason: "next-key-missing" };

/** Whether a key's private half is kept: it signs, or shall. */
function maySign(state: KeyState): boolean {
  return state === "active" || state === "published";
}

/** Whether what a key has signed counts, and others must be able to verify it: these stand in the JWKS. */
export function verifies(state: KeyState): boolean {
  return maySign(state) || state === "retiring";
}

/** Whether a key is gone for good, and its private half with it. */
export function isGone(state: KeyState): boolean {
  return state === "retired" || state === "revoked";
}

/**
 * What is due by itself: keys of a kind that has none that signs, the next one of each kind, rotations by the calendar, and
 * the end of those that have only verified for long enough. Of the record's keys there is no next one: nobody fetches them.
 *
 * @param now - Seconds since the epoch.
 * @param only - `signing`: what a start can not do without; the next keys have time.
 */
export function due(
  keys: readonly StoredKey[],
  kinds: readonly KeyKind[],
  times: KeyTimes,
  now: number,
  only?: "signing",
): KeyPlan {
  const draft = draftOf(keys);
  for (const key of keys) {
    if (key.state === "retiring" && (key.endsAt ?? 0) <= now) draft.put(gone(key, "retired", now));
    // A kind that the deployment no longer names, at the start alone: while servers are started anew one after the other, some
    // name it and others do not, and each would undo what the others do, with a new key every time.
    if (only === "signing" && maySign(key.state) && !kinds.some((kind) => isOf(key, kind))) {
      draft.put(stepDown(key, times, now));
    }
  }
  for (const kind of kinds) {
    const active = draft.find(kind, "active");
    if (active && isOld(active, times, now) && rotationRefused(draft, kind, times, now) === undefined) {
      rotateKind(draft, kind, times, now);
    }
    complete(draft, kind, now, only);
  }
  return draft.plan();
}

/**
 * What an order changes.
 * @param now - Seconds since the epoch.
 */
export function ordered(
  keys: readonly StoredKey[],
  order: KeyOrder,
  kinds: readonly KeyKind[],
  times: KeyTimes,
  now: number,
): KeyPlan | OrderRefusal {
  const draft = draftOf(keys);
  if (order.do === "rotate") {
    const named = kinds.filter(({ use, alg }) => use === order.use && (order.alg === undefined || alg === order.alg));
    if (named.length === 0) return { reason: "key-unknown" };
    for (const kind of named) {
      const refused = rotationRefused(draft, kind, times, now);
      if (refused && !(order.now && refused.reason === "next-key-too-new")) return refused;
      rotateKind(draft, kind, times, now);
    }
  } else {
    const key = keys.find(({ kid }) => kid === order.kid);
    if (key === undefined) return { reason: "key-unknown" };
    const refused = endRefused(key, order.do);
    if (refused) return refused;
    draft.put(gone(key, order.do === "revoke" ? "revoked" : "retired", now));
  }
  for (const kind of kinds) complete(draft, kind, now);
  return draft.plan();
}

function endRefused({ state }: StoredKey, how: "retire" | "revoke"): OrderRefusal | undefined {
  if (state === "revoked" || (state === "retired" && how === "retire")) return { reason: "key-gone", state };
  return state === "active" && how === "retire" ? { reason: "key-signs", state } : undefined;
}

function rotationRefused(draft: Draft, kind: KeyKind, { lead }: KeyTimes, now: number): OrderRefusal | undefined {
  if (kind.use === "audit") return undefined;
  const next = draft.find(kind, "published");
  if (next === undefined) return { reason: "next-key-missing" };
  return next.createdAt + lead <= now ? undefined : { reason: "next-key-too-new", from: next.createdAt + lead };
}

function isOld({ activatedAt, createdAt }: StoredKey, { rotateEvery }: KeyTimes, now: number): boolean {
  return rotateEvery !== undefined && (activatedAt ?? createdAt) + rotateEvery <= now;
}

function rotateKind(draft: Draft, kind: KeyKind, times: KeyTimes, now: number): void {
  const active = draft.find(kind, "active");
  if (active) draft.put(stepDown(active, times, now));
  const next = draft.find(kind, "published");
  if (next) draft.put({ ...next, state: "active", activatedAt: now });
}

/** One key of the kind that signs, and one that waits: the waiting one takes over where there is none that signs. */
function complete(draft: Draft, kind: KeyKind, now: number, only?: "signing"): void {
  if (!draft.has(kind, "active")) {
    const next = draft.find(kind, "published");
    if (next) draft.put({ ...next, state: "active", activatedAt: now });
    else draft.make(kind, "active");
  }
  if (only !== "signing" && kind.use !== "audit" && !draft.has(kind, "published")) draft.make(kind, "published");
}

/** What a key has signed still counts for a while; of a key that has not signed yet there is nothing, and signatures over the
 * record are verified by former keys, too. */
function stepDown(key: StoredKey, { overlap }: KeyTimes, now: number): StoredKey {
  if (key.state === "published" || key.use === "audit") return gone(key, "retired", now);
  return { ...key, state: "retiring", retiringAt: now, endsAt: now + overlap };
}

function gone(key: StoredKey, state: "retired" | "revoked", now: number): StoredKey {
  return { ...key, state, endsAt: now };
}

function isOf(key: StoredKey, { use, alg }: KeyKind): boolean {
  return key.use === use && key.alg === alg;
}

/** The keys as they become. */
interface Draft {
  find(kind: KeyKind, state: KeyState): StoredKey | undefined;
  /** Whether there is one of that kind and state, or will be. */
  has(kind: KeyKind, state: KeyState): boolean;
  put(key: StoredKey): void;
  make(kind: KeyKind, state: KeyState): void;
  plan(): KeyPlan;
}

function draftOf(keys: readonly StoredKey[]): Draft {
  const current = new Map(keys.map((key) => [key.kid, key]));
  const changed = new Map<string, StoredKey>();
  const make: (KeyKind & { state: KeyState })[] = [];
  const find = (kind: KeyKind, state: KeyState) =>
    [...current.values()].find((key) => isOf(key, kind) && key.state === state);
  return {
    find,
    has: (kind, state) =>
      find(kind, state) !== undefined ||
      make.some((one) => one.use === kind.use && one.alg === kind.alg && one.state === state),
    put(key) {
      current.set(key.kid, key);
      changed.set(key.kid, key);
    },
    make: ({ use, alg }, state) => void make.push({ use, alg, state }),
    plan: () => ({ changed: [...changed.values()], make }),
  };
}
