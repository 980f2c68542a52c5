import { ok, type Result } from "@credence/protocol";
import type { JwsHeader, KeySource, Verifier } from "@credence/protocol/jws";
import type { ResourceCrypto } from "../crypto.ts";
import { type AccessTokenExpectations, verifyAccessToken } from "./access-token.ts";
import type { AccessTokenClaims } from "./claims.ts";

/** Tokens that are remembered; the one that came first goes first. */
const REMEMBERED = 10_000;

/** A token whose signature was found to be good, by this key. */
interface Remembered {
  readonly header: JwsHeader;
  readonly verifier: Verifier;
  readonly claims: AccessTokenClaims;
}

/** Verifies the signature of an access token: the claims, frozen, or why it does not count. */
export type VerifyToken = (token: string) => Promise<Result<AccessTokenClaims>>;

/**
 * Makes a verifier of access tokens that does not check a signature again that it has found to be good. A token is known by the
 * hash of all of it, under one issuer, one type and the key that verified it: when that key goes, so does what is
 * remembered. Nothing else is saved: resource, expiry, scopes, possession and liveness are the caller's, each time.
 *
 * @param expected - Issuer and keys; the type is that of access tokens.
 */
export function rememberingVerifier(
  expected: Pick<AccessTokenExpectations, "issuer" | "keys" | "algorithms">,
  { sha256 }: Pick<ResourceCrypto, "sha256">,
): VerifyToken {
  const known = new Map<string, Remembered>();
  return async (token) => {
    const key = await sha256(token);
    const seen = known.get(key);
    if (seen !== undefined && (await expected.keys(seen.header)) === seen.verifier) return ok(seen.claims);
    known.delete(key);
    let used: Omit<Remembered, "claims"> | undefined;
    const keys: KeySource = async (header) => {
      const verifier = await expected.keys(header);
      used = verifier && { header, verifier };
      return verifier;
    };
    const verified = await verifyAccessToken(token, { ...expected, keys });
    if (!verified.ok) return verified;
    const claims = frozen(verified.value);
    if (used !== undefined) remember(known, key, { ...used, claims });
    return ok(claims);
  };
}

function remember(known: Map<string, Remembered>, key: string, one: Remembered): void {
  const [first] = known.keys();
  if (known.size >= REMEMBERED && first !== undefined) known.delete(first);
  known.set(key, one);
}

/** Several requests share the claims: none may change them for the others. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}
