import { CredenceError } from "@credence/protocol";
import type { JwsAlgorithm } from "@credence/protocol/jws";
import type { KeyState, Store, StoredKey } from "../store/store.ts";
import { type DataKeyPorts, openDataKey, wrapDataKey } from "./data-key.ts";
import type { ExternalKeys } from "./external-keys.ts";
import type { KeyEncryption } from "./key-encryption.ts";
import {
  due,
  isGone,
  type KeyKind,
  type KeyOrder,
  type KeyPlan,
  type KeyTimes,
  type KeyUse,
  type OrderRefusal,
  ordered,
} from "./life.ts";
import { type MadeKey, makeKey } from "./make-key.ts";
import { createSealer, deriveSecret, type Sealer } from "./seal.ts";
import { type SigningKeys, signingKeys } from "./signing-keys.ts";
import { destroyPrivateHalf, externalName, type OpenKey, openKey } from "./stored-key.ts";

/** Signs the browser's cookies; salts pairwise names of people; makes DPoP nonces. */
export type SecretPurpose = "cookies" | "pairwise" | "dpop nonces";

/** A step in a key's life, or another key-encryption key, for the record. */
export type KeyEvent =
  | {
      readonly code: "key.created" | "key.activated" | "key.retiring" | "key.retired" | "key.revoked";
      readonly key: { readonly kid: string; readonly use: string; readonly alg: string };
    }
  | { readonly code: "keys.rewrapped" };

/** A key, for people. Times in seconds since the epoch. */
export type KeyInfo = Omit<StoredKey, "publicJwk" | "sealed"> & {
  /** What it is called where its private half is kept, if that is not here. */
  readonly external?: string;
};

/** The server's secrets: what seals, and what signs. */
export interface Keyring extends Sealer {
  /** The keys of a use as they are now: to be asked for at every signature, it costs nothing. */
  signingKeys(use: KeyUse): SigningKeys;
  /** A secret for one purpose, 43 characters of base64url; the same at every start, whatever seals the data key. */
  secretFor(purpose: SecretPurpose): string;
  /** What ID tokens may be signed with: the algorithms of the deployment, and those of earlier keys that still count. */
  readonly algorithms: readonly JwsAlgorithm[];
  /** What this start has done, for the record. */
  readonly created: readonly KeyEvent[];
  list(): readonly KeyInfo[];
  /** Reads what other processes have changed, if they did. */
  refresh(): Promise<void>;
  /** Does what is due by now. @returns what was done, for the record. */
  upkeep(): Promise<readonly KeyEvent[]>;
  /**
   * Carries an order out, or says why not. Of two processes that rotate at once, one does.
   * @returns what was done, for the record.
   */
  order(order: KeyOrder): Promise<readonly KeyEvent[] | OrderRefusal>;
  /**
   * Seals the data key by another key-encryption key: the next start needs that one, and nothing else changes.
   * @throws CredenceError when that key does not do it; nothing is changed then.
   */
  rewrap(kek: KeyEncryption): Promise<readonly KeyEvent[]>;
}

/** What {@link openKeyring} needs. */
export interface KeyringOptions extends DataKeyPorts {
  readonly store: Pick<Store, "keyRing" | "keyRingRevision" | "changeKeyRing">;
  /** What ID tokens and ID-JAGs are signed with, the default first. */
  readonly algorithms?: readonly JwsAlgorithm[];
  readonly times?: KeyTimes;
  /** Where private halves of the IdP's keys are made and stay; here by default. The record's are always here. */
  readonly external?: ExternalKeys;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** What keys sign with where the deployment says nothing. */
const DEFAULT_ALGORITHMS: readonly JwsAlgorithm[] = ["ES256", "RS256"];

/** Seconds for which others may keep our JWKS, where the deployment says nothing. */
export const DEFAULT_JWKS_AGE = 600;

/** Seconds from a change until every process and every clock has seen it. */
const SPREAD = 2;

/** How long a key is published before it signs, when others keep the JWKS for so long. Seconds. */
export function leadOf(jwksAge: number): number {
  return jwksAge + SPREAD;
}

/** What holds where the deployment says nothing: 90 days of signing, and 2 days in which former keys verify. */
export const DEFAULT_KEY_TIMES = {
  rotateEvery: 90 * 86_400,
  overlap: 2 * 86_400,
  lead: leadOf(DEFAULT_JWKS_AGE),
} as const satisfies KeyTimes;

/** Of simultaneous changes one is made, and the others look again. */
const ATTEMPTS = 20;

/**
 * Opens the signing keys, and makes those that are missing to sign: all of them, at the first start.
 *
 * @throws CredenceError `configuration` when the key-encryption key is not to be had or another store's, or when a stored key
 *   was changed; `network` when a KMS does not answer.
 */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const { store, now, external, algorithms = DEFAULT_ALGORITHMS, times = DEFAULT_KEY_TIMES } = options;
  const kinds = kindsOf(algorithms);
  const dataKey = await openDataKey(options);
  const sealer = createSealer(dataKey);
  let current = await load();

  async function load(): Promise<Loaded> {
    const { revision, keys: stored } = await store.keyRing();
    const open = await Promise.all(stored.map((key) => openKey(key, sealer)));
    const setOf = (use: KeyUse) => signingKeys(use, open, algorithms, external);
    return { revision, stored, open, sets: { idp: setOf("idp"), audit: setOf("audit") } };
  }

  /** Whoever reads at the same time may be done later, and have read earlier. */
  async function reload(): Promise<void> {
    const loaded = await load();
    if (loaded.revision >= current.revision) current = loaded;
  }

  /** Decides, and writes if nobody else did meanwhile; else all over again. */
  async function change(decide: (keys: readonly StoredKey[]) => KeyPlan): Promise<readonly KeyEvent[]> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const { stored, open, revision } = current;
      const plan = decide(stored);
      if (plan.changed.length + plan.make.length === 0) return [];
      const made = await makeAll(plan);
      const changed = plan.changed.map((key) => (isGone(key.state) ? destroyPrivateHalf(key, sealer) : key));
      const keys = [...changed, ...made.map(({ key }) => key)];
      const outcome = await store.changeKeyRing({ keys }, revision);
      await reload();
      if ("revision" in outcome) {
        await destroy(changed.filter(({ state }) => isGone(state)).map(({ kid }) => externalName(open, kid)));
        return [...changed.map(stepOf), ...made.map(({ key }) => ({ code: "key.created" as const, key: nameOf(key) }))];
      }
      await destroy(made.map((one) => one.external));
    }
    throw busy();
  }

  /** What must go does not wait for a next key, which a signer that is away can not make: upkeep tries again. */
  async function makeAll({ changed, make }: KeyPlan): Promise<MadeKey[]> {
    const goes = changed.some(({ state }) => isGone(state));
    const made = await Promise.all(
      make.map((kind) =>
        makeKey(kind, sealer, now(), external).catch((error: unknown) => {
          if (goes && kind.state === "published") return undefined;
          throw error;
        }),
      ),
    );
    return made.filter((one) => one !== undefined);
  }

  /** Where that fails, a private half lies elsewhere unused: what it would sign counts nowhere. */
  async function destroy(names: readonly (string | undefined)[]): Promise<void> {
    for (const name of names) if (name !== undefined) await external?.destroy?.(name).catch(() => undefined);
  }

  const created = await change((keys) => due(keys, kinds, times, now(), "signing"));
  const counting = current.open.filter(({ use, state }) => use === "idp" && !isGone(state)).map(({ alg }) => alg);
  return {
    ...sealer,
    signingKeys: (use) => current.sets[use],
    secretFor: (purpose) => deriveSecret(dataKey, purpose),
    algorithms: [...new Set([...algorithms, ...counting])],
    created,
    list: () => current.stored.map((key) => infoOf(key, current.open)),
    async refresh() {
      if ((await store.keyRingRevision()) !== current.revision) await reload();
    },
    upkeep: () => change((keys) => due(keys, kinds, times, now())),
    async order(order) {
      let refusal: OrderRefusal | undefined;
      const done = await change((keys) => {
        const plan = ordered(keys, order, kinds, times, now());
        refusal = "reason" in plan ? plan : undefined;
        return "reason" in plan ? NOTHING : plan;
      });
      return refusal ?? done;
    },
    async rewrap(kek) {
      const wrapped = await wrapDataKey(dataKey, kek);
      for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
        const outcome = await store.changeKeyRing({ dataKey: wrapped }, current.revision);
        await reload();
        if ("revision" in outcome) return [{ code: "keys.rewrapped" }];
      }
      throw busy();
    },
  };
}

const NOTHING: KeyPlan = { changed: [], make: [] };

/** The keys as they were read. */
interface Loaded {
  readonly revision: number;
  readonly stored: readonly StoredKey[];
  readonly open: readonly OpenKey[];
  readonly sets: Readonly<Record<KeyUse, SigningKeys>>;
}

function kindsOf(algorithms: readonly JwsAlgorithm[]): readonly KeyKind[] {
  return [...algorithms.map((alg) => ({ use: "idp", alg }) as const), { use: "audit", alg: "ES256" }];
}

const STEPS = {
  published: "key.created",
  active: "key.activated",
  retiring: "key.retiring",
  retired: "key.retired",
  revoked: "key.revoked",
} as const satisfies Record<KeyState, KeyEvent["code"]>;

function stepOf(key: StoredKey): KeyEvent {
  return { code: STEPS[key.state], key: nameOf(key) };
}

function nameOf({ kid, use, alg }: StoredKey) {
  return { kid, use, alg };
}

function infoOf({ publicJwk: _, sealed: __, ...key }: StoredKey, open: readonly OpenKey[]): KeyInfo {
  const external = externalName(open, key.kid);
  return { ...key, ...(external === undefined ? {} : { external }) };
}

function busy(): CredenceError {
  return new CredenceError("Others change the keys all the time. Try again.", {
    code: "temporarily_unavailable",
    reason: "keys-busy",
    status: 503,
  });
}
