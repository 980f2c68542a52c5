import type { Refusal } from "@credence/protocol";
import type { ReasonId, RefusalReason } from "@credence/protocol/reasons";

/** One reason of a decision: of the catalogue, and where it comes from a connection, which one and for which scopes. */
export interface DecisionReason {
  readonly id: ReasonId;
  readonly connection?: string;
  readonly scopes?: readonly string[];
}

/** A connection that would have granted, had one condition been otherwise. */
export interface NearMiss {
  readonly connection: string;
  /** The one condition that stopped it. */
  readonly reason: RefusalReason;
  /** What it would have granted; empty where the scopes themselves are what stopped it. */
  readonly scopes: readonly string[];
}

/** What a permit grants. */
export interface Granted {
  /** Sorted, never empty. */
  readonly scope: readonly string[];
  /** The one resource that the ID-JAG is for; absent when it is for the app as a whole. */
  readonly resource?: string;
  /** Seconds. */
  readonly lifetime: number;
  /** Ids of the connections that grant any of the scopes, sorted. */
  readonly connections: readonly string[];
  /** Scopes asked for by name and not granted, sorted. */
  readonly withheld: readonly string[];
}

interface Common {
  readonly id: string;
  /** Why; the first is the one to tell. */
  readonly reasons: readonly DecisionReason[];
  readonly nearMisses: readonly NearMiss[];
}

/** What was asked for is granted, all of it or some. */
export interface Permit extends Common {
  readonly effect: "permit";
  readonly granted: Granted;
}

/** Nothing is granted. */
export interface Denial extends Common {
  readonly effect: "deny";
  readonly refusal: Refusal;
}

/** The person has to authenticate again; then the same request is decided anew. */
export interface StepUp extends Common {
  readonly effect: "step-up";
  /** Seconds: a sign-in of at most this age is enough. @see RFC 9470 §3 */
  readonly maxAge: number;
  /** The same as a refusal for the wire, with `max_age`. */
  readonly refusal: Refusal;
}

/** The outcome of a decision. */
export type Decision = Permit | Denial | StepUp;
