import { ok, type Result, refuse } from "@credence/protocol";
import { type Confirmation, sameConfirmation } from "@credence/protocol/dpop";
import { type DecodedJws, decodeJws, isJwsAlgorithm, singleAudience } from "@credence/protocol/jws";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import type { Account, Client, FindAccount, KoaContextWithOIDC, Provider, Session } from "oidc-provider";
import type { SubjectRequest } from "../ports.ts";
import { sessionOf } from "./sessions.ts";

/** Whom a subject token stands for, and how they signed in. */
export interface SignedInAccount {
  readonly account: Account;
  /** Seconds since the epoch. */
  readonly authTime?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
}

/** What the check of subject tokens needs. */
export interface SubjectPorts {
  readonly provider: Provider;
  /** As in the provider's own configuration. */
  readonly findAccount: FindAccount;
}

/**
 * Verifies a subject token that oidc-provider issued: an ID token whose session lives, or a refresh token by all checks of a
 * refresh.
 *
 * @param ctx - Of the request; `findAccount` is given it.
 * @returns whom it stands for; refused: `subject-token-…`, `sign-in-over`, `person-unknown`. Rejects when the provider's
 * adapter does.
 * @see ID-JAG draft §4.3.3
 */
export async function verifyProviderSubject(
  request: SubjectRequest<Client>,
  ctx: KoaContextWithOIDC,
  ports: SubjectPorts,
): Promise<Result<SignedInAccount>> {
  if (request.type === TOKEN_TYPES.idToken) return verifyIdToken(request, ctx, ports);
  if (request.type === TOKEN_TYPES.refreshToken) return verifyRefreshToken(request, ctx, ports);
  return refuse("subject-token-type-unsupported");
}

/** @see OpenID Connect Core §3.1.3.7 */
async function verifyIdToken(
  { token, client, now }: SubjectRequest<Client>,
  ctx: KoaContextWithOIDC,
  { provider, findAccount }: SubjectPorts,
): Promise<Result<SignedInAccount>> {
  const jws = decodeJws(token);
  if (jws === undefined) return refuse("subject-token-malformed");
  const form = checkHeader(jws);
  if (!form.ok) return form;
  // Each before the signature, so that the record says which it was.
  const { iss, aud, exp, sub, sid } = jws.payload;
  if (iss !== provider.issuer) return refuse("subject-token-issuer");
  if (singleAudience(aud) !== client.clientId) return refuse("subject-token-audience");
  const signed = await provider.IdToken.validate(token, client).then(
    () => true,
    () => false,
  );
  if (!signed) return refuse("subject-token-signature");
  if (typeof exp !== "number" || typeof sub !== "string") return refuse("subject-token-malformed", "exp or sub");
  if (exp <= now) return refuse("subject-token-expired");
  // Without a session to ask, nobody can say that the sign-in is alive.
  if (typeof sid !== "string") return refuse("sign-in-over", "no sid");
  const session = await sessionOf(provider, sid, client.clientId, now);
  if (session?.accountId === undefined) return refuse("sign-in-over");
  // A pairwise `sub` names the person to that client alone; its `sid` does the same.
  if (client.subjectType !== "pairwise" && session.accountId !== sub)
    return refuse("sign-in-over", "another's session");
  const account = await findAccount(ctx, session.accountId);
  return account === undefined ? refuse("person-unknown") : ok({ account, ...signInOf(jws.payload, session) });
}

/**
 * ID tokens say `JWT` or nothing; access tokens and ID-JAGs, signed with the same keys, say what they are. A MAC is made with
 * the client's own secret, so that the client could make any.
 * @see RFC 8725 §3.11, §3.1
 */
function checkHeader({ header }: DecodedJws): Result<true> {
  if (header.typ !== undefined && header.typ.toUpperCase() !== "JWT") return refuse("subject-token-type-wrong");
  return isJwsAlgorithm(header.alg) ? ok(true) : refuse("subject-token-key", "algorithm");
}

/** As the ID token says, and where oidc-provider left it out, as the session does. */
function signInOf(
  { auth_time: authTime, acr, amr }: DecodedJws["payload"],
  session: Session,
): Omit<SignedInAccount, "account"> {
  return known({
    authTime: typeof authTime === "number" ? authTime : session.loginTs,
    acr: typeof acr === "string" ? acr : session.acr,
    amr: Array.isArray(amr) ? amr.filter((method) => typeof method === "string") : session.amr,
  });
}

/** Characters of a refresh token at the most. */
const MAX_REFRESH_TOKEN = 512;
/** What a person has agreed to when an agent may act without them. @see ID-JAG draft §4.3.3 */
const NEEDED_SCOPES = ["openid", "offline_access"];

/** All that a refresh would look at; the token is left as it is, for the refresh grant to use up. @see RFC 6749 §6 */
async function verifyRefreshToken(
  { token, client, binding }: SubjectRequest<Client>,
  ctx: KoaContextWithOIDC,
  { provider, findAccount }: SubjectPorts,
): Promise<Result<SignedInAccount>> {
  if (token.length > MAX_REFRESH_TOKEN) return refuse("subject-token-malformed", "too long");
  const found = await provider.RefreshToken.find(token);
  // `find` gives used ones too: to punish their use is for the refresh grant, and here they are worth nothing.
  if (found === undefined || !found.isValid) return refuse("sign-in-over", "refresh token");
  if (found.clientId !== client.clientId) return refuse("subject-token-audience", "refresh token");
  const { jkt, "x5t#S256": certificate, accountId, grantId, scope = "" } = found;
  const bound = confirmationOf(jkt, certificate);
  if (bound !== undefined && !(binding !== undefined && sameConfirmation(bound, binding))) {
    return refuse("subject-token-binding");
  }
  // Only oidc-provider's own refresh can check that one.
  if (Reflect.get(found, "attestationJkt") !== undefined) return refuse("subject-token-binding", "attestation");
  const grant = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  if (grant === undefined || grant.clientId !== client.clientId || grant.accountId !== accountId) {
    return refuse("sign-in-over", "grant");
  }
  if (!NEEDED_SCOPES.every((one) => scope.split(" ").includes(one))) return refuse("subject-token-scope");
  const account = await findAccount(ctx, accountId, found);
  if (account === undefined) return refuse("person-unknown");
  return ok({ account, ...known({ authTime: found.authTime, acr: found.acr, amr: found.amr }) });
}

function confirmationOf(jkt: string | undefined, certificate: string | undefined): Confirmation | undefined {
  if (jkt !== undefined) return { jkt };
  return certificate === undefined ? undefined : { "x5t#S256": certificate };
}

function known(signIn: {
  readonly authTime: number | undefined;
  readonly acr: string | undefined;
  readonly amr: readonly string[] | undefined;
}): Omit<SignedInAccount, "account"> {
  const { authTime, acr, amr } = signIn;
  return {
    ...(authTime === undefined ? {} : { authTime }),
    ...(acr === undefined ? {} : { acr }),
    ...(amr === undefined ? {} : { amr }),
  };
}
