import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { CredenceError } from "@credence/protocol";

/** Where a sealed value stands. Moved to another place, it does not open. */
export interface SealedPlace {
  readonly table: string;
  readonly record: string;
  readonly field: string;
}

/** Seals secrets that are kept in the store, and opens them again. */
export interface Sealer {
  /** @returns base64url text; another one each time. */
  seal(plaintext: string, place: SealedPlace): string;
  /** @throws CredenceError `configuration`, reason `seal-broken`, for another key, another place, or a changed text. */
  open(sealed: string, place: SealedPlace): string;
}

/** Bytes of the key-encryption key. */
export const KEY_BYTES = 32;

// version (1) | salt (16) | nonce (12) | tag (16) | ciphertext
const VERSION = 1;
const SALT = { from: 1, to: 17 };
const NONCE = { from: 17, to: 29 };
const TAG = { from: 29, to: 45 };

/**
 * AES-256-GCM under a key derived for each message from the key-encryption key and a random salt: sessions are sealed at
 * every write, and random 96-bit nonces under one key would be spent after 2^32 messages (NIST SP 800-38D §8.3).
 */
export function createSealer(key: Buffer): Sealer {
  return {
    seal(plaintext, place) {
      const salt = randomBytes(SALT.to - SALT.from);
      const nonce = randomBytes(NONCE.to - NONCE.from);
      const cipher = createCipheriv("aes-256-gcm", messageKey(key, salt), nonce).setAAD(associatedData(place));
      const ciphertext = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), salt, nonce, cipher.getAuthTag(), ciphertext]).toString("base64url");
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed, "base64url");
      if (bytes[0] !== VERSION || bytes.length < TAG.to) throw broken(place);
      try {
        const decipher = createDecipheriv("aes-256-gcm", messageKey(key, slice(bytes, SALT)), slice(bytes, NONCE), {
          authTagLength: TAG.to - TAG.from,
        });
        decipher.setAAD(associatedData(place)).setAuthTag(slice(bytes, TAG));
        return Buffer.concat([decipher.update(bytes.subarray(TAG.to)), decipher.final()]).toString("utf8");
      } catch (cause) {
        throw broken(place, cause);
      }
    },
  };
}

/** A secret for one purpose, always the same for the same key. */
export function deriveSecret(key: Buffer, purpose: string): string {
  return Buffer.from(hkdfSync("sha256", key, "", `credence ${purpose} v1`, KEY_BYTES)).toString("base64url");
}

function messageKey(key: Buffer, salt: Buffer): Buffer {
  return createHmac("sha256", key).update("credence seal v1\0").update(salt).digest();
}

/** JSON's quotes keep the parts apart: ("a", "bc") and ("ab", "c") are different. */
function associatedData({ table, record, field }: SealedPlace): Buffer {
  return Buffer.from(JSON.stringify(["credence seal v1", table, record, field]), "utf8");
}

function slice(bytes: Buffer, part: { readonly from: number; readonly to: number }): Buffer {
  return bytes.subarray(part.from, part.to);
}

function broken(place: SealedPlace, cause?: unknown): CredenceError {
  return new CredenceError(`A sealed value does not open (${place.table}.${place.field}).`, {
    code: "configuration",
    reason: "seal-broken",
    cause,
  });
}
