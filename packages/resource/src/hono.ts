/** For Hono, on any runtime. */
import type { Context, MiddlewareHandler } from "hono";
import type { AccessTokenClaims } from "./access-token/claims.ts";
import { bodyWasRead, goneBody } from "./body.ts";
import { type CertificateOptions, certificateOfProxy } from "./certificate.ts";
import type { RequestContext } from "./context.ts";
import type { ProtectOptions, ResourceServer } from "./server.ts";

/** What {@link protect} leaves for the handlers behind it: `c.get("access")`. */
export interface AccessEnv {
  Variables: {
    /** The claims of the access token. */
    access: AccessTokenClaims;
  };
}

/** Where the client's certificate is to be had. */
export interface HonoOptions extends CertificateOptions {
  /**
   * Finds the certificate in DER, where the runtime knows it; on Node, with `@hono/node-server`:
   * `(c) => socketCertificate(c.env.incoming)`, of `@credence/resource/node`.
   */
  readonly certificate?: (c: Context) => Uint8Array | undefined;
}

/**
 * Answers the authorization server's endpoints and all metadata, and hands every other request on. It must stand before
 * middleware that reads bodies.
 *
 * @returns middleware for `app.use`. It throws CredenceError `configuration` when the body of a request that is its own
 * was read already.
 */
export function authorizationServer(server: ResourceServer, options: HonoOptions = {}): MiddlewareHandler {
  return async (c, next) => {
    const gone = goneBody();
    const { raw } = c.req;
    const request = raw.bodyUsed ? withBody(raw, gone.body) : raw;
    const answer = await server.tryFetch(request, contextOf(c, options));
    if (gone.wasWanted()) throw bodyWasRead();
    return answer ?? next();
  };
}

/**
 * Lets only requests with a good access token through; the handlers behind it find the claims in `c.get("access")`.
 * Everybody else gets 401 or 403, with the challenge.
 *
 * @returns middleware.
 * @throws CredenceError `configuration` for a resource that the server does not have.
 * @see RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1
 */
export function protect(
  server: ResourceServer,
  options: ProtectOptions & HonoOptions = {},
): MiddlewareHandler<AccessEnv> {
  server.resourceMetadataUrl(options.resource);
  return async (c, next) => {
    const access = await server.authorize(c.req.raw, options, contextOf(c, options));
    if (access instanceof Response) return access;
    c.set("access", access);
    return next();
  };
}

function contextOf(c: Context, options: HonoOptions): RequestContext {
  const certificate = options.clientCertHeader
    ? certificateOfProxy(c.req.header("client-cert") ?? null)
    : options.certificate?.(c);
  return certificate === undefined ? {} : { certificate };
}

function withBody({ url, method, headers }: Request, body: ReadableStream<Uint8Array>): Request {
  // A member that every runtime demands and that the DOM's types do not have yet. @see Fetch §5.4
  const half = { duplex: "half" };
  return new Request(url, { method, headers, body, ...half });
}
