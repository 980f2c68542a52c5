import { randomBytes } from "node:crypto";
import type { Provider } from "oidc-provider";
import { acrSatisfies } from "../../directory/acr.ts";
import type { Person } from "../../directory/types.ts";
import { ACCOUNT_CLIENT_ID, accountRedirectUri } from "../clients.ts";
import { type FactorPorts, type Factors, factorsOf } from "../factors/factors.ts";
import type { PasskeyPlace } from "../factors/passkeys.ts";
import { readNote, writeNote } from "../notes.ts";
import { PATHS, urlBelow } from "../paths.ts";
import type { Ctx } from "./answers.ts";

/** Seconds since signing in within which somebody may change how they sign in. */
const FRESH = 300;
/** Seconds that a form of the account's page is good. */
const FORM_LIFETIME = 3_600;

/** What the account's pages need to know who is there. */
export interface AccountSessionPorts {
  readonly issuer: string;
  /** Another one after each change of the keys. */
  readonly provider: () => Provider;
  readonly factors: FactorPorts;
  readonly people: { person(id: string): Promise<Person | undefined> };
  readonly place: PasskeyPlace | undefined;
}

/** Who is signed in in this browser. */
export interface SignedIn {
  readonly person: Person;
  readonly factors: Factors;
  /** The session's uid. */
  readonly uid: string;
  /** Whether they signed in a moment ago, as strongly as they can. */
  readonly fresh: boolean;
  /** What a sign-in must be like for that. */
  readonly strongest: string;
}

/** Reads the session that this browser has at the IdP: the one that agents' sign-ins make, and that its cookie names. */
export async function signedIn(ports: AccountSessionPorts, c: Ctx): Promise<SignedIn | undefined> {
  const { factors: factorPorts } = ports;
  const provider = ports.provider();
  const session = await provider.Session.get(provider.createContext(c.env.incoming, c.env.outgoing));
  const { accountId, loginTs, acr, uid } = session;
  const person = accountId === undefined ? undefined : await ports.people.person(accountId);
  if (person === undefined || !person.enabled || loginTs === undefined) return undefined;
  const factors = await factorsOf(factorPorts, person.id);
  const strongest = strongestOf(factors, ports.place);
  const fresh = factorPorts.now() - loginTs <= FRESH && acrSatisfies(acr, [strongest]);
  return { person, factors, uid, fresh, strongest };
}

/** The strongest way in which somebody can sign in: nothing weaker may change it. */
function strongestOf({ passkeys, totp }: Factors, place: PasskeyPlace | undefined): string {
  if (place !== undefined && passkeys.length > 0) return "phr";
  return totp === undefined ? "urn:credence:acr:password" : "urn:credence:acr:mfa";
}

/** Where the account's page goes on after a sign-in. It chooses among pages that anybody may ask for. */
export type AccountTarget = "account" | "again" | "passkey" | "authenticator";

/**
 * Where to send somebody to sign in for the account's pages.
 *
 * @param strength - `acr` to be had a moment ago; without it any sign-in will do, that of the session, too.
 */
export function signInUrl(issuer: string, target: AccountTarget, strength?: string): string {
  const parameters = {
    client_id: ACCOUNT_CLIENT_ID,
    response_type: "code",
    redirect_uri: accountRedirectUri(issuer),
    scope: "openid",
    state: target,
    // Of a verifier that nobody knows: the code is never redeemed.
    code_challenge: randomBytes(32).toString("base64url"),
    code_challenge_method: "S256",
    ...(strength === undefined ? {} : { max_age: String(FRESH), acr_values: strength }),
  };
  return urlBelow(issuer, `${PATHS.authorize}?${new URLSearchParams(parameters)}`);
}

/** Makes what a form must bring back: without the session it was made for, it is worth nothing. */
export function formToken({ factors }: Pick<AccountSessionPorts, "factors">, { uid }: SignedIn): Promise<string> {
  return writeNote(factors, "form", uid, FORM_LIFETIME);
}

/** Whether a form brought it back. */
export async function isOwnForm(
  { factors }: Pick<AccountSessionPorts, "factors">,
  { uid }: SignedIn,
  form: URLSearchParams,
): Promise<boolean> {
  return (await readNote(factors, "form", uid, form.get("token") ?? "")) !== undefined;
}
