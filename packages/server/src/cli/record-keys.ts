import { earlierDataKey } from "../keys/data-key.ts";
import type { KeyEncryption } from "../keys/key-encryption.ts";
import { unwrapDataKey } from "../keys/key-encryption.ts";
import { createSealer } from "../keys/seal.ts";
import { isOwnKey } from "../keys/stored-key.ts";
import type { KeyRing, StoredKey } from "../store/store.ts";

/** Keys to verify the record with, and what is to be said of them. */
export interface RecordKeys {
  /** Public keys as JWK. */
  readonly keys: readonly unknown[];
  readonly remarks: readonly string[];
}

/**
 * The keys of the record, former ones included. They stand in the store that they are to vouch for: whoever may write it could
 * put keys of their own there and sign the whole record anew. So only keys that the key-encryption key opens count, where that
 * can be had.
 *
 * @param kek - The key-encryption key; or why it can not be had.
 * @throws CredenceError `configuration` or `network` when it is another store's, or its KMS does not answer.
 */
export async function recordKeys(
  ring: KeyRing,
  kek: KeyEncryption | { readonly missing: string },
): Promise<RecordKeys> {
  const own = ring.keys.filter((key) => key.use === "audit");
  const revoked = own.filter(({ state }) => state === "revoked").map(revocation);
  if ("missing" in kek) {
    const remark = `note: ${kek.missing}, so the record's keys are believed as the store has them. Name it (--key-file or --config), or compare heads that were kept elsewhere (--head).`;
    return { keys: own.map(publicJwk), remarks: [remark, ...revoked] };
  }
  const sealer = createSealer(ring.dataKey ? await unwrapDataKey(ring.dataKey, kek) : earlierDataKey(kek));
  const opened = await Promise.all(own.map((key) => isOwnKey(key, sealer)));
  const strange = own
    .filter((_, i) => !opened[i])
    .map(({ kid }) => `key  ${kek.name} does not open the record's key ${kid}: it is not believed.`);
  return { keys: own.filter((_, i) => opened[i]).map(publicJwk), remarks: [...strange, ...revoked] };
}

/** Who had it may have signed anything, with any time in it. */
function revocation({ kid, endsAt }: StoredKey): string {
  const when = new Date((endsAt ?? 0) * 1_000).toISOString();
  return `note: The record's key ${kid} was revoked at ${when}: against whoever had it, only heads that were kept elsewhere (--head) prove anything.`;
}

/** A key that is no JSON verifies nothing: every signature by it is then found bad. */
function publicJwk({ publicJwk: json }: StoredKey): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
