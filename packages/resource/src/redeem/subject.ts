import { ok, type Result, refuse } from "@credence/protocol";
import type { IdJagClaims } from "@credence/protocol/id-jag";
import type { Customer, Trust } from "./customers.ts";
import { type SamlNameId, samlNameIdOf } from "./sub-id.ts";

/** A local account. */
export interface Account {
  /** Stable, never reassigned: `sub` of the access tokens. */
  readonly id: string;
  /** Id of the customer that it belongs to. Where it is given, no other customer's IdP opens the account. */
  readonly customer?: string;
}

/** What names a person: an IdP, its tenant, and the `sub` there, within a customer. */
export interface SubjectKey {
  readonly customer: string;
  readonly iss: string;
  readonly tenant: string | undefined;
  readonly sub: string;
}

/** What may help at first sight, and never again. */
export interface SubjectHints {
  /** Present only when its domain is one of the customer's. Addresses are reassigned: never a key. */
  readonly email?: string;
  /** The account as the IdP knows it from this app (`aud_sub`). Look among this customer's accounts only. */
  readonly audSub?: string;
  /** The person's NameID at a SAML IdP that is configured for this issuer. */
  readonly samlNameId?: SamlNameId;
}

/** The app's accounts. */
export interface AccountPorts<A extends Account = Account> {
  /** Finds the account that is linked to the person. */
  readonly resolveSubject: (subject: SubjectKey) => Promise<A | undefined> | A | undefined;
  /**
   * At first sight: finds an existing account by a hint, keeps the link for `resolveSubject`, and returns the account.
   * An account that is linked to another person already must not be returned.
   */
  readonly linkSubject?: (subject: SubjectKey & SubjectHints) => Promise<A | undefined> | A | undefined;
  /**
   * Makes an account for a person who has none, where the issuer has `jit`. Called at the same time for one person, it
   * must make one account (an upsert by the subject's key).
   */
  readonly provision?: (subject: SubjectKey & SubjectHints) => Promise<A> | A;
}

/**
 * Finds the local account of an ID-JAG's person, or makes it.
 *
 * @returns the account; refused `subject-unresolved`, `id-jag-sub-id`. Rejects when a port does.
 * @see ID-JAG draft §4.4.1
 */
export async function resolveAccount<A extends Account>(
  claims: IdJagClaims,
  { customer, issuer }: Trust,
  ports: AccountPorts<A>,
): Promise<Result<A>> {
  const subject = { customer: customer.id, iss: claims.iss, tenant: claims.tenant, sub: claims.sub };
  const samlNameId = samlNameIdOf(claims, issuer);
  if (!samlNameId.ok) return samlNameId;
  const named = samlNameId.value === undefined ? {} : { samlNameId: samlNameId.value };
  const known = await ports.resolveSubject(subject);
  const seen = { ...subject, ...hintsOf(claims, customer), ...named };
  const account = known ?? (await atFirstSight(seen, issuer.jit ?? false, ports));
  if (account === undefined) return refuse("subject-unresolved");
  // A hint that an app looks up too widely must not open another customer's account.
  if (account.customer !== undefined && account.customer !== customer.id) {
    return refuse("subject-unresolved", "the account belongs to another customer");
  }
  return ok(account);
}

async function atFirstSight<A extends Account>(
  subject: SubjectKey & SubjectHints,
  jit: boolean,
  ports: AccountPorts<A>,
): Promise<A | undefined> {
  const hinted = [subject.email, subject.audSub, subject.samlNameId].some((hint) => hint !== undefined);
  const linked = hinted ? await ports.linkSubject?.(subject) : undefined;
  return linked ?? (jit ? await ports.provision?.(subject) : undefined);
}

function hintsOf({ email, aud_sub }: IdJagClaims, customer: Pick<Customer, "domains">): SubjectHints {
  const owned = email !== undefined && isInDomains(email, customer.domains ?? []);
  return { ...(owned ? { email } : {}), ...(aud_sub === undefined ? {} : { audSub: aud_sub }) };
}

/** Whether an address lies in one of the domains: exactly, not in a subdomain, and with one `@` only. */
function isInDomains(email: string, domains: readonly string[]): boolean {
  const [local, domain, ...rest] = email.split("@");
  if (!local || !domain || rest.length > 0) return false;
  return domains.some((known) => known.toLowerCase() === domain.toLowerCase());
}
