import { existsSync } from "node:fs";
import { defaultKeyFile, readKeyFile } from "../keys/key-file.ts";
import { isOwnKey } from "../keys/keyring.ts";
import type { StoredKey } from "../store/store.ts";

/** Keys to verify the record with, and what is to be said of them. */
export interface RecordKeys {
  /** Public keys as JWK. */
  readonly keys: readonly unknown[];
  readonly remarks: readonly string[];
}

/**
 * The keys of the record. They stand in the store that they are to vouch for: whoever may write it could put keys of their
 * own there and sign the whole record anew. So only keys that the key file opens count, where that file can be had.
 *
 * @param keyFile - Named by the user; beside the data directory otherwise.
 * @throws CredenceError `configuration` for a key file that is named and missing, or that holds no key.
 */
export async function recordKeys(
  stored: readonly StoredKey[],
  dataDir: string,
  keyFile: string | undefined,
): Promise<RecordKeys> {
  const own = stored.filter((key) => key.use === "audit");
  const path = keyFile ?? defaultKeyFile(dataDir);
  if (keyFile === undefined && !existsSync(path)) {
    const remark = `note: There is no key file ${path}, so the record's keys are believed as the store has them. Name it (--key-file), or compare heads that were kept elsewhere (--head).`;
    return { keys: own.map(publicJwk), remarks: [remark] };
  }
  const keyEncryptionKey = readKeyFile(path, false);
  const opened = await Promise.all(own.map((key) => isOwnKey(key, keyEncryptionKey)));
  return {
    keys: own.filter((_, i) => opened[i]).map(publicJwk),
    remarks: own
      .filter((_, i) => !opened[i])
      .map(({ kid }) => `key  The key file ${path} does not open the record's key ${kid}: it is not believed.`),
  };
}

/** A key that is no JSON verifies nothing: every signature by it is then found bad. */
function publicJwk({ publicJwk: json }: StoredKey): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
