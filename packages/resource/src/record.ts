import type { RefusalReason } from "@credence/protocol/reasons";

/**
 * What is recorded of one redemption, of one refused access token, of one access token that its client has ended, and of one
 * refused request to introspect or end one: for the operator, never for the wire.
 */
export interface ReceiverEvent {
  readonly kind: "redemption" | "access" | "introspection" | "revocation";
  readonly outcome: "granted" | "refused";
  /** Fresh and random; the answer on the wire carries it too. */
  readonly decisionId: string;
  /** Seconds since the epoch. */
  readonly time: number;
  /** Why it was refused: an id of the catalogue of reasons. */
  readonly reason?: RefusalReason;
  /** What exactly. Holds no secret and no token. */
  readonly detail?: string;
  /** What one of the app's own functions threw, where that is why. */
  readonly cause?: unknown;
  /** The client; present once it has authenticated. */
  readonly client?: string;
  /** Whether the signature was good: before that, `iss` to `jti` are only what somebody sent. */
  readonly verified: boolean;
  readonly iss?: string;
  readonly tenant?: string;
  readonly sub?: string;
  /** The ID-JAG's id: the IdP's record has its decision under it. */
  readonly jti?: string;
  /** The customer that the issuer selects. */
  readonly customer?: string;
  /** Id of the local account. */
  readonly account?: string;
  readonly resource?: string;
  /** Scopes that the request named. */
  readonly asked?: readonly string[];
  /** Scopes of the access token. */
  readonly granted?: readonly string[];
  /** What the access token is bound to; absent for a bearer token. */
  readonly binding?: "dpop" | "certificate";
  /** Id of the access token. */
  readonly accessToken?: string;
}

/** What a step learned for the record; filled while a request is served. */
export type Facts = { -readonly [Name in keyof ReceiverEvent]?: ReceiverEvent[Name] };

/** Keeps a record; rejects when it can not. */
export type Recorder = (event: ReceiverEvent) => Promise<void>;

/** An app's record, which rejects where the app's function throws or rejects; what it threw goes to `onFault`. */
export function recorderOf(options: RecordOptions): Recorder {
  return async (event) => {
    try {
      await options.record(event);
    } catch (error) {
      options.onFault?.(error, event.decisionId);
      throw error;
    }
  };
}

/** Where the record goes, and who hears that it could not be kept. */
interface RecordOptions {
  readonly record: (event: ReceiverEvent) => void | Promise<void>;
  readonly onFault?: (error: unknown, decisionId: string) => void;
}
