import { ok, parseScope, type Result, refuse } from "@credence/protocol";
import { type AuthorizationDetail, detailsNarrow } from "@credence/protocol/authorization-details";
import type { IdJagClaims } from "@credence/protocol/id-jag";
import type { JwtBearerRequest } from "@credence/protocol/jwt-bearer";
import type { AuthorizationDetailType, ResourceDefinition } from "../options.ts";
import type { Client } from "./client.ts";

/** Resource identifier to its definition. */
export type Resources = ReadonlyMap<string, ResourceDefinition>;

/** What may be granted before the account and local policy are looked at. */
export interface Offer {
  readonly resource: string;
  readonly scope: readonly string[];
  readonly authorizationDetails: readonly AuthorizationDetail[];
}

/**
 * Finds the resource and the scopes that an ID-JAG and a request allow together. The request narrows, and never adds.
 *
 * @param requireResource - Whether the ID-JAG must name the resource.
 * @returns the offer; refused: `resource-missing`, `resource-foreign`, `resources-several`, `scope-beyond-grant`,
 * `id-jag-claim`, `nothing-granted`, `authorization-details-…`.
 * @see ID-JAG draft §4.4.1, RFC 8707 §2.2
 */
export function offerOf(
  claims: IdJagClaims,
  request: Pick<JwtBearerRequest, "scope" | "resource" | "authorizationDetails">,
  client: Pick<Client, "scopes">,
  resources: Resources,
  requireResource: boolean,
): Result<Offer> {
  const resource = chooseResource(claims.resource, request.resource, resources, requireResource);
  if (!resource.ok) return resource;
  const definition = resources.get(resource.value);
  if (definition === undefined) return refuse("resource-foreign");
  const details = chooseDetails(claims.authorization_details, request.authorizationDetails, resource.value, definition);
  if (!details.ok) return details;
  const scope = chooseScope(claims, request.scope, definition, client);
  if (!scope.ok) return scope;
  // Whoever was granted details was granted those: none of them here, and no scope, is not a token for anything.
  if (claims.authorization_details !== undefined && details.value.length + scope.value.length === 0) {
    return refuse("nothing-granted", "the authorization details are for other places");
  }
  return ok({ resource: resource.value, scope: scope.value, authorizationDetails: details.value });
}

/**
 * The details of an ID-JAG, or those of them that the request names. Every one must be understood here: what is left out
 * would be neither granted nor refused.
 */
function chooseDetails(
  claimed: readonly AuthorizationDetail[] = [],
  asked: readonly AuthorizationDetail[] | undefined,
  resource: string,
  { authorizationDetailsTypes: types = {} }: ResourceDefinition,
): Result<readonly AuthorizationDetail[]> {
  for (const detail of [...claimed, ...(asked ?? [])]) {
    const type = Object.hasOwn(types, detail.type) ? types[detail.type] : undefined;
    if (type === undefined) return refuse("authorization-details-unknown");
    if (!isWellFormed(detail, type)) return refuse("authorization-details-malformed", "for its type");
  }
  if (asked !== undefined && !detailsNarrow(asked, claimed)) return refuse("authorization-details-differ");
  // RFC 9396 §3: details for other places are not this access token's.
  const here = (asked ?? claimed).filter(({ locations }) => isHere(locations, resource));
  return ok(here);
}

function isWellFormed(detail: AuthorizationDetail, { check }: AuthorizationDetailType): boolean {
  try {
    return check === undefined || check(detail) === true;
  } catch {
    return false;
  }
}

function isHere(locations: unknown, resource: string): boolean {
  return locations === undefined || (Array.isArray(locations) && locations.includes(resource));
}

function chooseResource(
  claimed: IdJagClaims["resource"],
  asked: readonly string[],
  resources: Resources,
  required: boolean,
): Result<string> {
  const named = claimed === undefined ? [] : [claimed].flat();
  // One that is foreign spoils the ID-JAG: it was made for another app too, or by mistake.
  if (named.some((one) => !resources.has(one))) return refuse("resource-foreign", "in the ID-JAG");
  if (named.length === 0 && (required || resources.size !== 1)) return refuse("resource-missing");
  const allowed = named.length === 0 ? [...resources.keys()] : named;
  if (asked.some((one) => !allowed.includes(one))) return refuse("resource-foreign", "in the request");
  const left = asked.length === 0 ? new Set(allowed) : new Set(asked);
  const [only] = left;
  // One access token, one audience: two resources in it would let either use it at the other.
  return only !== undefined && left.size === 1 ? ok(only) : refuse("resources-several");
}

function chooseScope(
  { scope: claimed, authorization_details: details }: IdJagClaims,
  asked: readonly string[] | undefined,
  definition: ResourceDefinition,
  client: Pick<Client, "scopes">,
): Result<readonly string[]> {
  // Who was granted details was granted those: no default scopes come beside them.
  const byDefault = details === undefined ? (definition.defaultScopes ?? []) : [];
  const parsed = claimed === undefined ? ok(byDefault) : parseScope(claimed);
  if (!parsed.ok) return refuse("id-jag-claim", "scope");
  const vouched = parsed.value;
  if (asked?.some((scope) => !vouched.includes(scope))) return refuse("scope-beyond-grant");
  const known = Object.keys(definition.scopes);
  const left = (asked ?? vouched).filter(
    (scope) => known.includes(scope) && (client.scopes === undefined || client.scopes.includes(scope)),
  );
  const needed = known.length > 0 && details === undefined;
  const scopeless = !needed && claimed === undefined && asked === undefined;
  return left.length > 0 || scopeless ? ok(left) : refuse("nothing-granted");
}
