import type { AuthenticationRequest } from "@credence/issuer";
import { type Result, refuse } from "@credence/protocol";
import { authenticateClient, type ClientCredential, readClientAuth } from "@credence/protocol/client-auth";
import type { KeySource } from "@credence/protocol/jws";
import { type ClientMetadata, usesIdJag } from "@credence/protocol/metadata";
import { documentRefusal } from "../directory/client-documents.ts";
import type { Agent } from "../directory/types.ts";
import type { Store } from "../store/store.ts";

/** An agent that proved itself: by its credential, or, where it is public, by its DPoP key. */
export interface AuthenticatedAgent {
  readonly clientId: string;
  readonly agent: Agent;
}

/** An agent, and whether a key was all that its request has proven: any key will do, so that anybody may have sent it. */
export type ProvenAgent = AuthenticatedAgent & { readonly isPublic: boolean };

/** The public keys of an agent, wherever they stand; `undefined` for one that has none. */
export type KeysOfAgent = (agent: Agent) => Promise<KeySource | undefined>;

/** What the authentication of agents needs. */
export interface ClientPorts {
  readonly issuer: string;
  readonly store: Pick<Store, "agent">;
  /** Marks a client assertion as used, for exchange and sign-in alike. `expiresAt` in seconds since the epoch. */
  readonly markAssertionUsed: (key: string, expiresAt: number) => Promise<"first" | "again">;
  /** Resolves the secrets of an agent that has any. */
  readonly clientSecrets: (agent: Agent) => readonly string[] | Promise<readonly string[]>;
  readonly keysOf: KeysOfAgent;
  /** What an agent says of itself, where its id is the URL of it. */
  readonly metadataOf: (agentId: string) => Promise<ClientMetadata>;
}

/**
 * Authenticates the agent of a token exchange against the directory. A public agent passes only where it is DPoP-bound and
 * the request proves a key; a DPoP-bound agent never passes without.
 *
 * @returns the agent; refused with a `client-…` reason, or `binding-missing`.
 * @see RFC 6749 §2.3, RFC 9449 §5.2
 */
export async function authenticateAgent(
  request: AuthenticationRequest,
  ports: ClientPorts,
): Promise<Result<ProvenAgent>> {
  try {
    return await authenticate(request, ports);
  } catch (error) {
    const refusal = documentRefusal(error);
    if (refusal === undefined) throw error;
    // The agent's own document is at fault, not our store.
    return { ok: false, refusal };
  }
}

async function authenticate(
  { authorization, form, binding, now }: AuthenticationRequest,
  ports: ClientPorts,
): Promise<Result<ProvenAgent>> {
  const presented = readClientAuth(authorization, form);
  if (!presented.ok) return presented;
  const outcome = await authenticateClient<ProvenAgent>(presented.value, {
    issuer: ports.issuer,
    now,
    markUsed: ports.markAssertionUsed,
    allowsPublic: ({ agent }) => agent.dpopBound === true && binding?.jkt !== undefined,
    async find(clientId) {
      const agent = await ports.store.agent(clientId);
      const credential = agent && (await credentialOf(agent, ports));
      return agent && credential && { client: { clientId, agent, isPublic: credential.method === "none" }, credential };
    },
  });
  if (!outcome.ok) return outcome;
  const { agent } = outcome.value;
  if (!agent.enabled) return refuse("client-disabled");
  if (agent.auth.method === "client_id_metadata_document") {
    const metadata = await ports.metadataOf(agent.id);
    // ID-JAG draft §8: an agent whose own document does not name the grant does not use it.
    if (!usesIdJag(metadata)) return refuse("client-grant");
    if (metadata.dpop_bound_access_tokens && binding?.jkt === undefined) return refuse("binding-missing");
  }
  return agent.dpopBound && binding?.jkt === undefined ? refuse("binding-missing") : outcome;
}

/** `undefined` where nothing could prove anything. */
async function credentialOf(
  agent: Agent,
  { clientSecrets, keysOf, metadataOf }: ClientPorts,
): Promise<ClientCredential | undefined> {
  const { method } = agent.auth;
  switch (method) {
    case "client_secret_basic":
    case "client_secret_post":
      return { method, secret: await clientSecrets(agent) };
    case "private_key_jwt":
    case "client_id_metadata_document": {
      if (
        method === "client_id_metadata_document" &&
        (await metadataOf(agent.id)).token_endpoint_auth_method === "none"
      ) {
        return { method: "none" };
      }
      const keys = await keysOf(agent);
      return keys && { method: "private_key_jwt", keys };
    }
    case "none":
      return { method };
  }
}
