import type {
  Agent,
  AgentAuth,
  App,
  Connection,
  PeopleRef,
  Person,
  RelyingParty,
  SamlNameId,
  SecretRef,
} from "../directory/types.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import type { FileAgent, FileApp, FileConnection, FilePerson, FileSecret } from "./schema.ts";

/** From an entry of the file, which its schema accepted, to the noun of the directory. */
export const fromFile = {
  person({ password_hash, ...person }: FilePerson): Person {
    return { ...person, ...optional("passwordHash", password_hash) };
  },
  /** @param kept - The secrets that `{ unchanged: true }` stands for. */
  agent(
    {
      redirect_uris,
      post_logout_redirect_uris,
      denial_error,
      dpop_bound_access_tokens,
      id_token_signed_response_alg,
      offline_max_age,
      auth,
      ...agent
    }: FileAgent,
    kept: Secrets = {},
  ): Agent {
    return {
      ...agent,
      auth: authFromFile(auth, kept),
      redirectUris: redirect_uris,
      postLogoutRedirectUris: post_logout_redirect_uris,
      denialError: denial_error,
      ...optional("idTokenAlg", id_token_signed_response_alg),
      ...optional("dpopBound", dpop_bound_access_tokens),
      ...optional("offlineMaxAge", seconds(offline_max_age)),
    };
  },
  app({ people, aliases, aud_tenant, claims, saml_name_id, authorization_details_types, sso, ...app }: FileApp): App {
    return {
      ...app,
      ...optional("people", people),
      ...optional("aliases", aliases),
      ...optional("audTenant", aud_tenant),
      ...optional("claims", claims),
      ...optional("samlNameId", saml_name_id && nameIdFromFile(saml_name_id)),
      ...optional("authorizationDetailsTypes", authorization_details_types),
      ...optional("sso", sso && relyingPartyFromFile(sso)),
    };
  },
  connection({
    default_scopes,
    conditions,
    lifetime,
    expires,
    people,
    resources,
    authorization_details,
    actors,
    ...rest
  }: FileConnection): Connection {
    return {
      ...rest,
      // The schema's pattern for people is exactly this type.
      people: people as PeopleRef[],
      defaultScopes: default_scopes,
      ...optional("resources", resources),
      conditions: {
        ...optional("maxAge", seconds(conditions.max_age)),
        ...optional("acr", conditions.acr),
        ...optional("bound", conditions.bound),
      },
      ...optional("authorizationDetails", authorization_details),
      ...optional("actors", actors),
      ...optional("lifetime", seconds(lifetime)),
      ...optional("expires", expires === undefined ? undefined : Math.floor(Date.parse(expires) / 1000)),
    };
  },
};

/**
 * From a noun of the directory to its entry in the file: sets sorted, defaults left out, so that one organization has one
 * text. A literal secret never appears: `{ unchanged: true }` stands for it.
 */
export const toFile = {
  person({ id, email, name, groups, enabled, passwordHash }: Person): Entry {
    return { id, email, name, ...set("groups", groups), ...off(enabled), ...optional("password_hash", passwordHash) };
  },
  agent(agent: Agent): Entry {
    const { id, name, enabled, auth, redirectUris, postLogoutRedirectUris, denialError } = agent;
    const { dpopBound, offlineMaxAge, idTokenAlg } = agent;
    return {
      id,
      name,
      ...off(enabled),
      auth: authToFile(auth),
      ...set("redirect_uris", redirectUris),
      ...set("post_logout_redirect_uris", postLogoutRedirectUris),
      ...(denialError === "access_denied" ? {} : { denial_error: denialError }),
      ...optional("id_token_signed_response_alg", idTokenAlg),
      ...(dpopBound ? { dpop_bound_access_tokens: true } : {}),
      ...optional("offline_max_age", offlineMaxAge === undefined ? undefined : formatDuration(offlineMaxAge)),
    };
  },
  app(app: App): Entry {
    const { id, name, enabled, issuer, resources, scopes, clients, subject, people, aliases, sso, samlNameId } = app;
    return {
      id,
      name,
      ...off(enabled),
      issuer,
      ...set("resources", resources),
      ...record("scopes", scopes),
      ...record("clients", clients),
      ...(subject === "id" ? {} : { subject }),
      ...record("people", people ?? {}),
      ...set("aliases", aliases ?? []),
      ...optional("aud_tenant", app.audTenant),
      // An empty list tells the app nothing; a missing one tells it all.
      ...optional("claims", app.claims && [...app.claims].sort()),
      ...optional("saml_name_id", samlNameId && nameIdToFile(samlNameId)),
      ...record("authorization_details_types", app.authorizationDetailsTypes ?? {}),
      ...optional("sso", sso && relyingPartyToFile(sso)),
    };
  },
  connection(connection: Connection): Entry {
    const { id, enabled, agent, app, people, scopes, defaultScopes, resources, conditions, lifetime, expires } =
      connection;
    return {
      id,
      ...off(enabled),
      agent,
      app,
      ...set("people", people),
      ...set("scopes", scopes),
      ...set("default_scopes", defaultScopes),
      ...set("resources", resources ?? []),
      ...conditionsToFile(conditions),
      ...optional("authorization_details", connection.authorizationDetails),
      ...set("actors", connection.actors ?? []),
      ...optional("lifetime", lifetime === undefined ? undefined : formatDuration(lifetime)),
      ...optional("expires", expires === undefined ? undefined : formatTime(expires)),
    };
  },
};

/** An entry as the file would have it. */
export type Entry = Readonly<Record<string, unknown>>;

/** The secrets of an agent as they are. */
export interface Secrets {
  readonly secret?: SecretRef;
  readonly formerSecret?: SecretRef;
}

function authFromFile(auth: FileAgent["auth"], kept: Secrets): AgentAuth {
  switch (auth.method) {
    case "client_secret_basic":
    case "client_secret_post": {
      const { method, secret, former_secret: former } = auth;
      return {
        method,
        secret: secretFromFile(secret, kept.secret),
        ...optional("formerSecret", former === undefined ? undefined : secretFromFile(former, kept.formerSecret)),
      };
    }
    case "private_key_jwt":
      return keysFromFile(auth);
    case "client_id_metadata_document":
    case "none":
      return auth;
  }
}

function keysFromFile({ method, jwks, jwks_uri: jwksUri }: Extract<FileAgent["auth"], { method: "private_key_jwt" }>) {
  if (jwks !== undefined) return { method, jwks };
  // The schema has seen that one of the two is there.
  if (jwksUri === undefined) throw new TypeError("Keys are missing.");
  return { method, jwksUri };
}

type FileSso = NonNullable<FileApp["sso"]>;
type FileNameId = NonNullable<FileApp["saml_name_id"]>;

function relyingPartyFromFile(sso: FileSso): RelyingParty {
  const { client_id, auth, redirect_uris, post_logout_redirect_uris, id_token_signed_response_alg } = sso;
  return {
    clientId: client_id,
    auth: relyingPartyAuth(auth),
    redirectUris: redirect_uris,
    postLogoutRedirectUris: post_logout_redirect_uris,
    ...optional("idTokenAlg", id_token_signed_response_alg),
  };
}

function relyingPartyAuth(auth: FileSso["auth"]): RelyingParty["auth"] {
  if (auth.method === "private_key_jwt") return keysFromFile(auth);
  if (auth.method === "none") return auth;
  const { method, secret, former_secret } = auth;
  return { method, secret, ...optional("formerSecret", former_secret) };
}

function relyingPartyToFile(sso: RelyingParty): Entry {
  const { clientId, auth, redirectUris, postLogoutRedirectUris, idTokenAlg } = sso;
  return {
    client_id: clientId,
    auth: authToFile(auth),
    ...set("redirect_uris", redirectUris),
    ...set("post_logout_redirect_uris", postLogoutRedirectUris),
    ...optional("id_token_signed_response_alg", idTokenAlg),
  };
}

function nameIdFromFile({ issuer, name_id, format, name_qualifier, sp_name_qualifier }: FileNameId): SamlNameId {
  return {
    issuer,
    nameId: name_id,
    ...optional("format", format),
    ...optional("nameQualifier", name_qualifier),
    ...optional("spNameQualifier", sp_name_qualifier),
  };
}

function nameIdToFile({ issuer, nameId, format, nameQualifier, spNameQualifier }: SamlNameId): Entry {
  return {
    issuer,
    name_id: nameId,
    ...optional("format", format),
    ...optional("name_qualifier", nameQualifier),
    ...optional("sp_name_qualifier", spNameQualifier),
  };
}

function conditionsToFile({ maxAge, acr, bound }: Connection["conditions"]): Entry {
  const conditions = {
    ...optional("max_age", maxAge === undefined ? undefined : formatDuration(maxAge)),
    ...optional("acr", acr),
    ...(bound ? { bound } : {}),
  };
  return Object.keys(conditions).length === 0 ? {} : { conditions };
}

function secretFromFile(secret: FileSecret, kept: SecretRef | undefined): SecretRef {
  if (typeof secret === "string") return { literal: secret };
  if (!("unchanged" in secret)) return secret;
  // The reader has found a problem before when there is nothing to keep: the file does not come this far.
  if (kept === undefined) throw new TypeError("A secret to keep is missing.");
  return kept;
}

function authToFile(auth: AgentAuth): Entry {
  if ("jwksUri" in auth) return { method: auth.method, jwks_uri: auth.jwksUri };
  if (auth.method !== "client_secret_basic" && auth.method !== "client_secret_post") return { ...auth };
  const { method, secret, formerSecret } = auth;
  return {
    method,
    secret: secretToFile(secret),
    ...optional("former_secret", formerSecret && secretToFile(formerSecret)),
  };
}

function secretToFile(secret: SecretRef): Entry {
  return "literal" in secret ? { unchanged: true } : secret;
}

function seconds(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDuration(duration);
}

function formatTime(secondsSinceEpoch: number): string {
  return new Date(secondsSinceEpoch * 1000).toISOString().replace(".000Z", "Z");
}

function off(enabled: boolean): Entry {
  return enabled ? {} : { enabled };
}

function set(key: string, values: readonly string[]): Entry {
  return values.length === 0 ? {} : { [key]: [...values].sort() };
}

function record(key: string, values: Readonly<Record<string, string>>): Entry {
  const entries = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? {} : { [key]: Object.fromEntries(entries) };
}

/** A member that is there, or not: never there and `undefined`. */
export function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  // A computed key widens to string; it is K.
  return value === undefined ? {} : ({ [key]: value } as { readonly [key in K]: V });
}
