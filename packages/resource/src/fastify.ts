/** For Fastify 5. */
import type { FastifyInstance } from "fastify";
import type { AccessTokenClaims } from "./access-token/claims.ts";
import type { CertificateOptions } from "./certificate.ts";
import { accessOf as accessOfNode } from "./node/access.ts";
import { ownAnswer, refusalOf } from "./node/middleware.ts";
import type { NodeIncoming } from "./node/request.ts";
import type { ProtectOptions, ResourceServer } from "./server.ts";

export type { CertificateOptions } from "./certificate.ts";
export type { NodeIncoming } from "./node/request.ts";

/** As much of Fastify's request as is needed: whatever types a route has, it fits. */
export interface RequestLike {
  readonly raw: NodeIncoming;
}

/** As much of Fastify's reply as is needed. */
export interface ReplyLike {
  send(answer: Response): unknown;
}

/**
 * Answers the authorization server's endpoints and all metadata, before Fastify parses a body, and leaves every other
 * request alone.
 *
 * @returns a plugin for `app.register`; it covers the whole instance that it is registered on.
 */
export function authorizationServer(
  server: ResourceServer,
  options: CertificateOptions = {},
): (app: FastifyInstance) => Promise<void> {
  const plugin = async (app: FastifyInstance): Promise<void> => {
    app.addHook("onRequest", async ({ raw }, reply) => {
      const answer = await ownAnswer(server, raw, options);
      if (answer === undefined) return undefined;
      if (answer instanceof Response) return reply.send(answer);
      return reply.code(answer.status).headers(answer.headers).type("application/json").send(answer.body);
    });
  };
  // What Fastify calls a plugin that is not kept apart: the hook is the registering instance's own.
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true });
}

/**
 * Lets only requests with a good access token through; the handler behind it reads the claims with {@link accessOf}.
 * Everybody else gets 401 or 403, with the challenge.
 *
 * @returns a hook, for `onRequest` of a route or of an instance: before the body is read.
 * @throws CredenceError `configuration` for a resource that the server does not have.
 * @see RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1
 */
export function protect(
  server: ResourceServer,
  options: ProtectOptions & CertificateOptions = {},
): (request: RequestLike, reply: ReplyLike) => Promise<unknown> {
  server.resourceMetadataUrl(options.resource);
  return async ({ raw }, reply) => {
    const refusal = await refusalOf(server, raw, options);
    return refusal === undefined ? undefined : reply.send(refusal);
  };
}

/**
 * The claims of a request's access token.
 *
 * @throws CredenceError `configuration` when {@link protect} did not let the request through.
 */
export function accessOf({ raw }: RequestLike): AccessTokenClaims {
  return accessOfNode(raw);
}
