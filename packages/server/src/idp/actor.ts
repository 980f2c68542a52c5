import type { Actor, SubjectRequest } from "@credence/issuer";
import { ok, type Result, refuse } from "@credence/protocol";
import { CLIENT_ASSERTION_LIMITS } from "@credence/protocol/client-auth";
import { checkSignature, decodeJws, JWS_ALGORITHMS, singleAudience, typIs } from "@credence/protocol/jws";
import { JWT_TOKEN_TYPE } from "@credence/protocol/token-exchange";
import { documentRefusal } from "../directory/client-documents.ts";
import type { Store } from "../store/store.ts";
import type { AuthenticatedAgent, KeysOfAgent } from "./client.ts";

/** What the check of an actor token needs. */
export interface ActorPorts {
  readonly issuer: string;
  readonly store: Pick<Store, "agent" | "consume">;
  readonly keysOf: KeysOfAgent;
}

/**
 * `typ` of an actor token. It is handed to the agent that asks in the actor's name: without a type of its own it would be a
 * client assertion as well, and whoever was given it would be the actor itself.
 * @see RFC 8725 §3.11
 */
export const ACTOR_TOKEN_TYP = "actor-token+jwt";

type ActorRequest = Pick<SubjectRequest<AuthenticatedAgent>, "token" | "type" | "now">;

/**
 * Verifies an actor token: a JWT that another agent of the directory has signed with its own registered key, for us, a
 * moment ago, and for one use.
 *
 * @returns the agent that acts; refused: `actor-token-…`. Rejects when the store does.
 * @see RFC 8693 §2.1, §4.1
 */
export async function verifyActor(request: ActorRequest, ports: ActorPorts): Promise<Result<Actor>> {
  try {
    return await verify(request, ports);
  } catch (error) {
    const refusal = documentRefusal(error);
    if (refusal === undefined) throw error;
    // The actor's own document is at fault: not our store, and not the client that brought the token.
    const invalid = refusal.reason === "client-metadata-invalid";
    return invalid ? refuse("actor-token-invalid", refusal.detail) : { ok: false, refusal };
  }
}

async function verify(
  { token, type, now }: ActorRequest,
  { issuer, store, keysOf }: ActorPorts,
): Promise<Result<Actor>> {
  if (type !== JWT_TOKEN_TYPE) return refuse("actor-token-unsupported", "type");
  const jws = decodeJws(token);
  if (jws === undefined) return refuse("actor-token-malformed");
  if (!typIs(jws.header, ACTOR_TOKEN_TYP)) return refuse("actor-token-invalid", `typ: ${ACTOR_TOKEN_TYP} is wanted`);
  const { iss, sub, aud, exp, iat, nbf, jti } = jws.payload;
  if (typeof sub !== "string" || iss !== sub) return refuse("actor-token-invalid", "iss or sub");
  if (typeof jti !== "string" || jti === "" || jti.length > 256) return refuse("actor-token-invalid", "jti");
  const agent = await store.agent(sub);
  const keys = agent?.enabled ? await keysOf(agent) : undefined;
  // An agent that is unknown, off, or has no key of its own can not sign anything that counts.
  if (agent === undefined || keys === undefined) return refuse("actor-token-invalid", "no such actor");
  const fault = await checkSignature(jws, JWS_ALGORITHMS, keys);
  if (fault !== undefined) return refuse("actor-token-invalid", fault);
  if (singleAudience(aud) !== issuer) return refuse("actor-token-invalid", "aud");
  const { skew, maxLifetime } = CLIENT_ASSERTION_LIMITS;
  if (typeof exp !== "number") return refuse("actor-token-invalid", "exp");
  const fromAhead = [iat, nbf].some((time) => typeof time === "number" && time > now + skew);
  if (fromAhead) return refuse("actor-token-invalid", "iat or nbf: the actor's clock is ahead");
  if (exp <= now - skew) return refuse("actor-token-invalid", "exp: too old, or the actor's clock is behind");
  if (exp > now + maxLifetime) {
    return refuse("actor-token-invalid", "exp: it lives too long, or the actor's clock is ahead");
  }
  const used = await store.consume("actor-token", JSON.stringify([agent.id, jti]), exp + skew);
  return used === "first" ? ok({ id: agent.id, act: { sub: agent.id } }) : refuse("actor-token-invalid", "used before");
}
