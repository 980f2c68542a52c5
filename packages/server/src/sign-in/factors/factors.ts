import { z } from "zod";
import type { Factor, Store } from "../../store/store.ts";
import type { Sealing } from "../artifacts.ts";

/** Something beside a password that somebody signs in with. Recovery codes stand in for the authenticator app. */
export type FactorKind = "passkey" | "totp" | "recovery-code";

/** What the factors need from the house. */
export interface FactorPorts {
  readonly store: Pick<
    Store,
    "addFactor" | "factor" | "factorsOf" | "changeFactor" | "useFactor" | "removeFactors" | "replaceFactors" | "consume"
  >;
  readonly sealing: Sealing;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** A passkey, as it is kept. Times in seconds since the epoch. */
export interface Passkey extends z.infer<typeof passkeySchema> {
  /** Hash of its id: what the store and our forms name it by. */
  readonly key: string;
  readonly person: string;
  readonly counter: number;
  readonly createdAt: number;
  readonly usedAt?: number;
}

/** An authenticator app's secret. */
export interface Totp {
  /** Base32. */
  readonly secret: string;
  readonly createdAt: number;
  readonly usedAt?: number;
}

/** All that a person has beside a password. */
export interface Factors {
  readonly passkeys: readonly Passkey[];
  readonly totp?: Totp;
  /** How many recovery codes are left. */
  readonly recoveryCodes: number;
}

const passkeySchema = z.strictObject({
  /** Credential id, base64url. */
  id: z.string(),
  /** COSE key, base64url. */
  publicKey: z.string(),
  transports: z.array(z.string()),
  /** Whether it can not leave its device: not eligible for backup. @see WebAuthn L3 §6.1.3 */
  deviceBound: z.boolean(),
  /** As the person calls it. */
  name: z.string(),
});

const totpSchema = z.strictObject({ secret: z.string() });

/** Reads what a person has. */
export async function factorsOf(ports: Pick<FactorPorts, "store" | "sealing">, person: string): Promise<Factors> {
  const kept = await ports.store.factorsOf(person);
  const ofKind = (kind: FactorKind) => kept.filter((factor) => factor.kind === kind);
  const passkeys = await Promise.all(ofKind("passkey").map((factor) => openPasskey(ports, factor)));
  const [totp] = ofKind("totp");
  return {
    passkeys,
    ...(totp === undefined ? {} : { totp: await openTotp(ports, totp) }),
    recoveryCodes: ofKind("recovery-code").length,
  };
}

/** Opens a passkey. Rejects for one that was altered in the store. */
export async function openPasskey(ports: Pick<FactorPorts, "sealing">, factor: Factor): Promise<Passkey> {
  const { key, person, counter, createdAt, usedAt } = factor;
  const kept = passkeySchema.parse(await openFactor(ports, factor));
  return { ...kept, key, person, counter, createdAt, ...(usedAt === undefined ? {} : { usedAt }) };
}

async function openTotp(ports: Pick<FactorPorts, "sealing">, factor: Factor): Promise<Totp> {
  const { secret } = totpSchema.parse(await openFactor(ports, factor));
  return { secret, createdAt: factor.createdAt, ...(factor.usedAt === undefined ? {} : { usedAt: factor.usedAt }) };
}

/** What is kept of a factor, before it is sealed. */
export type FactorContent = z.infer<typeof passkeySchema> | z.infer<typeof totpSchema> | Record<never, never>;

/** Keeps a factor, unless there is one of that kind and key. */
export async function keepFactor(
  ports: FactorPorts,
  named: NewFactor,
  content: FactorContent,
): Promise<"added" | "exists"> {
  return ports.store.addFactor(await newFactor(ports, named, content));
}

/** A factor to be: whose it is, and of which kind. */
export interface NewFactor extends FactorName {
  readonly kind: FactorKind;
  readonly counter?: number;
}

/** A factor as the store keeps it: sealed. */
export async function newFactor(
  ports: Pick<FactorPorts, "sealing" | "now">,
  { kind, key, person, counter = 0 }: NewFactor,
  content: FactorContent,
): Promise<Factor> {
  const payload = await sealFactor(ports, { kind, key, person }, content);
  return { kind, key, person, payload, counter, createdAt: ports.now() };
}

/** Names a passkey anew. */
export async function renamePasskey(
  ports: FactorPorts,
  { id, publicKey, transports, deviceBound, key, person }: Passkey,
  name: string,
): Promise<"changed" | "gone"> {
  const content = { id, publicKey, transports, deviceBound, name };
  const payload = await sealFactor(ports, { kind: "passkey", key, person }, content);
  return ports.store.changeFactor(person, "passkey", key, payload);
}

function sealFactor({ sealing }: Pick<FactorPorts, "sealing">, named: FactorName, content: FactorContent) {
  return sealing.seal(JSON.stringify(content), place(named));
}

async function openFactor({ sealing }: Pick<FactorPorts, "sealing">, factor: Factor): Promise<unknown> {
  return JSON.parse(await sealing.open(factor.payload, place(factor)));
}

type FactorName = Pick<Factor, "kind" | "key" | "person">;

/** The seal covers whose it is: a row that is given to somebody else does not open. */
function place({ kind, key, person }: FactorName) {
  return { table: "factors", record: JSON.stringify([kind, key, person]), field: "payload" };
}
