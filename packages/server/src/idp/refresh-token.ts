import type { SubjectRequest } from "@credence/issuer";
import { ok, type Result, refuse } from "@credence/protocol";
import { type Confirmation, sameConfirmation } from "@credence/protocol/dpop";
import type { Store } from "../store/store.ts";
import type { AuthenticatedAgent } from "./client.ts";
import type { SignedInPerson } from "./subject.ts";

/** What is known of a refresh token that still counts. Times in seconds since the epoch. */
export interface LiveRefreshToken {
  readonly personId: string;
  /** The agent that it was issued to. */
  readonly agentId: string;
  readonly scope: readonly string[];
  /** What it is bound to, if to anything. */
  readonly binding?: Confirmation;
  readonly authTime?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
}

/** What the check of a refresh token needs. */
export interface RefreshTokenPorts {
  readonly store: Pick<Store, "person">;
  /**
   * Looks a refresh token of ours up: unexpired, not used up by a rotation, its grant not revoked. Its use by the exchange
   * leaves it as it is.
   * @returns what it stands for; `undefined` when it does not count.
   */
  readonly refreshTokenAlive: (token: string) => Promise<LiveRefreshToken | undefined>;
}

/** What a person has agreed to when an agent may act without them. @see ID-JAG draft §4.3.3 */
const NEEDED_SCOPES = ["openid", "offline_access"];

/**
 * Verifies a refresh token as subject token, by all the checks of a refresh: ours, this agent's, alive, bound to what the
 * request proves; and that the person's sign-in is not older than the agent may act without them.
 *
 * @returns the person as they are now; refused: `subject-token-…`, `sign-in-over`, `offline-too-old`, `person-unknown`.
 * @see ID-JAG draft §4.3.3, RFC 6749 §6, docs/decisions/0008-refresh-token-subjects.md
 */
export async function verifyRefreshToken(
  { token, client, binding, now }: SubjectRequest<AuthenticatedAgent>,
  { store, refreshTokenAlive }: RefreshTokenPorts,
): Promise<Result<SignedInPerson>> {
  const { agent } = client;
  const found = await refreshTokenAlive(token);
  if (found === undefined) return refuse("sign-in-over", "refresh token");
  if (found.agentId !== agent.id) return refuse("subject-token-audience", "refresh token");
  if (found.binding !== undefined && !(binding !== undefined && sameConfirmation(found.binding, binding))) {
    return refuse("subject-token-binding");
  }
  if (!NEEDED_SCOPES.every((scope) => found.scope.includes(scope))) return refuse("subject-token-scope");
  const { authTime, acr, amr } = found;
  if (agent.offlineMaxAge !== undefined && !(authTime !== undefined && now - authTime <= agent.offlineMaxAge)) {
    return refuse("offline-too-old");
  }
  const person = await store.person(found.personId);
  if (person === undefined) return refuse("person-unknown");
  return ok({
    person,
    ...(authTime === undefined ? {} : { authTime }),
    ...(acr === undefined ? {} : { acr }),
    ...(amr === undefined ? {} : { amr }),
  });
}
