import { CredenceError } from "@credence/protocol";
import { type KeyEncryption, localKeyEncryption } from "./key-encryption.ts";
import { readKeyFile } from "./key-file.ts";
import { KEY_BYTES } from "./seal.ts";
import { transitKeyEncryption } from "./transit.ts";

/** Where the key-encryption key is. `Secret` is how the deployment refers to a secret. */
export type KekSource<Secret> =
  | { readonly file: string }
  | { readonly env: string }
  | { readonly kms: { readonly url: string; readonly key: string; readonly token: Secret } };

/** What {@link openKeyEncryption} needs of its surroundings. */
export interface KekPorts<Secret> {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves the token of a KMS. */
  readonly secret: (ref: Secret) => string | Promise<string>;
}

/**
 * Opens a key-encryption key. A KMS is not asked yet.
 *
 * @param mayCreate - Makes a key file that is missing: only while nothing is sealed by it.
 * @throws CredenceError `configuration` when a file or variable is missing, too open, or holds no key.
 */
export function openKeyEncryption<Secret>(
  source: KekSource<Secret>,
  mayCreate: boolean,
  { env, secret }: KekPorts<Secret>,
): KeyEncryption {
  if ("file" in source) return localKeyEncryption(readKeyFile(source.file, mayCreate), `the key file ${source.file}`);
  if ("env" in source) return localKeyEncryption(keyOfVariable(source.env, env), `the variable ${source.env}`);
  const { url, key, token } = source.kms;
  return transitKeyEncryption(key, { url, token: () => secret(token) });
}

function keyOfVariable(name: string, env: KekPorts<never>["env"]): Buffer {
  const text = Object.hasOwn(env, name) ? (env[name] ?? "").trim() : "";
  const key = Buffer.from(text, "base64url");
  if (/^[A-Za-z0-9_-]{43}$/.test(text) && key.length === KEY_BYTES) return key;
  const what = text === "" ? "is not set" : "holds no key";
  throw new CredenceError(`The variable ${name} ${what}: 32 bytes as base64url are expected, 43 characters.`, {
    code: "configuration",
    reason: "key-variable-malformed",
  });
}
