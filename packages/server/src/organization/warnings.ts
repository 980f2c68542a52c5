import { cut, type Finding } from "./problems.ts";
import type { Readable } from "./references.ts";

/**
 * What is allowed and yet probably not meant.
 *
 * @param now - Seconds since the epoch.
 */
export function warningFindings(file: Readable, name: string | undefined, now: number): Finding[] {
  return [
    ...(name === undefined
      ? [
          {
            path: [],
            message: "The organization has no name.",
            mend: "Add name: at the top; the sign-in page shows it.",
          },
        ]
      : []),
    ...subjectWarnings(file),
    ...clientWarnings(file),
    ...connectionWarnings(file, now),
  ];
}

function subjectWarnings({ apps }: Readable): Finding[] {
  return apps
    .filter(({ entry }) => entry.subject === "email")
    .map(({ path }) => ({
      path: [...path, "subject"],
      message: "The app knows people by their address, and addresses are reassigned.",
      mend: "Use subject: id, unless the app can not.",
    }));
}

/** Two agents behind one client id are one to the app: it can not tell whom it serves. */
function clientWarnings({ apps }: Readable): Finding[] {
  return apps.flatMap(({ entry, path }) => {
    const clients = Object.entries(entry.clients);
    return clients
      .filter(([, clientId], i) => clients.findIndex(([, other]) => other === clientId) < i)
      .map(([agent, clientId]) => ({
        path: [...path, "clients", agent],
        message: `Another agent has the client id "${cut(clientId)}" at this app, too.`,
        mend: "Ask the app for a client id for each agent.",
      }));
  });
}

function connectionWarnings({ connections, agents, apps, people }: Readable, now: number): Finding[] {
  const agentById = new Map(agents.map(({ entry }) => [entry.id, entry]));
  const appById = new Map(apps.map(({ entry }) => [entry.id, entry]));
  const groups = new Set(people.flatMap(({ entry }) => entry.groups));
  return connections.flatMap(({ entry, path }) => {
    const app = appById.get(entry.app);
    const warnings: Finding[] = [];
    for (const [i, who] of entry.people.entries()) {
      const group = who.startsWith("group:") ? who.slice("group:".length) : undefined;
      if (group === undefined || groups.has(group)) continue;
      warnings.push({
        path: [...path, "people", i],
        message: `Nobody is in the group "${cut(group)}".`,
        mend: "Correct the name, or put people into the group.",
      });
    }
    if (app && agentById.has(entry.agent) && !Object.hasOwn(app.clients, entry.agent)) {
      warnings.push({
        path: [...path, "app"],
        message: `The app "${app.id}" does not say which client id the agent "${cut(entry.agent)}" has there: every request is denied.`,
        mend: `Add it to the app's clients: { ${cut(entry.agent)}: CLIENT_ID }.`,
      });
    }
    const agent = agentById.get(entry.agent);
    if (agent?.auth.method === "none" && !agent.dpop_bound_access_tokens) {
      warnings.push({
        path: [...path, "agent"],
        message: `The agent "${cut(entry.agent)}" does not authenticate: it may sign people in, and every exchange is refused.`,
        mend: "Give the agent a secret or keys, or set dpop_bound_access_tokens: true.",
      });
    }
    if (entry.expires !== undefined && Date.parse(entry.expires) / 1000 <= now) {
      warnings.push({
        path: [...path, "expires"],
        message: "The connection has expired.",
        mend: "Remove it, or give it more time.",
      });
    }
    return warnings;
  });
}
