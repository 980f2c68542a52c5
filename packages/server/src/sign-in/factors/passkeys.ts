import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { z } from "zod";
import type { Person } from "../../directory/types.ts";
import { hashed } from "../artifacts.ts";
import { type NotePurpose, readNote, writeNote } from "../notes.ts";
import { type FactorPorts, keepFactor, openPasskey, type Passkey } from "./factors.ts";

/** Where passkeys are good: they belong to a domain, and only its pages may use them. */
export interface PasskeyPlace {
  readonly rpId: string;
  readonly origin: string;
}

/**
 * Where the passkeys of an issuer are good.
 *
 * @returns `undefined` where the issuer's host is an address: WebAuthn needs a domain (or `localhost`).
 * @see WebAuthn L3 §5.1.3, §13.4.9
 */
export function passkeyPlace(issuer: string): PasskeyPlace | undefined {
  const { hostname, origin } = new URL(issuer);
  return isIP(hostname.replace(/^\[|\]$/g, "")) === 0 ? { rpId: hostname, origin } : undefined;
}

/** Passkeys that somebody may have. */
export const PASSKEYS_MAX = 20;
/** Longest name of a passkey in characters. */
export const PASSKEY_NAME_MAX = 60;
/** Seconds that a challenge is good: to find the device, and to try again. */
const CHALLENGE_LIFETIME = 900;
/** What the browser is told, in milliseconds. */
const TIMEOUT_MS = 300_000;

/** EdDSA, ES256 and RS256: what authenticators make. @see RFC 9053 §2, RFC 8812 §2 */
const ALGORITHMS = [-8, -7, -257];

/** Loaded when the first passkey is made or used: it takes a sixth of the memory of a server at rest. */
const webauthn = () => import("@simplewebauthn/server");

/** Why a passkey was not taken. `detail` is our library's sentence for the record. */
export type PasskeyFailure = {
  readonly ok: false;
  readonly why: "passkey-unknown" | "passkey-refused" | "passkey-counter";
  /** Whose it is, if it is known. */
  readonly person?: string;
  readonly detail?: string;
};

// --- Enrolling ------------------------------------------------------------------------------------------------------------

/**
 * What the browser needs to make a passkey.
 *
 * @param holder - Id of the session that asks: from no other is the answer taken.
 * @returns JSON for `navigator.credentials.create`.
 */
export async function registrationOptions(
  ports: FactorPorts,
  place: PasskeyPlace,
  holder: string,
  { person, organization, passkeys }: { person: Person; organization: string; passkeys: readonly Passkey[] },
): Promise<string> {
  const options = await (await webauthn()).generateRegistrationOptions({
    rpName: organization,
    rpID: place.rpId,
    userName: person.email,
    userDisplayName: person.name,
    userID: userHandle(person.id),
    challenge: await writeNote(ports, "passkey-registration", holder, CHALLENGE_LIFETIME),
    timeout: TIMEOUT_MS,
    attestationType: "none",
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: passkeys.map(({ id, transports }) => ({ id, transports })),
    authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
  });
  return JSON.stringify(options);
}

/**
 * Keeps a passkey that a browser has made.
 *
 * @param made - Whose it is to be, what they call it, and what `navigator.credentials.create` gave, as JSON.
 * @param beforeKeeping - Runs once it is known to be good: what rejects here keeps nothing.
 * @returns `exists` when the authenticator gave one that somebody has already.
 * @see WebAuthn L3 §7.1
 */
export async function keepPasskey(
  ports: FactorPorts,
  place: PasskeyPlace,
  holder: string,
  made: { readonly person: string; readonly name: string; readonly text: string },
  beforeKeeping: () => Promise<void>,
): Promise<
  { readonly ok: true } | { readonly ok: false; readonly why: "refused" | "exists"; readonly detail?: string }
> {
  const { person, name, text } = made;
  const response = parsed(registrationSchema, text);
  if (response === undefined) return { ok: false, why: "refused", detail: "malformed" };
  const verified = await verifiedRegistration(ports, place, holder, response);
  if ("detail" in verified) return { ok: false, why: "refused", detail: verified.detail };
  const { credential, credentialDeviceType } = verified;
  const key = hashed(credential.id);
  if ((await ports.store.factor("passkey", key)) !== undefined) return { ok: false, why: "exists" };
  await beforeKeeping();
  const content = {
    id: credential.id,
    publicKey: Buffer.from(credential.publicKey).toString("base64url"),
    transports: response.response.transports ?? [],
    deviceBound: credentialDeviceType === "singleDevice",
    name,
  };
  const named = { kind: "passkey", key, person, counter: credential.counter } as const;
  const kept = await keepFactor(ports, named, content);
  return kept === "added" ? { ok: true } : { ok: false, why: "exists" };
}

async function verifiedRegistration(
  ports: FactorPorts,
  place: PasskeyPlace,
  holder: string,
  response: z.infer<typeof registrationSchema>,
) {
  try {
    const { verified, registrationInfo } = await (await webauthn()).verifyRegistrationResponse({
      response,
      expectedChallenge: challengeOf(ports, "passkey-registration", holder),
      supportedAlgorithmIDs: ALGORITHMS,
      expectedOrigin: place.origin,
      expectedRPID: place.rpId,
      requireUserVerification: true,
    });
    return verified ? registrationInfo : { detail: "attestation" };
  } catch (error) {
    return { detail: sentenceOf(error) };
  }
}

// --- Signing in -----------------------------------------------------------------------------------------------------------

/**
 * What the browser needs to sign in with a passkey.
 *
 * @param holder - Id of the sign-in: in no other is the answer taken.
 * @param passkeys - Those of a person who is known already; without, the browser offers those that it knows, and the page
 *   says nothing of who has any.
 * @returns JSON for `navigator.credentials.get`.
 */
export async function signInOptions(
  ports: FactorPorts,
  place: PasskeyPlace,
  holder: string,
  passkeys: readonly Passkey[] = [],
): Promise<string> {
  const options = await (await webauthn()).generateAuthenticationOptions({
    rpID: place.rpId,
    allowCredentials: passkeys.map(({ id, transports }) => ({ id, transports })),
    challenge: await writeNote(ports, "passkey-sign-in", holder, CHALLENGE_LIFETIME),
    timeout: TIMEOUT_MS,
    userVerification: "required",
  });
  return JSON.stringify(options);
}

/**
 * Finds out whose passkey signed, and uses the challenge up.
 *
 * @param text - What `navigator.credentials.get` gave, as JSON.
 * @see WebAuthn L3 §7.2
 */
export async function checkPasskey(
  ports: FactorPorts,
  place: PasskeyPlace,
  holder: string,
  text: string,
): Promise<{ readonly ok: true; readonly passkey: Passkey } | PasskeyFailure> {
  const response = parsed(signInSchema, text);
  if (response === undefined) return { ok: false, why: "passkey-refused", detail: "malformed" };
  const factor = await ports.store.factor("passkey", hashed(response.id));
  if (factor === undefined) return { ok: false, why: "passkey-unknown" };
  const passkey = await openPasskey(ports, factor);
  const { person } = passkey;
  const { userHandle: handle } = response.response;
  // An authenticator that says whose it is, says it of the one to whom we gave it. (WebAuthn L3 §7.2 step 6)
  if (handle !== undefined && handle !== Buffer.from(userHandle(person)).toString("base64url")) {
    return { ok: false, why: "passkey-refused", person, detail: "user handle" };
  }
  try {
    const { verified, authenticationInfo } = await (await webauthn()).verifyAuthenticationResponse({
      response,
      expectedChallenge: challengeOf(ports, "passkey-sign-in", holder),
      expectedOrigin: place.origin,
      expectedRPID: place.rpId,
      requireUserVerification: true,
      // Its counter is compared below, in the store, where two uses at once can not both pass.
      credential: { id: passkey.id, publicKey: Buffer.from(passkey.publicKey, "base64url"), counter: 0 },
    });
    if (!verified) return { ok: false, why: "passkey-refused", person, detail: "signature" };
    // Whether it may be backed up is settled when it is made. (WebAuthn L3 §7.2 step 19)
    if ((authenticationInfo.credentialDeviceType === "singleDevice") !== passkey.deviceBound) {
      return { ok: false, why: "passkey-refused", person, detail: "backup eligibility" };
    }
    const used = await ports.store.useFactor("passkey", passkey.key, authenticationInfo.newCounter, ports.now());
    return used === "first" ? { ok: true, passkey } : { ok: false, why: "passkey-counter", person };
  } catch (error) {
    return { ok: false, why: "passkey-refused", person, detail: sentenceOf(error) };
  }
}

// --- What both share ------------------------------------------------------------------------------------------------------

/** Says nothing of the person, and is always the same. @see WebAuthn L3 §14.6.1 */
function userHandle(person: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash("sha256").update("credence user handle v1\0").update(person).digest());
}

/** Whether a challenge is one that we gave to this holder for this, and not used before. */
function challengeOf(ports: FactorPorts, purpose: NotePurpose, holder: string) {
  return async (challenge: string): Promise<boolean> => {
    const note = await readNote(ports, purpose, holder, Buffer.from(challenge, "base64url").toString("utf8"));
    if (note === undefined) return false;
    return (await ports.store.consume("passkey-challenge", hashed(challenge), note.expiresAt)) === "first";
  };
}

/** Characters of one member: more than any authenticator sends. */
const MEMBER_MAX = 12_000;
const base64url = z
  .string()
  .max(MEMBER_MAX)
  .regex(/^[\w-]*$/);
const credentialSchema = {
  id: base64url.min(1).max(1_400),
  rawId: base64url,
  type: z.literal("public-key"),
  clientExtensionResults: z.looseObject({}).transform(() => ({})),
};
const registrationSchema = z.object({
  ...credentialSchema,
  response: z.object({
    attestationObject: base64url,
    clientDataJSON: base64url,
    transports: z.array(z.string().max(40)).max(10).exactOptional(),
  }),
});
const signInSchema = z.object({
  ...credentialSchema,
  response: z.object({
    authenticatorData: base64url,
    clientDataJSON: base64url,
    signature: base64url,
    userHandle: base64url.exactOptional(),
  }),
});

function parsed<T extends z.ZodType>(schema: T, text: string): z.infer<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The library quotes what it did not expect; what a stranger sent is not for the record. */
function sentenceOf(error: unknown): string {
  return (error instanceof Error ? error.message : "unknown").replace(/"[^"]*"/g, "…");
}
