import type { AuthenticationMethod } from "../directory/acr.ts";
import type { FactorKind } from "./factors/factors.ts";

/** What sign-in puts on record. Times in seconds since the epoch. Emails and passwords as typed are never part of it. */
export type SignInEvent =
  | {
      readonly type: "sign-in-succeeded";
      readonly personId: string;
      /** What it took, those of an earlier sign-in that still count among them. */
      readonly methods: readonly AuthenticationMethod[];
      readonly agentId: string;
      /** What the page named, for people who report it. */
      readonly reference: string;
      readonly source: string;
      readonly at: number;
    }
  | {
      readonly type: "sign-in-failed";
      readonly why: SignInFailure;
      /** What exactly, in our words; nothing that was sent. */
      readonly detail?: string;
      /** Absent when the email is nobody's. */
      readonly personId?: string;
      readonly agentId: string;
      readonly reference: string;
      readonly source: string;
      readonly at: number;
    }
  | {
      readonly type: "grant-refused";
      /** Why, in oidc-provider's words; nothing that the client sent. */
      readonly detail: string;
      /** Absent when the client did not prove itself. */
      readonly agentId?: string;
      readonly source: string;
      readonly at: number;
    }
  | {
      /** A client gave a token back: with it went all that came from the same authorization. */
      readonly type: "token-revoked";
      readonly personId: string;
      readonly agentId: string;
      readonly source: string;
      readonly at: number;
    }
  | {
      readonly type: "signed-out";
      readonly personId: string;
      /** The agent that asked for it, if one did. */
      readonly agentId?: string;
      readonly source: string;
      readonly at: number;
    }
  | {
      readonly type: "factor-added" | "factor-changed" | "factor-removed";
      readonly personId: string;
      readonly factor: FactorKind;
      readonly source: string;
      readonly at: number;
    }
  | {
      /** The person ended one of their sessions, on the page of their account. */
      readonly type: "session-ended";
      readonly personId: string;
      readonly source: string;
      readonly at: number;
    }
  | {
      /** The person took back what an agent may do without them. */
      readonly type: "grant-ended";
      readonly personId: string;
      readonly agentId: string;
      readonly source: string;
      readonly at: number;
    };

/** Why a sign-in failed, for the record alone: pages say less. */
export type SignInFailure =
  | "person-unknown"
  | "person-disabled"
  | "password-missing"
  | "password-wrong"
  | "code-wrong"
  | "code-used"
  | "passkey-unknown"
  | "passkey-refused"
  | "passkey-counter"
  | "too-many-attempts"
  | "busy";

/** Takes an event on record; resolves when that is durable. */
export type RecordSignIn = (event: SignInEvent) => Promise<void>;
