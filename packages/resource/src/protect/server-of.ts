import { CredenceError } from "@credence/protocol";
import { type Router, resourceMetadataUrl } from "../endpoints/router.ts";
import type { Resources } from "../redeem/offer.ts";
import type { Revocation } from "../revocation.ts";
import type { ProtectOptions, ResourceServer, TokenEndpoint } from "../server.ts";
import type { TokenChecker } from "./check.ts";
import { authorize, type Guard, protect } from "./protect.ts";

/** What an authorization server has, whoever issues its tokens. */
export interface ServerParts {
  readonly issuer: string;
  readonly resources: Resources;
  readonly route: Router;
  readonly tokenEndpoint?: TokenEndpoint;
  readonly check: TokenChecker;
  revoke(what: Revocation): Promise<void>;
}

/** Puts the checks of resources together with what answers, and what revokes. */
export function serverOf({
  issuer,
  resources: definitions,
  route,
  check,
  revoke,
  tokenEndpoint,
}: ServerParts): ResourceServer {
  const resources = [...definitions.keys()];
  const chosen = (resource: string | undefined): string => {
    const [only] = resources;
    const one = resource ?? (resources.length === 1 ? only : undefined);
    if (one !== undefined && definitions.has(one)) return one;
    const given = resource === undefined ? "none was named" : `not ${resource}`;
    throw new CredenceError(`Name one of the server's resources: ${resources.join(", ")} (${given})`, {
      code: "configuration",
    });
  };
  const guard = ({ resource, scopes = [], maxAge, acrValues }: ProtectOptions): Guard => {
    const one = chosen(resource);
    const requireBound = definitions.get(one)?.requireBound ?? false;
    return {
      metadataUrl: resourceMetadataUrl(one),
      scopes,
      requireBound,
      check: (presented) => check(presented, { resource: one, scopes, requireBound, maxAge, acrValues }),
    };
  };
  return {
    issuer,
    resources,
    fetch: async (request, context) => (await route(request, context)) ?? new Response(null, { status: 404 }),
    tryFetch: route,
    protect: (wanted, handler) => protect(guard(wanted), handler),
    authorize: (request, wanted = {}, context = {}) => authorize(request, guard(wanted), context),
    check: (token, wanted = {}, presented = {}) => guard(wanted).check({ ...presented, token }),
    revoke,
    ...(tokenEndpoint === undefined ? {} : { tokenEndpoint }),
    resourceMetadataUrl: (resource) => resourceMetadataUrl(chosen(resource)),
  };
}
