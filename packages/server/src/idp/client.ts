import type { AuthenticationRequest } from "@credence/issuer";
import { type Result, refuse } from "@credence/protocol";
import { authenticateClient, type ClientCredential, readClientAuth } from "@credence/protocol/client-auth";
import { jwksKeys, type KeySource, parseJwks } from "@credence/protocol/jws";
import type { Agent } from "../directory/types.ts";
import type { Store } from "../store/store.ts";

/** An agent that proved itself. */
export interface AuthenticatedAgent {
  readonly clientId: string;
  readonly agent: Agent;
}

/** What the authentication of agents needs. */
export interface ClientPorts {
  readonly issuer: string;
  readonly store: Pick<Store, "agent">;
  /** Marks a client assertion as used, for exchange and sign-in alike. `expiresAt` in seconds since the epoch. */
  readonly markAssertionUsed: (key: string, expiresAt: number) => Promise<"first" | "again">;
  /** Resolves the secret of an agent that has one. */
  readonly clientSecret: (agent: Agent) => string | Promise<string>;
}

/**
 * Authenticates the agent of a token exchange against the directory.
 *
 * @returns the agent; refused with a `client-…` reason.
 * @see RFC 6749 §2.3
 */
export async function authenticateAgent(
  { authorization, form, now }: AuthenticationRequest,
  { issuer, store, clientSecret, markAssertionUsed }: ClientPorts,
): Promise<Result<AuthenticatedAgent>> {
  const presented = readClientAuth(authorization, form);
  if (!presented.ok) return presented;
  const outcome = await authenticateClient<AuthenticatedAgent>(presented.value, {
    issuer,
    now,
    markUsed: markAssertionUsed,
    async find(clientId) {
      const agent = await store.agent(clientId);
      return agent && { client: { clientId, agent }, credential: await credentialOf(agent, clientSecret) };
    },
  });
  return outcome.ok && !outcome.value.agent.enabled ? refuse("client-disabled") : outcome;
}

async function credentialOf(
  { auth, ...agent }: Agent,
  clientSecret: ClientPorts["clientSecret"],
): Promise<ClientCredential> {
  switch (auth.method) {
    case "client_secret_basic":
    case "client_secret_post":
      return { method: auth.method, secret: await clientSecret({ ...agent, auth }) };
    case "private_key_jwt":
      return { method: auth.method, keys: keysOf(auth.jwks) };
    case "none":
      return { method: "none" };
  }
}

function keysOf(jwks: object): KeySource {
  return jwksKeys(parseJwks(jwks) ?? { keys: [] });
}
