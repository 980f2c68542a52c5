import { CredenceError } from "@credence/protocol";
import type { Root } from "./access-token/claims.ts";
import { replayKey } from "./replay.ts";
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

/** A grant whose liveness is in question. */
interface Grant {
  readonly clientId: string;
  readonly root: Root;
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

/**
 * Whether nothing that a grant is rooted in was revoked since. A tie is dead: within one second nobody knows the order.
 */
export async function isUnrevoked({ clientId, root }: Grant, store: Pick<ResourceStore, "epochs">): Promise<boolean> {
  const { iss, sub, jti, iat } = root;
  const whose = root.tenant === undefined ? { iss } : { iss, tenant: root.tenant };
  const names = [whose, { ...whose, sub }, { ...whose, clientId }, { ...whose, sub, clientId }, { ...whose, jti }];
  const epochs = await store.epochs(await Promise.all(names.map(keyOf)));
  return epochs.every((epoch) => epoch === undefined || iat > epoch);
}

function keyOf({ iss, tenant, sub, clientId, jti }: Revocation): Promise<string> {
  return replayKey("epoch", iss, tenant, sub, clientId, jti);
}
