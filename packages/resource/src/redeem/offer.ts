import { ok, parseScope, type Result, refuse } from "@credence/protocol";
import type { IdJagClaims } from "@credence/protocol/id-jag";
import type { JwtBearerRequest } from "@credence/protocol/jwt-bearer";
import type { ResourceDefinition } from "../options.ts";
import type { Client } from "./client.ts";

/** Resource identifier to its definition. */
export type Resources = ReadonlyMap<string, ResourceDefinition>;

/** What may be granted before the account and local policy are looked at. */
export interface Offer {
  readonly resource: string;
  readonly scope: readonly string[];
}

/**
 * Finds the resource and the scopes that an ID-JAG and a request allow together. The request narrows, and never adds.
 *
 * @param requireResource - Whether the ID-JAG must name the resource.
 * @returns the offer; refused: `resource-missing`, `resource-foreign`, `resources-several`, `scope-beyond-grant`,
 * `id-jag-claim`, `nothing-granted`.
 * @see ID-JAG draft §4.4.1, RFC 8707 §2.2
 */
export function offerOf(
  claims: IdJagClaims,
  request: Pick<JwtBearerRequest, "scope" | "resource">,
  client: Pick<Client, "scopes">,
  resources: Resources,
  requireResource: boolean,
): Result<Offer> {
  const resource = chooseResource(claims.resource, request.resource, resources, requireResource);
  if (!resource.ok) return resource;
  const definition = resources.get(resource.value);
  if (definition === undefined) return refuse("resource-foreign");
  const scope = chooseScope(claims.scope, request.scope, definition, client);
  return scope.ok ? ok({ resource: resource.value, scope: scope.value }) : scope;
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
  claimed: string | undefined,
  asked: readonly string[] | undefined,
  definition: ResourceDefinition,
  client: Pick<Client, "scopes">,
): Result<readonly string[]> {
  const parsed = claimed === undefined ? ok(definition.defaultScopes ?? []) : parseScope(claimed);
  if (!parsed.ok) return refuse("id-jag-claim", "scope");
  const vouched = parsed.value;
  if (asked?.some((scope) => !vouched.includes(scope))) return refuse("scope-beyond-grant");
  const known = Object.keys(definition.scopes);
  const left = (asked ?? vouched).filter(
    (scope) => known.includes(scope) && (client.scopes === undefined || client.scopes.includes(scope)),
  );
  const scopeless = known.length === 0 && claimed === undefined && asked === undefined;
  return left.length > 0 || scopeless ? ok(left) : refuse("nothing-granted");
}
