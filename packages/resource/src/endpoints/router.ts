import type { JwkSet } from "@credence/protocol/jws";
import { authorizationServerMetadataUrls, protectedResourceMetadataUrls } from "@credence/protocol/metadata";
import type { RequestContext } from "../context.ts";
import type { Recorder } from "../record.ts";
import type { Resources } from "../redeem/offer.ts";
import type { Receiver } from "../redeem/redeem.ts";
import type { Account } from "../redeem/subject.ts";
import { authorizePage } from "./authorize.ts";
import { introspectionEndpoint, revocationEndpoint, type TokenPorts } from "./introspection.ts";
import { authorizationServerDocument, endpointsOf, protectedResourceDocument } from "./metadata.ts";
import { tokenEndpoint } from "./token.ts";

type Endpoint = (request: Request, context: RequestContext) => Response | Promise<Response>;

/** Answers a request to one of our endpoints; `undefined` for any other. */
export type Router = (request: Request, context?: RequestContext) => Promise<Response | undefined>;

/**
 * Routes by path alone: behind a proxy, the host of a request is not the one that clients see.
 *
 * @param jwks - The public keys.
 */
export function router<A extends Account>(
  receiver: Receiver<A>,
  jwks: JwkSet,
  record: Recorder,
  tokens: TokenPorts,
): Router {
  const { issuer, resources } = receiver;
  const { token, jwks: jwksUri, authorize, introspection, revocation } = endpointsOf(issuer);
  const [metadata = ""] = authorizationServerMetadataUrls(issuer);
  const endpoints = new Map<string, Endpoint>([
    [pathOf(token), (request, context) => tokenEndpoint(request, receiver, record, context)],
    [pathOf(introspection), introspectionEndpoint(tokens)],
    [pathOf(revocation), revocationEndpoint(tokens)],
    [pathOf(jwksUri), documentEndpoint(jwks)],
    [pathOf(authorize), authorizePage],
    [pathOf(metadata), documentEndpoint(authorizationServerDocument(issuer, resources))],
  ]);
  const ofResources = resourceMetadataRouter(issuer, resources);
  return async (request, context = {}) =>
    endpoints.get(pathOf(request.url))?.(request, context) ?? ofResources(request, context);
}

/** Routes to the resources' metadata alone, where another program is the authorization server. */
export function resourceMetadataRouter(issuer: string, resources: Resources): Router {
  const endpoints = new Map<string, Endpoint>();
  for (const [resource, definition] of resources) {
    const url = resourceMetadataUrl(resource);
    endpoints.set(pathOf(url), documentEndpoint(protectedResourceDocument(issuer, resource, definition)));
  }
  return async (request, context = {}) => endpoints.get(pathOf(request.url))?.(request, context);
}

/** Where a resource's metadata is: path-inserted. @see RFC 9728 §3.1 */
export function resourceMetadataUrl(resource: string): string {
  const [url = ""] = protectedResourceMetadataUrls(resource);
  return url;
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname.startsWith("/.well-known/oauth-protected-resource") ? pathname + search : pathname;
}

const CORS = { "access-control-allow-origin": "*" };

/** A public document: the same for everybody, readable from any origin. */
function documentEndpoint(document: object): Endpoint {
  return ({ method }) => {
    if (method === "GET" || method === "HEAD") {
      return Response.json(document, { headers: { ...CORS, "cache-control": "public, max-age=300" } });
    }
    const allow = "GET, HEAD, OPTIONS";
    return method === "OPTIONS"
      ? new Response(null, {
          status: 204,
          headers: { ...CORS, "access-control-allow-methods": allow, "access-control-allow-headers": "*" },
        })
      : new Response(null, { status: 405, headers: { allow } });
  };
}
