import { createHmac } from "node:crypto";
import { CredenceError } from "@credence/protocol";
import type { WrappedDataKey } from "../store/store.ts";
import { createSealer, KEY_BYTES } from "./seal.ts";

/**
 * Whoever holds the key-encryption key: this process, from a file or a variable, or a KMS that never gives it away. It seals
 * one thing, the data key; that seals all the rest.
 */
export interface KeyEncryption {
  /** Which key it is; kept beside what it sealed. No secret. */
  readonly id: string;
  /** For messages: `the key file /etc/credence/key`. */
  readonly name: string;
  /** The key itself, where this process holds it. */
  readonly bytes?: Buffer;
  /**
   * @param dataKey - 32 bytes.
   * @throws CredenceError `network` when the KMS is not to be had, `configuration` when it refuses.
   */
  wrap(dataKey: Uint8Array): Promise<string>;
  /**
   * @returns 32 bytes.
   * @throws CredenceError `network` when the KMS is not to be had, `configuration` when it refuses, or when the key is
   *   another one.
   */
  unwrap(wrapped: string): Promise<Uint8Array>;
}

/** What a wrapped data key is bound to: nothing else that this key-encryption key sealed can be put in its place. */
export const WRAP_CONTEXT = "credence data key v1";

const PLACE = { table: "key_ring", record: WRAP_CONTEXT, field: "data_key" };

/** Wraps with a key that this process holds: 32 bytes. */
export function localKeyEncryption(key: Buffer, name: string): KeyEncryption {
  const sealer = createSealer(key);
  return {
    id: `local:${createHmac("sha256", key).update("credence key id v1").digest("base64url").slice(0, 22)}`,
    name,
    bytes: key,
    wrap: async (dataKey) => sealer.seal(Buffer.from(dataKey).toString("base64url"), PLACE),
    async unwrap(wrapped) {
      try {
        return dataKeyBytes(sealer.open(wrapped, PLACE));
      } catch (cause) {
        throw wrongKey(name, cause);
      }
    },
  };
}

/** A data key from its base64url. @throws TypeError when it is none. */
export function dataKeyBytes(text: string): Buffer {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== KEY_BYTES) throw new TypeError("not a data key");
  return bytes;
}

/** Opens the data key of a store. @throws CredenceError `configuration`, reason `key-encryption-key-wrong`; `network`. */
export async function unwrapDataKey({ by, wrapped }: WrappedDataKey, kek: KeyEncryption): Promise<Buffer> {
  if (by !== kek.id) throw wrongKey(kek.name, undefined, ` It is sealed by ${by}; this one is ${kek.id}.`);
  return Buffer.from(await kek.unwrap(wrapped));
}

function wrongKey(name: string, cause?: unknown, more = ""): CredenceError {
  return new CredenceError(
    `The store's secrets are not opened by ${name}: it is another store's key, an earlier or a later one, or the store was changed.${more}`,
    { code: "configuration", reason: "key-encryption-key-wrong", cause },
  );
}
