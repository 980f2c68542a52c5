import type { App, Person } from "./types.ts";

/**
 * What an app knows a person by: the `sub` of the ID-JAG, and of single sign-on to that app.
 *
 * @see ID-JAG draft §3.1; docs: addresses are reassigned, so `email` is switched on per app, with a warning.
 */
export function subjectFor(person: Pick<Person, "id" | "email">, app: Pick<App, "subject">): string {
  return app.subject === "email" ? person.email : person.id;
}

/** The client id that an app gave an agent; `undefined` when the app does not know the agent. */
export function clientIdAt(app: Pick<App, "clients">, agentId: string): string | undefined {
  return Object.hasOwn(app.clients, agentId) ? app.clients[agentId] : undefined;
}
