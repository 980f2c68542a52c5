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
  "code-wrong": {
    error: "access_denied",
    section: "RFC 6238 §5.2",
    means: "The code of the authenticator app is wrong, or the recovery code is none of the person's.",
    mend: "Type the next code; if it goes on, compare the clocks of the app's device and of the server.",
  },
  "code-used": {
    error: "access_denied",
    section: "RFC 6238 §5.2",
    means: "The code of the authenticator app was used before: each is good once.",
    mend: "Wait for the next code. If the person did not use it before, somebody else did: reset their factors.",
  },
  "passkey-unknown": {
    error: "access_denied",
    section: "WebAuthn L3 §7.2 step 6",
    means: "The passkey is nobody's here: it was removed, or belongs to somewhere else.",
    mend: "Sign in with the password, and make a new passkey.",
  },
  "passkey-refused": {
    error: "access_denied",
    section: "WebAuthn L3 §7.2",
    means: "What the passkey signed is not what was asked for: another challenge, place or person, or a bad signature.",
    mend: "Start the sign-in again; if it stays, remove the passkey and make a new one.",
  },
  "passkey-counter": {
    error: "access_denied",
    section: "WebAuthn L3 §7.2 step 22",
    means: "The authenticator counts fewer uses than were seen: there may be a copy of it.",
    mend: "Remove the passkey, and find out how there can be two of it.",
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
