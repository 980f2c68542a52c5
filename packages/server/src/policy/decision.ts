import type { Refusal } from "@credence/protocol";
import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
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
  /** Sorted; empty only where authorization details are granted. */
  readonly scope: readonly string[];
  /** The resources that the ID-JAG is for, as asked; none when it is for the app as a whole. */
  readonly resources: readonly string[];
  /** As asked for, or narrower; none when none were. */
  readonly authorizationDetails: readonly AuthorizationDetail[];
  /** The actor that every connection used allows, where one was named. */
  readonly actor?: string;
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
  readonly maxAge?: number;
  /** Any of these ways to sign in is enough. @see RFC 9470 §3 */
  readonly acrValues?: readonly string[];
  /** The same as a refusal for the wire, with `max_age` and `acr_values`. */
  readonly refusal: Refusal;
}

/** The outcome of a decision. */
export type Decision = Permit | Denial | StepUp;
