import { type AuthorizationDetail, readAuthorizationDetails } from "./authorization-details.ts";
import { asStrings } from "./encoding.ts";
import type { CredenceError } from "./errors.ts";

/** What the answers of both legs say of what was granted. */
export interface Granted {
  /** Seconds; absent when the server does not say. */
  readonly expires_in?: number;
  readonly scope?: string;
  readonly resource?: string | readonly string[];
  readonly authorization_details?: readonly AuthorizationDetail[];
}

/**
 * Parses the members that say what was granted; each of them is optional.
 *
 * @param wrong - Makes the error for a member that has the wrong form; it is thrown.
 * @see RFC 6749 §5.1, ID-JAG draft §4.3.4, §4.4.2
 */
export function parseGranted(
  answer: Readonly<Record<string, unknown>>,
  wrong: (member: keyof Granted) => CredenceError,
): Granted {
  const { expires_in: expiresIn, scope, resource } = answer;
  if (expiresIn !== undefined && !(typeof expiresIn === "number" && expiresIn >= 0)) throw wrong("expires_in");
  if (scope !== undefined && typeof scope !== "string") throw wrong("scope");
  const details = answer.authorization_details;
  const read = details === undefined ? undefined : readAuthorizationDetails(details);
  if (read && !read.ok) throw wrong("authorization_details");
  const resources = typeof resource === "string" ? resource : asStrings(resource);
  if (resource !== undefined && resources === undefined) throw wrong("resource");
  return {
    ...(expiresIn === undefined ? {} : { expires_in: expiresIn }),
    ...(scope === undefined ? {} : { scope }),
    ...(resources === undefined ? {} : { resource: resources }),
    ...(read === undefined ? {} : { authorization_details: read.value }),
  };
}
