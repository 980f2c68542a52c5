import { CredenceError } from "@credence/protocol";
import type { Store, StoredKey } from "../store/store.ts";
import { generatePrivateJwk, type Jwk, publicHalf, type SigningAlgorithm, thumbprint } from "./jwk.ts";
import { readKeyFile, requireKeyFileOutside } from "./key-file.ts";
import { createSealer, deriveSecret, type SealedPlace, type Sealer } from "./seal.ts";

/** What a signing key is for: ID tokens and ID-JAGs, or the record. A key of one never signs for the other. */
export type KeyUse = "idp" | "audit";

/** A signing key, opened. `kid` is the key's thumbprint (RFC 7638). */
export interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicJwk: Jwk;
  readonly privateJwk: Jwk;
}

/** The server's secrets: what seals, and what signs. */
export interface Keyring extends Sealer {
  /** The keys of a use, the first of them for signing. `idp`: ES256, then RS256. `audit`: ES256. */
  signingKeys(use: KeyUse): readonly SigningKey[];
  /** Signs the browser's cookies; the same at every start. */
  cookieSecret(): string;
  /** The keys that this start made, for the record. */
  readonly created: readonly { readonly kid: string; readonly use: KeyUse; readonly alg: SigningAlgorithm }[];
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

const WANTED: readonly { readonly use: KeyUse; readonly alg: SigningAlgorithm }[] = [
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
  const known = stored.map((one) => ({ use: one.use, key: openKey(one, sealer, options.keyFile) }));
  const created = await createMissing(known, sealer, options);
  const all = [...known, ...created];
  return {
    ...sealer,
    signingKeys: (use) =>
      // In the order of WANTED, so that the first is the same at every start.
      WANTED.filter((wanted) => wanted.use === use).flatMap(({ alg }) =>
        all.filter((one) => one.use === use && one.key.alg === alg).map((one) => one.key),
      ),
    cookieSecret: () => deriveSecret(key, "cookies"),
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
    const privateJwk = await generatePrivateJwk(alg);
    const key = signingKey(alg, privateJwk);
    await store.addKey({
      kid: key.kid,
      use,
      alg,
      publicJwk: JSON.stringify(key.publicJwk),
      sealedPrivateJwk: sealer.seal(JSON.stringify(privateJwk), placeOf({ kid: key.kid, use, alg })),
      createdAt: now(),
    });
    created.push({ use, key });
  }
  return created;
}

/** The seal covers kid, use and algorithm; what stands in clear beside it must be what the private key says. */
function openKey(stored: StoredKey, sealer: Sealer, keyFile: string): SigningKey {
  const privateJwk = unseal(stored, sealer, keyFile);
  const key = signingKey(stored.alg === "RS256" ? "RS256" : "ES256", privateJwk);
  if (key.kid === stored.kid && stored.publicJwk === JSON.stringify(key.publicJwk)) return key;
  throw new CredenceError(`The public half of the signing key ${stored.kid} was changed in the store.`, {
    code: "configuration",
    reason: "key-altered",
  });
}

function unseal(stored: StoredKey, sealer: Sealer, keyFile: string): Jwk {
  try {
    // What opens was sealed by createMissing: a JWK of our own making.
    return JSON.parse(sealer.open(stored.sealedPrivateJwk, placeOf(stored))) as Jwk;
  } catch (cause) {
    throw new CredenceError(
      `The key file ${keyFile} does not open the signing key ${stored.kid}: it is another store's key, or the store was changed.`,
      { code: "configuration", reason: "key-file-wrong", cause },
    );
  }
}

function signingKey(alg: SigningAlgorithm, privateJwk: Jwk): SigningKey {
  return { kid: thumbprint(privateJwk), alg, publicJwk: publicHalf(privateJwk), privateJwk };
}

function placeOf({ kid, use, alg }: { kid: string; use: string; alg: string }): SealedPlace {
  return { table: "keys", record: JSON.stringify([kid, use, alg]), field: "private_jwk" };
}
