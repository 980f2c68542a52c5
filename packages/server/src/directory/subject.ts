import { createHmac } from "node:crypto";
import type { App, Person } from "./types.ts";

/** What naming people needs beside the directory. */
export interface NamingSecrets {
  /** Salts pairwise ids: the same at every start, and no other server's. */
  readonly pairwise: string;
}

/**
 * What an app knows a person by: the `sub` of the ID-JAG, and of single sign-on to that app. One function for both.
 *
 * @returns the name; `undefined` where the app has an own id for each person and none for this one.
 * @see ID-JAG draft §3.1, OpenID Connect Core §8.1
 */
export function subjectFor(
  person: Pick<Person, "id" | "email">,
  app: Pick<App, "id" | "subject" | "people">,
  secrets: NamingSecrets,
): string | undefined {
  return nameFor(app.subject, person, app, secrets);
}

/** One of a person's names at an app. @see subjectFor */
export function nameFor(
  kind: App["subject"],
  person: Pick<Person, "id" | "email">,
  app: Pick<App, "id" | "people">,
  secrets: NamingSecrets,
): string | undefined {
  switch (kind) {
    case "id":
      return person.id;
    case "email":
      return person.email;
    case "own":
      return ownIdAt(app, person.id);
    case "pairwise":
      // The app is the sector: its clients and its authorization server see one person as one.
      return createHmac("sha256", secrets.pairwise)
        .update(JSON.stringify([app.id, person.id]))
        .digest("base64url");
  }
}

/** The app's own id of a person; `undefined` where it has none. */
export function ownIdAt({ people }: Pick<App, "people">, personId: string): string | undefined {
  return people !== undefined && Object.hasOwn(people, personId) ? people[personId] : undefined;
}

/** The client id that an app gave an agent; `undefined` when the app does not know the agent. */
export function clientIdAt(app: Pick<App, "clients">, agentId: string): string | undefined {
  return Object.hasOwn(app.clients, agentId) ? app.clients[agentId] : undefined;
}
