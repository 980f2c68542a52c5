import type { Agent, AgentAuth, App, Connection, PeopleRef, Person, SecretRef } from "../directory/types.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import type { FileAgent, FileApp, FileConnection, FilePerson, FileSecret } from "./schema.ts";

/** From an entry of the file, which its schema accepted, to the noun of the directory. */
export const fromFile = {
  person({ password_hash, ...person }: FilePerson): Person {
    return { ...person, ...(password_hash === undefined ? {} : { passwordHash: password_hash }) };
  },
  /** @param kept - The secret that `{ unchanged: true }` stands for. */
  agent(
    { redirect_uris, post_logout_redirect_uris, denial_error, auth, ...agent }: FileAgent,
    kept?: SecretRef,
  ): Agent {
    return {
      ...agent,
      auth: authFromFile(auth, kept),
      redirectUris: redirect_uris,
      postLogoutRedirectUris: post_logout_redirect_uris,
      denialError: denial_error,
    };
  },
  app(app: FileApp): App {
    return app;
  },
  connection({
    default_scopes,
    conditions,
    lifetime,
    expires,
    people,
    resources,
    ...rest
  }: FileConnection): Connection {
    return {
      ...rest,
      // The schema's pattern for people is exactly this type.
      people: people as PeopleRef[],
      defaultScopes: default_scopes,
      ...(resources === undefined ? {} : { resources }),
      conditions: optional("maxAge", seconds(conditions.max_age)),
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
  agent({ id, name, enabled, auth, redirectUris, postLogoutRedirectUris, denialError }: Agent): Entry {
    return {
      id,
      name,
      ...off(enabled),
      auth: authToFile(auth),
      ...set("redirect_uris", redirectUris),
      ...set("post_logout_redirect_uris", postLogoutRedirectUris),
      ...(denialError === "access_denied" ? {} : { denial_error: denialError }),
    };
  },
  app({ id, name, enabled, issuer, resources, scopes, clients, subject }: App): Entry {
    return {
      id,
      name,
      ...off(enabled),
      issuer,
      ...set("resources", resources),
      ...record("scopes", scopes),
      ...record("clients", clients),
      ...(subject === "id" ? {} : { subject }),
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
      ...(conditions.maxAge === undefined ? {} : { conditions: { max_age: formatDuration(conditions.maxAge) } }),
      ...optional("lifetime", lifetime === undefined ? undefined : formatDuration(lifetime)),
      ...optional("expires", expires === undefined ? undefined : formatTime(expires)),
    };
  },
};

/** An entry as the file would have it. */
export type Entry = Readonly<Record<string, unknown>>;

function authFromFile(auth: FileAgent["auth"], kept: SecretRef | undefined): AgentAuth {
  switch (auth.method) {
    case "client_secret_basic":
    case "client_secret_post":
      return { method: auth.method, secret: secretFromFile(auth.secret, kept) };
    case "private_key_jwt":
    case "none":
      return auth;
  }
}

function secretFromFile(secret: FileSecret, kept: SecretRef | undefined): SecretRef {
  if (typeof secret === "string") return { literal: secret };
  if (!("unchanged" in secret)) return secret;
  // The reader has found a problem before when there is nothing to keep: the file does not come this far.
  if (kept === undefined) throw new TypeError("A secret to keep is missing.");
  return kept;
}

function authToFile(auth: AgentAuth): Entry {
  if (auth.method !== "client_secret_basic" && auth.method !== "client_secret_post") return { ...auth };
  return { method: auth.method, secret: "literal" in auth.secret ? { unchanged: true } : auth.secret };
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
