import { asObject } from "@credence/protocol";
import type { ClientIdentity } from "@credence/protocol/client-auth";
import { type GuardedFetch, isLoopbackHost } from "@credence/protocol/fetch";
import type { AuthorizationServerMetadata } from "@credence/protocol/metadata";
import { AgentError, errorOfAnswer, mismatch, type Where } from "./errors.ts";

/** Ways to authenticate that a registration can give, the better first. */
const METHODS = ["client_secret_basic", "client_secret_post", "none"] as const;
type Method = (typeof METHODS)[number];

/**
 * Registers the agent at an authorization server.
 *
 * @returns its credential there.
 * @throws AgentError with leg `code-flow`: `not_supported` where the server registers nobody, or what it said.
 * @see RFC 7591 §3
 */
export async function registerClient(
  fetch: GuardedFetch,
  metadata: AuthorizationServerMetadata,
  client: { readonly clientName: string; readonly redirectUri: string },
): Promise<ClientIdentity> {
  const { issuer } = metadata;
  const where: Where = { leg: "code-flow", party: issuer };
  const endpoint = asObject(metadata)?.registration_endpoint;
  if (typeof endpoint !== "string") {
    throw new AgentError(`The agent is not known at ${issuer}, which registers nobody by itself. Add it to apps.`, {
      ...where,
      code: "not_supported",
      reason: "registration-missing",
    });
  }
  const asked = chooseMethod(metadata, true);
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({
      client_name: client.clientName,
      redirect_uris: [client.redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: asked,
      application_type: isNative(client.redirectUri) ? "native" : "web",
    }),
  });
  if (answer.status !== 201 && answer.status !== 200) throw errorOfAnswer(answer, where);
  const given = asObject(answer.json()) ?? {};
  const identity = identityOf({ token_endpoint_auth_method: asked, ...given }, metadata);
  if (identity === undefined) throw mismatch(where, "registration-answer", "its registration can not be used");
  return identity;
}

/**
 * The credential that a registration gave.
 *
 * @param given - The registration's answer; without a method, the server's metadata chooses.
 * @returns it; `undefined` when it lacks what its method needs.
 */
export function identityOf(
  given: { readonly [member: string]: unknown },
  metadata: Pick<AuthorizationServerMetadata, "token_endpoint_auth_methods_supported">,
): ClientIdentity | undefined {
  const { client_id: clientId, client_secret: clientSecret } = given;
  if (typeof clientId !== "string" || clientId === "") return undefined;
  const hasSecret = typeof clientSecret === "string" && clientSecret !== "";
  const method = given.token_endpoint_auth_method ?? chooseMethod(metadata, hasSecret);
  if (method === "none") return { method, clientId };
  const known = METHODS.find((one) => one === method);
  return known && known !== "none" && hasSecret ? { method: known, clientId, clientSecret } : undefined;
}

/** RFC 8414 §2: a server that lists no method takes client_secret_basic. */
function chooseMethod(
  {
    token_endpoint_auth_methods_supported: supported,
  }: Pick<AuthorizationServerMetadata, "token_endpoint_auth_methods_supported">,
  hasSecret: boolean,
): Method {
  if (!hasSecret) return "none";
  return METHODS.find((method) => (supported ?? ["client_secret_basic"]).includes(method)) ?? "client_secret_basic";
}

/** OpenID Connect Registration §2: a program of the person's own comes back by loopback or by a scheme of its own. */
function isNative(redirectUri: string): boolean {
  const { protocol, hostname } = new URL(redirectUri);
  return protocol === "http:" ? isLoopbackHost(hostname) : protocol !== "https:";
}
