import type { Permit } from "@credence/issuer";
import { type NamingSecrets, nameFor, ownIdAt, subjectFor } from "../directory/subject.ts";
import type { App, OptionalClaim, Person } from "../directory/types.ts";
import type { SignedInPerson } from "./subject.ts";

/** What naming somebody to an app needs. */
export interface NamingPorts {
  readonly secrets: NamingSecrets;
  /** The organization's tenant here, where the issuer is not its alone. */
  readonly tenant: string | undefined;
}

/**
 * How an ID-JAG names a person to an app, and what it tells of their sign-in: no more than the app is registered to need.
 *
 * @returns `sub` and the claims beside it; `undefined` where the app has no name for this person.
 * @see ID-JAG draft §3.1, §3.2.2, §6, §9.6
 */
export function namesFor(
  subject: Pick<SignedInPerson, "person" | "authTime" | "acr" | "amr">,
  app: App,
  { secrets, tenant }: NamingPorts,
): (Pick<Permit["app"], "sub"> & Pick<Permit, "claims">) | undefined {
  const { person, authTime, acr, amr } = subject;
  const sub = subjectFor(person, app, secrets);
  const subId = samlSubId(person, app, secrets);
  if (sub === undefined || subId === "unknown") return undefined;
  const told = (claim: OptionalClaim) => app.claims === undefined || app.claims.includes(claim);
  const audSub = app.subject === "own" ? undefined : ownIdAt(app, person.id);
  return {
    sub,
    claims: {
      ...(told("email") ? { email: person.email } : {}),
      ...(authTime !== undefined && told("auth_time") ? { auth_time: authTime } : {}),
      ...(acr !== undefined && told("acr") ? { acr } : {}),
      ...(amr !== undefined && told("amr") ? { amr } : {}),
      ...(audSub === undefined ? {} : { aud_sub: audSub }),
      ...(app.audTenant === undefined ? {} : { aud_tenant: app.audTenant }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(subId === undefined ? {} : { sub_id: subId }),
    },
  };
}

/** The NameID that single sign-on would carry, with exactly the attributes that it has. @see ID-JAG draft §3.2.2 */
function samlSubId(
  person: Person,
  app: App,
  secrets: NamingSecrets,
): Readonly<Record<string, string>> | "unknown" | undefined {
  const { samlNameId: configured } = app;
  if (configured === undefined) return undefined;
  const nameid = nameFor(configured.nameId, person, app, secrets);
  if (nameid === undefined) return "unknown";
  const { issuer, format, nameQualifier, spNameQualifier } = configured;
  return {
    format: "saml-nameid",
    issuer,
    nameid,
    ...(format === undefined ? {} : { nameid_format: format }),
    ...(nameQualifier === undefined ? {} : { name_qualifier: nameQualifier }),
    ...(spNameQualifier === undefined ? {} : { sp_name_qualifier: spNameQualifier }),
  };
}
