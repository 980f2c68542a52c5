import { CredenceError } from "@credence/protocol";
import type { AccessTokenClaims } from "./access-token/claims.ts";
import type { LivenessInput } from "./options.ts";
import { replayKey, STORE_CLOCK_MARGIN } from "./replay.ts";
import type { ResourceStore } from "./store.ts";

/**
 * What is revoked, by the only names that an IdP and an app share: everything of an issuer (and tenant), or of it what is of
 * one person, one client, both, or one ID-JAG.
 */
export interface Revocation {
  readonly iss: string;
  readonly tenant?: string;
  /** The person, as the issuer names them. */
  readonly sub?: string;
  readonly clientId?: string;
  /** One ID-JAG and every access token made from it. */
  readonly jti?: string;
}

/**
 * Makes everything dead that is rooted up to now: ID-JAGs that are not redeemed yet, and access tokens that are out.
 *
 * @throws CredenceError `configuration` for an ID-JAG together with a person or client. Rejects when the store does.
 */
export async function revoke(what: Revocation, store: Pick<ResourceStore, "raiseEpoch">): Promise<void> {
  const { jti, sub, clientId } = what;
  if (jti !== undefined && (sub !== undefined || clientId !== undefined)) {
    throw new CredenceError("Revoke an ID-JAG by its jti alone, or people and clients without one", {
      code: "configuration",
    });
  }
  await store.raiseEpoch(await keyOf(what));
}

/** Makes one access token dead, and nothing else that comes from its ID-JAG. Rejects when the store does. */
export async function revokeAccessToken(
  { jti, exp }: Pick<AccessTokenClaims, "jti" | "exp">,
  store: Pick<ResourceStore, "put">,
): Promise<void> {
  await store.put(await keyOfToken(jti), "revoked", exp + STORE_CLOCK_MARGIN);
}

/**
 * Whether neither an access token itself nor anything that its grant is rooted in was revoked. A tie is dead: within one second
 * nobody knows the order.
 *
 * Two clocks say when a grant began: the issuer's, for its ID-JAG, and ours, for the access token. The earlier one counts,
 * so that an issuer whose clock is ahead does not carry a token that is out over its revocation. An ID-JAG that is named
 * itself is dead whatever its time says: it is one, and has no later namesake.
 */
export async function isUnrevoked(
  { clientId, root, issuedAt = root.iat, accessToken }: LivenessInput,
  store: Pick<ResourceStore, "epochs" | "get">,
): Promise<boolean> {
  const { iss, sub, jti, iat } = root;
  const whose = root.tenant === undefined ? { iss } : { iss, tenant: root.tenant };
  const names = [{ ...whose, jti }, whose, { ...whose, sub }, { ...whose, clientId }, { ...whose, sub, clientId }];
  const keys = await Promise.all(names.map(keyOf));
  const own = accessToken === undefined ? undefined : await keyOfToken(accessToken);
  // Both are asked in one breath, and neither before the other's failure would be heard.
  const [[ofIdJag, ...others], ended] = await Promise.all([
    store.epochs(keys),
    own === undefined ? undefined : store.get(own),
  ]);
  if (ofIdJag !== undefined || ended !== undefined) return false;
  const since = Math.min(iat, issuedAt);
  return others.every((epoch) => epoch === undefined || since > epoch);
}

function keyOf({ iss, tenant, sub, clientId, jti }: Revocation): Promise<string> {
  return replayKey("epoch", iss, tenant, sub, clientId, jti);
}

function keyOfToken(jti: string): Promise<string> {
  return replayKey("ended", jti);
}
