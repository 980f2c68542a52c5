import type { IdJagClaims } from "@credence/protocol/id-jag";

/** A step on the way from a sign-in to a working call. Holds claims at the most, never a token. */
export type AgentEvent =
  | {
      /** The resource wants a token, or another one. */
      readonly type: "challenge";
      readonly url: string;
      readonly status: 401 | 403;
      readonly scope: string | undefined;
      readonly metadataUrl: string | undefined;
    }
  | {
      /** It is known who serves the resource. */
      readonly type: "discovered";
      readonly resource: string;
      /** The authorization server that will be asked. */
      readonly issuer: string;
      readonly scope: string | undefined;
    }
  | {
      /** The IdP gave an ID-JAG; its claims passed the checks. */
      readonly type: "id-jag";
      readonly claims: IdJagClaims;
    }
  | {
      /** The person is asked at the app's own authorization server, where ID-JAGs are not supported. */
      readonly type: "code-flow";
      readonly issuer: string;
      readonly resource: string;
      readonly scope: string | undefined;
    }
  | {
      /** The app's authorization server gave an access token. */
      readonly type: "access-token";
      readonly issuer: string;
      readonly resource: string;
      readonly scope: string | undefined;
      /** Seconds since the epoch. */
      readonly expiresAt: number | undefined;
    }
  | {
      /** The IdP renewed the sign-in. */
      readonly type: "renewed";
      /** Seconds since the epoch. */
      readonly expiresAt: number;
    };
