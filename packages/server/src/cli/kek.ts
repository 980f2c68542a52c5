import { existsSync } from "node:fs";
import { CredenceError } from "@credence/protocol";
import { parseConfig } from "../config/config.ts";
import type { SecretRef } from "../directory/types.ts";
import { type KekSource, openKeyEncryption } from "../keys/kek.ts";
import type { KeyEncryption } from "../keys/key-encryption.ts";
import { defaultKeyFile } from "../keys/key-file.ts";
import { resolveSecret } from "../organization/secrets.ts";

/** How a command is told where the key-encryption key is. */
export interface KekOptions {
  readonly data: string;
  readonly keyFile?: string;
  readonly config?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The key-encryption key of a data directory: the file that is named, else what the deployment says, else the file beside the
 * directory.
 *
 * @returns the key, or why there is none.
 * @throws CredenceError `configuration` when what was named can not be used.
 */
export function kekOf(options: KekOptions, env: Environment): KeyEncryption | { readonly missing: string } {
  const named = options.keyFile === undefined ? kekOfConfig(options.config, env) : { file: options.keyFile };
  const file = defaultKeyFile(options.data);
  if (named === undefined && !existsSync(file)) return { missing: `There is no key file ${file}` };
  return openKeyEncryption(named ?? { file }, false, { env, secret: (ref) => resolveSecret(ref) });
}

/** What the deployment says of the key-encryption key; `undefined` where nobody names a deployment. */
export function kekOfConfig(config: string | undefined, env: Environment): KekSource<SecretRef> | undefined {
  if (!(config ?? env.CREDENCE_CONFIG)) return undefined;
  const parsed = parseConfig({ config }, env);
  if (parsed.ok) return parsed.config.keys.kek ?? { file: parsed.config.keyFile };
  const [first] = parsed.problems;
  throw new CredenceError(`The configuration can not be used: ${first?.at}: ${first?.message}`, {
    code: "configuration",
  });
}
