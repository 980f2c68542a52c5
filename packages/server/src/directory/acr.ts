/** How strongly somebody has signed in: the values of `acr`, and which of them is enough for which. */

/**
 * From the weakest to the strongest: a password; a password and a code; a passkey; a passkey that can not leave its device.
 * The last two are OpenID's names for phishing-resistant authentication.
 *
 * @see OpenID Connect Extended Authentication Profile ACR Values §2
 */
export const ACR_VALUES = ["urn:credence:acr:password", "urn:credence:acr:mfa", "phr", "phrh"] as const;

/** One of {@link ACR_VALUES}. */
export type Acr = (typeof ACR_VALUES)[number];

/** Whether a value is one that this IdP can give. */
export function isAcr(value: string): value is Acr {
  return strengthOf(value) >= 0;
}

/**
 * Whether a sign-in is strong enough.
 *
 * @param have - `acr` of the sign-in; a missing or unknown one satisfies nothing.
 * @param wanted - Any of these is enough; one that is unknown here is satisfied by nobody.
 * @see RFC 9470 §5
 */
export function acrSatisfies(have: string | undefined, wanted: readonly string[]): boolean {
  const strength = have === undefined ? -1 : strengthOf(have);
  return strength >= 0 && wanted.some((value) => isAcr(value) && strength >= strengthOf(value));
}

/** How strong a value is, from 0; -1 for one that is unknown. */
export function strengthOf(value: string): number {
  return (ACR_VALUES as readonly string[]).indexOf(value);
}

/** A way to authenticate, as one sign-in used it. */
export type AuthenticationMethod = "password" | "totp" | "passkey" | "device-bound-passkey";

/** `acr` of a sign-in that used these methods; `undefined` for none. */
export function acrOf(methods: readonly AuthenticationMethod[]): Acr | undefined {
  if (methods.includes("device-bound-passkey")) return "phrh";
  if (methods.includes("passkey")) return "phr";
  if (!methods.includes("password")) return undefined;
  return methods.includes("totp") ? "urn:credence:acr:mfa" : "urn:credence:acr:password";
}

/** `amr` of a sign-in that used these methods. @see RFC 8176 §2 */
export function amrOf(methods: readonly AuthenticationMethod[]): readonly string[] {
  const amr = new Set(methods.flatMap((method) => AMR[method]));
  if (methods.includes("password") && methods.includes("totp")) amr.add("mfa");
  return [...amr];
}

/** Which methods a sign-in used, by its `amr` as {@link amrOf} makes it. */
export function methodsOf(amr: readonly string[]): readonly AuthenticationMethod[] {
  const methods = ["password", "totp", "passkey", "device-bound-passkey"] as const;
  return methods.filter((method) => AMR[method].every((value) => amr.includes(value)));
}

// A passkey is something that one has and, user verification being required, something that one knows or is.
const AMR: Readonly<Record<AuthenticationMethod, readonly string[]>> = {
  password: ["pwd"],
  totp: ["otp"],
  passkey: ["swk", "user", "mfa"],
  "device-bound-passkey": ["hwk", "user", "mfa"],
};
