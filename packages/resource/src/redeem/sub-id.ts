import { asObject, ok, type Result, refuse } from "@credence/protocol";
import type { IdJagClaims } from "@credence/protocol/id-jag";
import type { TrustedIssuer } from "./customers.ts";

/** A person's name at a SAML IdP. Compare every member that accounts are kept by, never `nameid` alone. @see ID-JAG draft §3.2.2 */
export interface SamlNameId {
  /** Entity id of the SAML IdP: one that is configured for the ID-JAG's issuer. */
  readonly issuer: string;
  readonly nameid: string;
  readonly nameid_format?: string;
  readonly name_qualifier?: string;
  readonly sp_name_qualifier?: string;
  readonly sp_provided_id?: string;
}

const OPTIONAL = ["nameid_format", "name_qualifier", "sp_name_qualifier", "sp_provided_id"] as const;
const MAX_STRING = 2_048;

/**
 * Reads the SAML NameID of an ID-JAG that was validated by its own claims. A SAML issuer establishes no trust: it counts
 * only where it is configured for this ID-JAG's issuer.
 *
 * @returns the NameID; `undefined` where none counts and none is needed; refused: `id-jag-sub-id`.
 * @see ID-JAG draft §3.2.2, §9.5
 */
export function samlNameIdOf(
  { sub_id: subId }: Pick<IdJagClaims, "sub_id">,
  { saml }: Pick<TrustedIssuer, "saml">,
): Result<SamlNameId | undefined> {
  const required = saml?.required ?? false;
  const missing = required ? refuse("id-jag-sub-id", "missing") : ok(undefined);
  if (subId === undefined || subId.format !== "saml-nameid") return missing;
  const nameId = parse(subId);
  if (nameId === undefined) return refuse("id-jag-sub-id", "malformed");
  if (saml === undefined || nameId.issuer !== saml.issuer)
    return required ? refuse("id-jag-sub-id", "issuer") : ok(undefined);
  return ok(nameId);
}

function parse(subId: Readonly<Record<string, unknown>>): SamlNameId | undefined {
  const { issuer, nameid } = asObject(subId) ?? {};
  if (!isText(issuer) || !isText(nameid)) return undefined;
  if (OPTIONAL.some((name) => subId[name] !== undefined && !isText(subId[name]))) return undefined;
  const present = OPTIONAL.flatMap((name) => (isText(subId[name]) ? [[name, subId[name]] as const] : []));
  return { issuer, nameid, ...Object.fromEntries(present) };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_STRING;
}
