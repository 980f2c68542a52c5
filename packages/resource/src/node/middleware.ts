/** The middleware of everything that calls `(req, res, next)`: Express, Connect, and `node:http` itself. */
import { isFormContentType } from "@credence/protocol";
import { bodyWasRead } from "../body.ts";
import type { CertificateOptions } from "../certificate.ts";
import type { Answer } from "../endpoints/answer.ts";
import type { RedemptionRequest } from "../redeem/redeem.ts";
import type { ProtectOptions, ResourceServer } from "../server.ts";
import { admit } from "./access.ts";
import { readNodeForm } from "./body.ts";
import {
  certificateOf,
  headerOf,
  isUnread,
  isWebMethod,
  methodOf,
  type NodeIncoming,
  type NodeOutgoing,
  nodeRequest,
  sendAnswer,
  targetOf,
} from "./request.ts";

/** Hands a request on, or an error to whoever handles errors. */
export type Next = (error?: unknown) => void;

/**
 * What the authorization server answers to a request of Node.
 *
 * @returns `undefined` for a request that is not its own. Rejects with CredenceError `configuration` when a body parser has
 * read the body of one that is.
 */
export async function ownAnswer(
  server: ResourceServer,
  req: NodeIncoming,
  options: CertificateOptions,
): Promise<Answer | Response | undefined> {
  const { tokenEndpoint } = server;
  if (tokenEndpoint !== undefined && isRedemption(req, tokenEndpoint.path)) {
    return tokenEndpoint.answer(await redemptionOf(req, options));
  }
  const made = nodeRequest(req, new URL(server.issuer).origin, options);
  if (made === undefined) return undefined;
  const answer = await server.tryFetch(made.request, made.context);
  if (made.wasWanted()) throw bodyWasRead();
  return answer;
}

/**
 * Whether a request is one to redeem, as clients send it. It is read as Node has it: a Web request and a Web answer would cost as
 * much as the signatures. Whatever is odd about a request goes the way of every other.
 */
function isRedemption(req: NodeIncoming, path: string): boolean {
  const plain = req.method === "POST" && targetOf(req) === path && isUnread(req);
  return plain && isFormContentType(headerOf(req, "content-type"));
}

async function redemptionOf(req: NodeIncoming, options: CertificateOptions): Promise<RedemptionRequest> {
  const [authorization, dpop] = [headerOf(req, "authorization"), headerOf(req, "dpop")];
  const certificate = certificateOf(req, options);
  return { form: await readNodeForm(req), authorization, dpop, certificate };
}

/**
 * Lets a request of Node through, or refuses it.
 *
 * @returns the answer that refuses; `undefined` when the request may go on, and `accessOf` has its claims.
 */
export async function refusalOf(
  server: ResourceServer,
  req: NodeIncoming,
  options: ProtectOptions & CertificateOptions,
): Promise<Response | undefined> {
  const method = methodOf(req);
  // RFC 9110 §9.3.8: TRACE would send the token back.
  if (!isWebMethod(method)) return new Response(null, { status: 405, headers: { allow: "" } });
  const headers = { get: (name: string) => headerOf(req, name) };
  const call = { method, url: new URL(server.issuer).origin + targetOf(req), headers };
  const certificate = certificateOf(req, options);
  const access = await server.authorize(call, options, certificate === undefined ? {} : { certificate });
  if (access instanceof Response) return access;
  admit(req, access);
  return undefined;
}

/**
 * Answers the authorization server's endpoints and all metadata, and hands every other request on, untouched. It must stand
 * before body parsers.
 *
 * @returns middleware; without `next` it answers 404 for everything else. Errors go to `next`, or, without one, reject.
 */
export function authorizationServer(
  server: ResourceServer,
  options: CertificateOptions = {},
): (req: NodeIncoming, res: NodeOutgoing, next?: Next) => Promise<void> {
  return async (req, res, next) => {
    try {
      const answer = await ownAnswer(server, req, options);
      if (answer !== undefined) return await sendAnswer(res, answer);
      if (next === undefined) return await sendAnswer(res, new Response(null, { status: 404 }));
    } catch (error) {
      if (next === undefined) throw error;
      return next(error);
    }
    next();
  };
}

/**
 * Lets only requests with a good access token through; the handler behind it reads the claims with `accessOf`. Everybody else
 * gets 401 or 403, with the challenge.
 *
 * @returns middleware. Errors go to `next`.
 * @throws CredenceError `configuration` for a resource that the server does not have.
 * @see RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1
 */
export function protect(
  server: ResourceServer,
  options: ProtectOptions & CertificateOptions = {},
): (req: NodeIncoming, res: NodeOutgoing, next: Next) => Promise<void> {
  // At the start, not at the first call: a resource that the server does not have is a mistake in the set-up.
  server.resourceMetadataUrl(options.resource);
  return async (req, res, next) => {
    try {
      const refusal = await refusalOf(server, req, options);
      if (refusal !== undefined) return await sendAnswer(res, refusal);
    } catch (error) {
      return next(error);
    }
    next();
  };
}
