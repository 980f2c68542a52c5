/** Why a subject token does not count at the exchange. */
export const SUBJECT_TOKEN_REASONS = {
  "subject-token-malformed": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The subject token is not an ID token that can be read.",
    mend: "Send the ID token exactly as the sign-in gave it.",
  },
  "subject-token-type-wrong": {
    error: "invalid_grant",
    section: "RFC 8725 §3.11",
    means: "The subject token is another kind of token than an ID token: an ID-JAG, an access token or an assertion.",
    mend: "Send the ID token of the sign-in.",
  },
  "subject-token-issuer": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token was issued by somebody else.",
    mend: "Send the ID token that this IdP issued.",
  },
  "subject-token-audience": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The subject token was issued to another client.",
    mend: "An agent exchanges only the ID tokens that were issued to itself.",
  },
  "subject-token-key": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token names a key or algorithm that this IdP does not sign ID tokens with.",
    mend: "Sign in again for a new ID token.",
  },
  "subject-token-signature": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token's signature does not verify.",
    mend: "Send the ID token exactly as the sign-in gave it.",
  },
  "subject-token-expired": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token has expired, or is not yet valid.",
    mend: "Renew the ID token with the refresh token, or sign in again.",
  },
  "subject-token-binding": {
    error: "invalid_grant",
    section: "RFC 9449 §5, RFC 8705 §4",
    means: "The refresh token is bound to a key or certificate, and the request does not prove it.",
    mend: "Send a proof of the key that the refresh token was issued with.",
  },
  "subject-token-scope": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The refresh token was not issued for openid and offline_access.",
    mend: "Sign in with scope openid offline_access.",
  },
  "sign-in-over": {
    error: "invalid_grant",
    section: "Credence, a sign-in can end",
    means: "The sign-in that the ID token stands for has ended: the person signed out, or the session ran out.",
    mend: "The person signs in again.",
  },
  "person-unknown": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The person of the subject token is not in the directory.",
    mend: "Add the person, or sign in as somebody who is.",
  },
} as const;
