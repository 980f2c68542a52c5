/** The keys, as the deployment wants them. */
import type { SecretRef } from "../directory/types.ts";
import { type KekSource, openKeyEncryption } from "../keys/kek.ts";
import type { KeyEncryption } from "../keys/key-encryption.ts";
import { requireKeyFileOutside } from "../keys/key-file.ts";
import { DEFAULT_JWKS_AGE, DEFAULT_KEY_TIMES, type Keyring, leadOf, openKeyring } from "../keys/keyring.ts";
import type { KeySettings } from "../keys/settings.ts";
import { transitKeys } from "../keys/transit.ts";
import type { Store } from "../store/store.ts";

/** What of a server's options concerns its keys. */
export interface KeyOptions {
  readonly dataDir: string;
  /** Where the key-encryption key is, unless `keys` says otherwise. */
  readonly keyFile: string;
  readonly keys?: KeySettings<SecretRef>;
  readonly resolveSecret: (ref: SecretRef) => string | Promise<string>;
}

/** The keys at work, and how to open another key-encryption key for them. */
export interface OpenKeys {
  readonly keyring: Keyring;
  readonly openKek: (source: KekSource<SecretRef>, mayCreate: boolean) => KeyEncryption;
  /** Seconds for which others may keep our JWKS. */
  readonly jwksAge: number;
}

/**
 * @param now - Seconds since the epoch.
 * @throws CredenceError as {@link openKeyring}.
 */
export async function openKeys(options: KeyOptions, store: Store, now: () => number): Promise<OpenKeys> {
  const { keyFile, dataDir, resolveSecret, keys = {} } = options;
  const jwksAge = keys.jwksAge ?? DEFAULT_JWKS_AGE;
  const openKek = (source: KekSource<SecretRef>, mayCreate: boolean): KeyEncryption => {
    if ("file" in source) requireKeyFileOutside(dataDir, source.file);
    return openKeyEncryption(source, mayCreate, { env: process.env, secret: resolveSecret });
  };
  const keyring = await openKeyring({
    store,
    now,
    openKek: (isNew) => openKek(keys.kek ?? { file: keyFile }, isNew),
    ...(keys.algorithms === undefined ? {} : { algorithms: keys.algorithms }),
    times: timesOf(keys, jwksAge),
    ...(keys.signer === undefined ? {} : { external: externalKeys(keys.signer, resolveSecret) }),
  });
  return { keyring, openKek, jwksAge };
}

function timesOf({ rotateEvery = DEFAULT_KEY_TIMES.rotateEvery, overlap }: KeySettings<SecretRef>, jwksAge: number) {
  return {
    ...(rotateEvery === "never" ? {} : { rotateEvery }),
    overlap: overlap ?? DEFAULT_KEY_TIMES.overlap,
    lead: leadOf(jwksAge),
  };
}

function externalKeys(
  { url, token }: NonNullable<KeySettings<SecretRef>["signer"]>,
  resolveSecret: KeyOptions["resolveSecret"],
) {
  return transitKeys({ url, token: () => resolveSecret(token) });
}
