/** Why a person is not signed in, or a code or refresh token is not redeemed. */
export const SIGN_IN_REASONS = {
  "grant-refused": {
    error: "invalid_grant",
    section: "RFC 6749 §5.2",
    means:
      "A code or refresh token was not redeemed: used before, expired, another client's, or the client was refused.",
    mend: "Sign in again; if a code or token was used twice, ask who else had it: its whole grant is revoked.",
  },
  "password-missing": {
    error: "access_denied",
    section: "Credence, sign-in",
    means: "The person has no password here, so nobody can sign in as them with one.",
    mend: "Give the person a password_hash, made by credence password-hash.",
  },
  "password-wrong": {
    error: "access_denied",
    section: "Credence, sign-in",
    means: "The password is wrong.",
    mend: "Try again; or the admin sets a new password_hash.",
  },
  "too-many-attempts": {
    error: "slow_down",
    section: "Credence, sign-in",
    means: "Too many sign-ins failed for this account or from this address.",
    mend: "Wait a few minutes; if it goes on, somebody may be guessing passwords.",
  },
  "sign-in-busy": {
    error: "temporarily_unavailable",
    section: "Credence, sign-in",
    means: "Too many passwords were being checked at once.",
    mend: "Try again; if it goes on, look at where the sign-ins come from.",
  },
} as const;
