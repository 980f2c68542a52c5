import { type AuthenticationMethod, acrOf, acrSatisfies } from "../directory/acr.ts";

/** What somebody can sign in with. */
export interface Means {
  readonly totp: boolean;
  readonly passkey: boolean;
  /** Whether one of the passkeys can not leave its device. */
  readonly deviceBoundPasskey: boolean;
}

/** What comes next in a sign-in; `impossible` when nothing that the person has would be enough. */
export type NextStep = "first" | "code" | "passkey" | "impossible" | "done";

/**
 * What comes after these methods.
 *
 * A person who has set up an authenticator app is asked for its code after every password; a passkey is enough alone. Beyond
 * that, whoever asked for the sign-in may want it stronger.
 *
 * @param done - The methods that were used, each of them fresh enough.
 * @param wanted - `acr_values` of the request: any of them is enough; `undefined` when it names none.
 * @see RFC 9470 §5
 */
export function nextStep(
  done: readonly AuthenticationMethod[],
  has: Means,
  wanted: readonly string[] | undefined,
): NextStep {
  const enough = (methods: readonly AuthenticationMethod[]) => {
    const acr = acrOf(methods);
    return acr !== undefined && (wanted === undefined || acrSatisfies(acr, wanted));
  };
  const passkeys: AuthenticationMethod[] = [
    ...(has.passkey ? ["passkey" as const] : []),
    ...(has.deviceBoundPasskey ? ["device-bound-passkey" as const] : []),
  ];
  const byPasskey = passkeys.some((passkey) => enough([...done, passkey]));
  const usedPasskey = done.some((method) => method.endsWith("passkey"));
  if (acrOf(done) === undefined) return "first";
  if (usedPasskey || done.includes("totp") || !has.totp) {
    if (enough(done)) return "done";
    return byPasskey ? "passkey" : "impossible";
  }
  // The passkey makes the code unnecessary, where only the passkey is enough.
  if (!enough([...done, "totp"])) return byPasskey ? "passkey" : "impossible";
  return "code";
}
