import { CredenceError } from "@credence/protocol";
import type { AccessTokenClaims, Root } from "./access-token/claims.ts";
import type { LivenessInput } from "./options.ts";
import { STORE_CLOCK_MARGIN, type StoreKeyOf, webStoreKeyOf } from "./replay.ts";
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
export async function revoke(
  what: Revocation,
  store: Pick<ResourceStore, "raiseEpoch">,
  storeKeyOf: StoreKeyOf = webStoreKeyOf,
): Promise<void> {
  const { jti, sub, clientId } = what;
  if (jti !== undefined && (sub !== undefined || clientId !== undefined)) {
    throw new CredenceError("Revoke an ID-JAG by its jti alone, or people and clients without one", {
      code: "configuration",
    });
  }
  await store.raiseEpoch(await epochKey(what, storeKeyOf));
}

/** Makes one access token dead, and nothing else that comes from its ID-JAG. Rejects when the store does. */
export async function revokeAccessToken(
  { jti, exp }: Pick<AccessTokenClaims, "jti" | "exp">,
  store: Pick<ResourceStore, "put">,
  storeKeyOf: StoreKeyOf = webStoreKeyOf,
): Promise<void> {
  await store.put(await endedKey(jti, storeKeyOf), "revoked", exp + STORE_CLOCK_MARGIN);
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
  grant: LivenessInput,
  store: Pick<ResourceStore, "epochs" | "get">,
  storeKeyOf: StoreKeyOf = webStoreKeyOf,
): Promise<boolean> {
  const { epochs, ended } = await keysOf(grant, storeKeyOf);
  // Both are asked in one breath, and neither before the other's failure would be heard.
  const [[ofIdJag, ...others], endedBy] = await Promise.all([
    store.epochs(epochs),
    ended === undefined ? undefined : store.get(ended),
  ]);
  if (ofIdJag !== undefined || endedBy !== undefined) return false;
  const { root, issuedAt = root.iat } = grant;
  const since = Math.min(root.iat, issuedAt);
  return others.every((epoch) => epoch === undefined || since > epoch);
}

/** What is asked for in the store, of one grant. */
interface LivenessKeys {
  readonly clientId: string;
  readonly accessToken: string | undefined;
  /** Of the ID-JAG first. */
  readonly epochs: readonly string[];
  /** Of the access token itself; absent at redemption. */
  readonly ended: string | undefined;
}

/** An access token that is seen again comes with the same claims: its keys are not hashed again. The store is asked each time. */
const remembered = new WeakMap<Root, LivenessKeys>();

async function keysOf(grant: LivenessInput, storeKeyOf: StoreKeyOf): Promise<LivenessKeys> {
  const { clientId, root, accessToken } = grant;
  const known = remembered.get(root);
  if (known !== undefined && known.clientId === clientId && known.accessToken === accessToken) return known;
  const { iss, sub, jti } = root;
  const whose = root.tenant === undefined ? { iss } : { iss, tenant: root.tenant };
  const names = [{ ...whose, jti }, whose, { ...whose, sub }, { ...whose, clientId }, { ...whose, sub, clientId }];
  const made = names.map((name) => epochKey(name, storeKeyOf));
  // Hashes that are there already are not waited for.
  const epochs = made.every((key) => typeof key === "string") ? made : await Promise.all(made);
  const ended = accessToken === undefined ? undefined : await endedKey(accessToken, storeKeyOf);
  const keys = { clientId, accessToken, epochs, ended };
  // At redemption the root is nobody's yet: it does not come again.
  if (accessToken !== undefined && Object.isFrozen(root)) remembered.set(root, keys);
  return keys;
}

function epochKey({ iss, tenant, sub, clientId, jti }: Revocation, storeKeyOf: StoreKeyOf): string | Promise<string> {
  return storeKeyOf("epoch", iss, tenant, sub, clientId, jti);
}

function endedKey(jti: string, storeKeyOf: StoreKeyOf): string | Promise<string> {
  return storeKeyOf("ended", jti);
}
