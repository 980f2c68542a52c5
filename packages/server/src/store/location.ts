import { CredenceError } from "@credence/protocol";
import { storePath } from "./files.ts";

/** Where a store is. */
export type StoreLocation =
  | { readonly kind: "sqlite"; readonly path: string }
  /** @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS */
  | { readonly kind: "postgresql"; readonly url: string };

/**
 * Where the store of a server is: the database that it names, or the file in its data directory.
 * @throws CredenceError `configuration` for what is no URL of a database; it does not repeat what may hold a password.
 */
export function storeLocation(dataDir: string, url?: string): StoreLocation {
  if (url === undefined) return { kind: "sqlite", path: storePath(dataDir) };
  return { kind: "postgresql", url: requireStoreUrl(url) };
}

/** @throws CredenceError `configuration` for what is no URL of a database; it does not repeat what may hold a password. */
export function requireStoreUrl(text: string): string {
  if (isStoreUrl(text)) return text;
  throw new CredenceError("The store is not a URL of PostgreSQL: postgresql://user@host:5432/database", {
    code: "configuration",
  });
}

/** Whether a text is the URL of a PostgreSQL database: `postgresql://user@host:5432/database`. */
export function isStoreUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && ["postgresql:", "postgres:"].includes(url.protocol) && url.pathname.length > 1;
}

/** A location for people to read: whoever sees it learns neither a password nor what else the URL carries. */
export function describeLocation(location: StoreLocation): string {
  if (location.kind === "sqlite") return location.path;
  const { username, host, pathname } = new URL(location.url);
  return `postgresql://${username === "" ? "" : `${username}@`}${host}${pathname}`;
}
