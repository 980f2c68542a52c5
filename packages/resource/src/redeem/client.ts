import { type Form, ok, type Result, refuse } from "@credence/protocol";
import { authenticateClient, type ClientCredential, readClientAuth } from "@credence/protocol/client-auth";
import type { Confirmation } from "@credence/protocol/dpop";
import type { JwkSet, JwsAlgorithm, KeySource } from "@credence/protocol/jws";
import { keysOfSets } from "../crypto.ts";
import { type StoreKeyPorts, webStoreKeyOf } from "../replay.ts";

/** How a client proves itself. A public client (`none`) redeems only where it is DPoP-bound. */
export type ClientAuthentication =
  | {
      readonly method: "client_secret_basic" | "client_secret_post";
      readonly clientSecret: string;
      /** The one before, which counts until it is taken out: whoever has the old one has time to get the new one. */
      readonly formerClientSecret?: string;
    }
  | {
      readonly method: "private_key_jwt";
      readonly jwks: JwkSet;
      /** ES256, ES384, RS256, PS256 and EdDSA by default. */
      readonly algorithms?: readonly JwsAlgorithm[];
    }
  | { readonly method: "none" };

/** An agent as an authorization server knows it, whoever authenticates it. */
export interface RegisteredClient {
  readonly clientId: string;
  readonly name?: string;
  /** `false` refuses it. */
  readonly enabled?: boolean;
  /** Scopes that it may have at the most; all of the resource's by default. */
  readonly scopes?: readonly string[];
  /** Ids of the customers that it may act for; all of them by default. */
  readonly customers?: readonly string[];
  /** Every redemption needs a DPoP proof and an ID-JAG that is bound to its key; a public client may redeem then. */
  readonly dpopBound?: boolean;
  /**
   * Whether it is a protected resource that may introspect tokens of every client: the resources that it stands for, or `true` for
   * all of this server's. By default it is none. @see RFC 7662 §4
   */
  readonly introspects?: boolean | readonly string[];
}

/** An OAuth client of this authorization server: an agent, as it is known here. */
export type Client = RegisteredClient & ClientAuthentication;

/** What authentication of a client needs. */
export interface ClientPorts extends StoreKeyPorts {
  readonly issuer: string;
  /** Finds the keys of a client's set; by WebCrypto where it is left out. */
  readonly keysOfSet?: (jwks: JwkSet) => KeySource;
  findClient(clientId: string): Promise<Client | undefined>;
  consume(key: string, expiresAt: number): Promise<"first" | "again">;
}

/**
 * Authenticates the client of a token request.
 *
 * @param now - Seconds since the epoch.
 * @param proven - What the request proves possession of.
 * @returns the client; refused with a `client-…` reason. Rejects when a port does.
 * @see RFC 6749 §2.3, ID-JAG draft §4.4.1
 */
export async function identifyClient(
  authorization: string | null,
  form: Form,
  ports: ClientPorts,
  now: number,
  proven?: Confirmation,
): Promise<Result<Client>> {
  const { storeKeyOf = webStoreKeyOf } = ports;
  const presented = readClientAuth(authorization, form);
  if (!presented.ok) return presented;
  const client = await authenticateClient<Client>(presented.value, {
    issuer: ports.issuer,
    now,
    allowsPublic: (client) => client.dpopBound === true && proven?.jkt !== undefined,
    async find(clientId) {
      const found = await ports.findClient(clientId);
      const credential = found && credentialOf(found, ports.keysOfSet ?? webKeysOfSet);
      // A look-up that compares loosely (a case-insensitive column) must not widen what an id means.
      return found?.clientId === clientId && credential ? { client: found, credential } : undefined;
    },
    markUsed: async (key, until) => ports.consume(await storeKeyOf("client-assertion", key), until),
  });
  if (!client.ok) return client;
  return client.value.enabled === false ? refuse("client-disabled") : ok(client.value);
}

const webKeysOfSet = keysOfSets();

/** `undefined` where the registration could never prove anything: a missing or empty secret equals an empty password. */
function credentialOf(client: Client, keysOfSet: (jwks: JwkSet) => KeySource): ClientCredential | undefined {
  switch (client.method) {
    case "client_secret_basic":
    case "client_secret_post":
      return client.clientSecret ? { method: client.method, secret: secretsOf(client) } : undefined;
    case "private_key_jwt": {
      const { algorithms } = client;
      return { method: client.method, keys: keysOfSet(client.jwks), ...(algorithms ? { algorithms } : {}) };
    }
    case "none":
      return { method: "none" };
  }
}

function secretsOf(client: Extract<Client, { clientSecret: string }>): readonly string[] {
  const { clientSecret, formerClientSecret: former } = client;
  return former ? [clientSecret, former] : [clientSecret];
}
