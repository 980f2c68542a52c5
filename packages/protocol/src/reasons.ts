/**
 * The catalogue of reasons and the one table of errors.
 *
 * A *reason* is exact and for the operator: log, audit, simulator. An *error* is what the wire may say. Every refusal in
 * every package names a reason; the error, its HTTP status and what the client should do follow from the tables here.
 * The reasons themselves stand in `reasons/`, leg by leg, and are one catalogue here.
 */

import { ACCESS_REASONS } from "./reasons/access.ts";
import { CLIENT_REASONS } from "./reasons/client.ts";
import { DECISION_REASONS } from "./reasons/decision.ts";
import { OUR_REASONS } from "./reasons/ourselves.ts";
import { PROOF_REASONS } from "./reasons/proof.ts";
import { REDEMPTION_REASONS } from "./reasons/redemption.ts";
import { REQUEST_REASONS } from "./reasons/request.ts";
import { SIGN_IN_REASONS } from "./reasons/sign-in.ts";
import { SUBJECT_TOKEN_REASONS } from "./reasons/subject-token.ts";

/** What the client should do after an error, as a machine-readable hint. */
export type Retry =
  /** Nothing changes by trying again. */
  | "never"
  /** Renew the sign-in (refresh token, else sign in again), then once more. */
  | "renew-sign-in"
  /** Ask the IdP for one fresh ID-JAG, then give up. */
  | "new-id-jag"
  /** Sign in again with what `max_age` or `acr_values` ask for, then once more. */
  | "step-up"
  /** Once more, with the nonce that the answer carries. */
  | "with-nonce"
  /** Wait as `Retry-After` says. */
  | "wait";

/** The type of a table, checked entry by entry. */
type Table<Entries extends Record<string, Entry>, Entry> = Entries;

interface ErrorEntry {
  readonly status: number;
  /** The only sentence that leaves the house for this error. */
  readonly description: string;
  readonly retry: Retry;
}

/** OAuth errors with their HTTP status, the public sentence and what the client does. */
export const ERRORS = {
  invalid_request: {
    status: 400,
    description: "The request is malformed, or lacks or repeats a parameter.",
    retry: "never",
  },
  invalid_client: { status: 401, description: "The client could not be authenticated.", retry: "never" },
  unauthorized_client: { status: 400, description: "This client may not use this grant.", retry: "never" },
  unsupported_grant_type: { status: 400, description: "This grant type is not supported here.", retry: "never" },
  invalid_grant: {
    status: 400,
    description: "The grant is invalid, expired, revoked or was issued to another client.",
    retry: "renew-sign-in",
  },
  access_denied: {
    status: 400,
    description: "The organization's policy does not permit this request.",
    retry: "never",
  },
  insufficient_user_authentication: {
    status: 400,
    description: "The person must authenticate again, more recently or more strongly.",
    retry: "step-up",
  },
  invalid_target: {
    status: 400,
    description: "The audience or resource is unknown or not valid for this request.",
    retry: "never",
  },
  invalid_scope: { status: 400, description: "The scope is unknown, malformed or not available.", retry: "never" },
  invalid_authorization_details: {
    status: 400,
    description: "The authorization details are unknown or malformed.",
    retry: "never",
  },
  invalid_dpop_proof: { status: 400, description: "The DPoP proof is invalid.", retry: "never" },
  use_dpop_nonce: { status: 400, description: "A DPoP nonce is required.", retry: "with-nonce" },
  temporarily_unavailable: { status: 503, description: "The service is unavailable for the moment.", retry: "wait" },
  slow_down: { status: 429, description: "Too many requests.", retry: "wait" },
  // At the protected resource (RFC 6750 §3.1).
  invalid_token: {
    status: 401,
    description: "The access token is missing, malformed, expired, revoked or not for this resource.",
    retry: "new-id-jag",
  },
  insufficient_scope: { status: 403, description: "The access token lacks a scope that this needs.", retry: "never" },
} as const;

/** An OAuth error code of the table {@link ERRORS}. */
export type OAuthErrorCode = keyof Table<typeof ERRORS, ErrorEntry>;

interface ReasonEntry {
  /** The error on the wire; `null` for a reason that explains a permit. */
  readonly error: OAuthErrorCode | null;
  /** Where the rule stands. */
  readonly section: string;
  /** What it means, for an admin. */
  readonly means: string;
  /** How to mend it. */
  readonly mend: string;
}

/** Every reason, by id: the tables of `reasons/`, one for each leg of the way. No id stands in two of them. */
export const REASONS: typeof DECISION_REASONS &
  typeof REQUEST_REASONS &
  typeof PROOF_REASONS &
  typeof CLIENT_REASONS &
  typeof SUBJECT_TOKEN_REASONS &
  typeof SIGN_IN_REASONS &
  typeof REDEMPTION_REASONS &
  typeof ACCESS_REASONS &
  typeof OUR_REASONS = {
  ...DECISION_REASONS,
  ...REQUEST_REASONS,
  ...PROOF_REASONS,
  ...CLIENT_REASONS,
  ...SUBJECT_TOKEN_REASONS,
  ...SIGN_IN_REASONS,
  ...REDEMPTION_REASONS,
  ...ACCESS_REASONS,
  ...OUR_REASONS,
};

/** The id of a reason of the catalogue {@link REASONS}. */
export type ReasonId = keyof Table<typeof REASONS, ReasonEntry>;

/** The reasons for which something is refused: all but those that explain a permit. */
export type RefusalReason = {
  [Id in ReasonId]: (typeof REASONS)[Id]["error"] extends null ? never : Id;
}[ReasonId];

/** The error on the wire for a refusal. */
export function errorOf(reason: RefusalReason): OAuthErrorCode {
  return REASONS[reason].error;
}
