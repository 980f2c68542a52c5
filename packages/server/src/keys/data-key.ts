import { randomBytes } from "node:crypto";
import { CredenceError } from "@credence/protocol";
import type { Store, WrappedDataKey } from "../store/store.ts";
import { type KeyEncryption, unwrapDataKey } from "./key-encryption.ts";
import { KEY_BYTES } from "./seal.ts";

/** What {@link openDataKey} needs. */
export interface DataKeyPorts {
  readonly store: Pick<Store, "keyRing" | "changeKeyRing">;
  /** Opens the key-encryption key. `isNew`: nothing is sealed yet, so that it may be made. */
  readonly openKek: (isNew: boolean) => KeyEncryption;
}

/**
 * The key that seals every secret of the store: made at the first start, and sealed by the key-encryption key itself.
 *
 * @returns 32 bytes.
 * @throws CredenceError `configuration` when the key-encryption key is not to be had or another store's; `network` when a KMS
 *   does not answer.
 */
export async function openDataKey({ store, openKek }: DataKeyPorts): Promise<Buffer> {
  const { revision, dataKey, keys } = await store.keyRing();
  const kek = openKek(dataKey === undefined && keys.length === 0);
  if (dataKey) return unwrapDataKey(dataKey, kek);
  const made = keys.length === 0 ? randomBytes(KEY_BYTES) : earlierDataKey(kek);
  const outcome = await store.changeKeyRing({ dataKey: await wrapDataKey(made, kek) }, revision);
  if ("revision" in outcome) return made;
  // Another process was first: what it made counts.
  return openDataKey({ store, openKek: () => kek });
}

/**
 * Seals a data key, and sees that it opens again: one that did not would take all that it sealed with it.
 * @throws CredenceError `configuration`, `network` or `response_invalid` when the key-encryption key does not do it.
 */
export async function wrapDataKey(dataKey: Buffer, kek: KeyEncryption): Promise<WrappedDataKey> {
  const wrapped = { by: kek.id, wrapped: await kek.wrap(dataKey) };
  if (dataKey.equals(await unwrapDataKey(wrapped, kek))) return wrapped;
  throw new CredenceError(`What was sealed by ${kek.name} does not open as it was.`, {
    code: "response_invalid",
    reason: "kms-answer-invalid",
  });
}

/** Earlier versions sealed everything by the key file itself: its 32 bytes go on as the data key. */
export function earlierDataKey(kek: KeyEncryption): Buffer {
  if (kek.bytes) return kek.bytes;
  throw new CredenceError(
    `The store's secrets are sealed by a key file. Start once with it, then change over to ${kek.name}: credence keys rewrap.`,
    { code: "configuration", reason: "key-encryption-key-wrong" },
  );
}
