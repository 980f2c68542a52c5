import { CredenceError } from "@credence/protocol";
import type { JwkSet, JwsAlgorithm } from "@credence/protocol/jws";

/** An IdP whose ID-JAGs are accepted, for one customer. */
export interface TrustedIssuer {
  /** Issuer identifier, compared letter by letter. */
  readonly issuer: string;
  /** The `tenant` claim that goes with it; an ID-JAG with a tenant never matches an issuer without one. */
  readonly tenant?: string;
  /** The issuer's keys themselves, in place of fetching them. */
  readonly jwks?: JwkSet;
  /** Where the issuer's keys are; by default as the issuer's metadata says. */
  readonly jwksUri?: string;
  /** Algorithms that it signs with: ES256, ES384, RS256, PS256 and EdDSA by default. */
  readonly algorithms?: readonly JwsAlgorithm[];
  /** Whether one ID-JAG may be redeemed once (the default), or again until it expires, as the draft allows. */
  readonly replay?: "single-use" | "resubmit";
  /** Allowed difference of clocks in seconds; 30 by default. */
  readonly skew?: number;
  /** Longest lifetime of an ID-JAG in seconds; 3,600 by default. */
  readonly maxLifetime?: number;
  /** A SAML IdP of the same organization, by whose NameIDs the app knows people. @see ID-JAG draft §3.2.2 */
  readonly saml?: {
    /** Its entity id, compared letter by letter. */
    readonly issuer: string;
    /** Whether an ID-JAG without a NameID of it is refused; `false` by default. */
    readonly required?: boolean;
  };
  /** Whether accounts may be made on the fly (`provision`); `false` by default. */
  readonly jit?: boolean;
}

/** An organization that uses this app, and the IdPs that speak for it. */
export interface Customer {
  readonly id: string;
  readonly issuers: readonly TrustedIssuer[];
  /** Its name as a tenant of this server: what an ID-JAG's `aud_tenant` must say when it says anything. */
  readonly audTenant?: string;
  /** Domains that are verified for it: only addresses in them may link a person to an account. */
  readonly domains?: readonly string[];
}

/** What an ID-JAG's issuer selects. */
export interface Trust {
  readonly customer: Omit<Customer, "issuers">;
  readonly issuer: TrustedIssuer;
}

/** The customers: a list, or a look-up by what alone selects one. */
export type Customers = readonly Customer[] | ((iss: string, tenant: string | undefined) => Promise<Trust | undefined>);

/** Finds the customer and issuer that `iss` and `tenant` select; nothing else takes part. */
export type FindTrust = (iss: string, tenant: string | undefined) => Promise<Trust | undefined>;

/**
 * Makes the look-up of trust.
 *
 * @returns a function that compares letter by letter, whatever the app's own look-up does.
 * @see ID-JAG draft §4.4.1, §6
 */
export function trustFinder(customers: Customers): FindTrust {
  const find = typeof customers === "function" ? customers : listFinder(customers);
  return async (iss, tenant) => {
    const trust = await find(iss, tenant);
    const selected = trust?.issuer.issuer === iss && trust.issuer.tenant === tenant ? trust : undefined;
    const odd = selected && oddLimit(selected.issuer);
    if (odd === undefined) return selected;
    throw new CredenceError(`${odd} of a trusted issuer is not a number of seconds`, { code: "configuration" });
  };
}

/** A limit that is no number would hold for nothing. */
export function oddLimit({ skew = 0, maxLifetime = 0 }: TrustedIssuer): "skew" | "maxLifetime" | undefined {
  const isSeconds = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value >= 0;
  if (!isSeconds(skew)) return "skew";
  return isSeconds(maxLifetime) ? undefined : "maxLifetime";
}

function listFinder(customers: readonly Customer[]): FindTrust {
  const trusts = new Map<string, Trust>();
  for (const customer of customers) {
    for (const issuer of customer.issuers) trusts.set(trustKey(issuer.issuer, issuer.tenant), { customer, issuer });
  }
  return async (iss, tenant) => trusts.get(trustKey(iss, tenant));
}

/** One string for an issuer with its tenant. */
export function trustKey(iss: string, tenant: string | undefined): string {
  return JSON.stringify([iss, tenant ?? null]);
}
