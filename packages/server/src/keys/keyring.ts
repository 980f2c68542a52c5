import { CredenceError } from "@credence/protocol";
import {
  generateSigningKey,
  type JwsAlgorithm,
  type PrivateJwk,
  type PublicJwk,
  parseJwks,
  thumbprint,
} from "@credence/protocol/jws";
import type { Store, StoredKey } from "../store/store.ts";
import { readKeyFile, requireKeyFileOutside } from "./key-file.ts";
import { createSealer, deriveSecret, type SealedPlace, type Sealer } from "./seal.ts";

/** What a signing key is for: ID tokens and ID-JAGs, or the record. A key of one never signs for the other. */
export type KeyUse = "idp" | "audit";

/** A signing key, opened. `kid` is the key's thumbprint (RFC 7638). */
export interface SigningKey {
  readonly kid: string;
  readonly alg: JwsAlgorithm;
  readonly publicJwk: PublicJwk;
  readonly privateJwk: PrivateJwk;
}

/** Signs the browser's cookies; salts pairwise names of people; makes DPoP nonces. */
export type SecretPurpose = "cookies" | "pairwise" | "dpop nonces";

/** The server's secrets: what seals, and what signs. */
export interface Keyring extends Sealer {
  /** The keys of a use, the first of them for signing. `idp`: ES256, then RS256. `audit`: ES256. */
  signingKeys(use: KeyUse): readonly SigningKey[];
  /** A secret for one purpose, 43 characters of base64url; the same at every start. */
  secretFor(purpose: SecretPurpose): string;
  /** The keys that this start made, for the record. */
  readonly created: readonly { readonly kid: string; readonly use: KeyUse; readonly alg: JwsAlgorithm }[];
}

/** What {@link openKeyring} needs. */
export interface KeyringOptions {
  readonly store: Pick<Store, "keys" | "addKey">;
  /** Path of the key-encryption key. Made when it is missing and the store holds no key yet. */
  readonly keyFile: string;
  /** Where the store is: the key file may not be inside. */
  readonly dataDir: string;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

const WANTED: readonly { readonly use: KeyUse; readonly alg: JwsAlgorithm }[] = [
  { use: "idp", alg: "ES256" },
  { use: "idp", alg: "RS256" },
  { use: "audit", alg: "ES256" },
];

/**
 * Opens the signing keys, and makes those that are missing (all of them, at the first start).
 *
 * @throws CredenceError `configuration` when the key file is inside the data directory, missing though keys exist, too open,
 *   malformed or the wrong one, or when a stored key was changed.
 */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  requireKeyFileOutside(options.dataDir, options.keyFile);
  const stored = await options.store.keys();
  const key = readKeyFile(options.keyFile, stored.length === 0);
  const sealer = createSealer(key);
  const known = await Promise.all(
    stored.map(async (one) => ({ use: one.use, key: await openKey(one, sealer, options.keyFile) })),
  );
  const created = await createMissing(known, sealer, options);
  const all = [...known, ...created];
  return {
    ...sealer,
    signingKeys: (use) =>
      // In the order of WANTED, so that the first is the same at every start.
      WANTED.filter((wanted) => wanted.use === use).flatMap(({ alg }) =>
        all.filter((one) => one.use === use && one.key.alg === alg).map((one) => one.key),
      ),
    secretFor: (purpose) => deriveSecret(key, purpose),
    created: created.map((one) => ({ kid: one.key.kid, use: one.use, alg: one.key.alg })),
  };
}

async function createMissing(
  known: readonly { readonly use: string; readonly key: SigningKey }[],
  sealer: Sealer,
  { store, now }: KeyringOptions,
): Promise<{ use: KeyUse; key: SigningKey }[]> {
  const missing = WANTED.filter(({ use, alg }) => !known.some((one) => one.use === use && one.key.alg === alg));
  const created: { use: KeyUse; key: SigningKey }[] = [];
  for (const { use, alg } of missing) {
    const key = signingKey((await generateSigningKey(alg)).privateJwk);
    await store.addKey({
      kid: key.kid,
      use,
      alg,
      publicJwk: JSON.stringify(key.publicJwk),
      sealedPrivateJwk: sealer.seal(JSON.stringify(key.privateJwk), placeOf({ kid: key.kid, use, alg })),
      createdAt: now(),
    });
    created.push({ use, key });
  }
  return created;
}

/** Whether a stored key is one that was sealed with this key-encryption key, and its public half still the same. */
export async function isOwnKey(stored: StoredKey, keyEncryptionKey: Buffer): Promise<boolean> {
  try {
    await openKey(stored, createSealer(keyEncryptionKey), "");
    return true;
  } catch {
    return false;
  }
}

/** The seal covers kid, use and algorithm; the public half in clear beside it must be the same key. */
async function openKey(stored: StoredKey, sealer: Sealer, keyFile: string): Promise<SigningKey> {
  const key = signingKey(unseal(stored, sealer, keyFile));
  const publicThumbprint = await thumbprintOfText(stored.publicJwk);
  if (publicThumbprint === stored.kid && key.kid === stored.kid && key.alg === stored.alg) return key;
  throw new CredenceError(`The public half of the signing key ${stored.kid} was changed in the store.`, {
    code: "configuration",
    reason: "key-altered",
  });
}

async function thumbprintOfText(jwk: string): Promise<string | undefined> {
  try {
    return await thumbprint(JSON.parse(jwk));
  } catch {
    // Not the JSON of a key: it has no thumbprint, and so matches none.
    return undefined;
  }
}

function unseal(stored: StoredKey, sealer: Sealer, keyFile: string): PrivateJwk {
  try {
    // What opens was sealed by createMissing: a JWK of our own making.
    return JSON.parse(sealer.open(stored.sealedPrivateJwk, placeOf(stored))) as PrivateJwk;
  } catch (cause) {
    throw new CredenceError(
      `The key file ${keyFile} does not open the signing key ${stored.kid}: it is another store's key, or the store was changed.`,
      { code: "configuration", reason: "key-file-wrong", cause },
    );
  }
}

/** The public half is taken from the sealed key, never from what stands in clear beside it. */
function signingKey(privateJwk: PrivateJwk): SigningKey {
  const publicJwk = parseJwks({ keys: [privateJwk] })?.keys[0];
  const wanted = WANTED.find(({ alg }) => alg === privateJwk.alg);
  if (publicJwk && wanted) return { kid: privateJwk.kid, alg: wanted.alg, publicJwk, privateJwk };
  throw new CredenceError("A signing key is not of a kind that this version knows.", { code: "configuration" });
}

function placeOf({ kid, use, alg }: { kid: string; use: string; alg: string }): SealedPlace {
  return { table: "keys", record: JSON.stringify([kid, use, alg]), field: "private_jwk" };
}
