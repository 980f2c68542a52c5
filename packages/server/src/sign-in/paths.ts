/** Paths below the issuer. */
export const PATHS = {
  authorize: "/authorize",
  token: "/token",
  userinfo: "/userinfo",
  jwks: "/jwks",
  signOut: "/sign-out",
  /** Where clients give back their tokens. @see RFC 7009 */
  revoke: "/revoke",
  /** Our page, followed by the interaction's id. */
  signIn: "/sign-in",
  /** The page of one's own account. */
  account: "/account",
} as const;

/** The URL of one of {@link PATHS}, as it is known outside. */
export function urlBelow(issuer: string, path: string): string {
  return `${issuer.replace(/\/$/, "")}${path}`;
}

/** The issuer's path, without a slash at its end. */
export function basePath(issuer: string): string {
  return new URL(issuer).pathname.replace(/\/$/, "");
}
