/** What sign-in puts on record. Times in seconds since the epoch. Emails and passwords as typed are never part of it. */
export type SignInEvent =
  | {
      readonly type: "sign-in-succeeded";
      readonly personId: string;
      readonly agentId: string;
      /** What the page named, for people who report it. */
      readonly reference: string;
      readonly source: string;
      readonly at: number;
    }
  | {
      readonly type: "sign-in-failed";
      readonly why: SignInFailure;
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
      readonly type: "signed-out";
      readonly personId: string;
      /** The agent that asked for it, if one did. */
      readonly agentId?: string;
      readonly source: string;
      readonly at: number;
    };

/** Why a sign-in failed, for the record alone: the page says the same for all but the last two. */
export type SignInFailure =
  | "person-unknown"
  | "person-disabled"
  | "password-missing"
  | "password-wrong"
  | "too-many-attempts"
  | "busy";

/** Takes an event on record; resolves when that is durable. */
export type RecordSignIn = (event: SignInEvent) => Promise<void>;
