import type { ReasonId } from "@credence/protocol/reasons";

/** What happened, by stable codes: they are what an operator's alerts are written against. */
export const AUDIT_CODES = [
  "exchange.permitted",
  "exchange.denied",
  "exchange.step-up",
  "exchange.refused",
  "client.refused",
  "client.metadata-changed",
  "sign-in.succeeded",
  "sign-in.failed",
  "sign-out",
  "token.revoked",
  "session.ended",
  "sessions.ended",
  "grant.ended",
  "factor.added",
  "factor.changed",
  "factor.removed",
  "factors.reset",
  "grant.refused",
  "organization.changed",
  "key.created",
  "key.activated",
  "key.retiring",
  "key.retired",
  "key.revoked",
  "keys.rewrapped",
  "server.started",
  "server.stopped",
  "failures.counted",
] as const;

/** One of {@link AUDIT_CODES}. */
export type AuditCode = (typeof AUDIT_CODES)[number];

/** An id of the catalogue, or the failing step's own stable id (a wrong password is no error of OAuth). */
export type AuditReasonId = ReasonId | (string & {});

/** One reason behind an outcome. */
export interface AuditReason {
  readonly id: AuditReasonId;
  /** What exactly; never a value that came from outside, never a secret. */
  readonly detail?: string;
  /** Id of the connection that it comes from. */
  readonly connection?: string;
}

/** A person as they were at the time. Personal: erasable. */
export interface AuditPerson {
  readonly id: string;
  readonly email?: string;
  readonly name?: string;
}

/** One thing that an admin added, changed or removed. */
export interface AuditChange {
  readonly action: "add" | "change" | "remove";
  readonly kind: "person" | "agent" | "app" | "connection" | "organization";
  /** Personal where the kind is `person`. */
  readonly id: string;
}

/** Failures of callers that nobody knows, and denials of clients beyond what is recorded one by one: counted. */
export interface AuditFailures {
  readonly reason: AuditReasonId;
  readonly count: number;
  /** Id of the agent that was denied something; absent for strangers. */
  readonly agent?: string;
  /** Where they came from; absent for the sum of those that found no place of their own. Personal. */
  readonly source?: string;
  /** One of them, cut short. Personal: what strangers send may name somebody. */
  readonly sample?: string;
}

/**
 * An event, as the rest of the server hands it in. No member ever holds a token, a password or a key. Texts are cut at 300
 * characters and lists at 100 items.
 */
export interface AuditEvent {
  readonly code: AuditCode;
  /** Seconds since the epoch; the time of the call when absent. Kept in milliseconds. */
  readonly time?: number;
  /** Joins exchange, redemption, error page and log. */
  readonly decisionId?: string;
  readonly person?: AuditPerson;
  /** Id of the agent. */
  readonly agent?: string;
  /** The client id that was claimed, or the agent's at the app. */
  readonly client?: string;
  /** Id of the app. */
  readonly app?: string;
  readonly audience?: string;
  readonly resource?: readonly string[];
  readonly scopesAsked?: readonly string[];
  readonly scopesGranted?: readonly string[];
  /** Types of the authorization details that were asked for. */
  readonly detailsAsked?: readonly string[];
  /** Types of the authorization details that were granted; their members may be personal, and stay in the ID-JAG. */
  readonly detailsGranted?: readonly string[];
  /** Id of the agent that acts, where the request named one. */
  readonly actor?: string;
  /** What the ID-JAG is bound to. */
  readonly binding?: "dpop" | "certificate";
  /** Ids of the connections that were used, or came nearest. */
  readonly connections?: readonly string[];
  /** The first is the one to tell. */
  readonly reasons?: readonly AuditReason[];
  /** Connections that would have granted, had one condition been otherwise: each with that condition. */
  readonly nearMisses?: readonly AuditReason[];
  /** What a sign-in took: `password`, `totp`, `passkey`, `device-bound-passkey`. */
  readonly methods?: readonly string[];
  /** What somebody has added beside a password, or removed: `passkey`, `totp` or `recovery-code`. */
  readonly factor?: string;
  /** Of the ID-JAG. */
  readonly jti?: string;
  /** Of the ID-JAG, in seconds. */
  readonly lifetime?: number;
  /** Address that the request came from. Personal. */
  readonly source?: string;
  /** Revision of the organization after a change. */
  readonly revision?: number;
  readonly changes?: readonly AuditChange[];
  /** Members of an agent's metadata document that are not as they were. */
  readonly members?: readonly string[];
  readonly key?: { readonly kid: string; readonly use: string; readonly alg: string };
  readonly failures?: readonly AuditFailures[];
}

/** An event as it is read from the record. */
export interface RecordedEvent extends Omit<AuditEvent, "code"> {
  readonly writer: string;
  readonly seq: number;
  readonly time: number;
  /** `unreadable` for a row that holds no event of ours: `verify` says what is wrong with it. */
  readonly code: AuditCode | "unreadable";
  /** Personal fields that were erased. */
  readonly erased?: readonly string[];
  /** Personal fields whose value is not the one that was recorded. */
  readonly altered?: readonly string[];
}
