import { PASSWORD_COST, parsePasswordHash } from "../directory/password-hash.ts";
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
    ...passwordWarnings(file),
    ...subjectWarnings(file),
    ...secretWarnings(file),
    ...clientWarnings(file),
    ...connectionWarnings(file, now),
  ];
}

/** Somebody unknown costs what our own hashes cost: another cost tells by its time that the address is known here. */
function passwordWarnings({ people }: Readable): Finding[] {
  const others = people.filter(({ entry }) => {
    const hash = entry.password_hash === undefined ? undefined : parsePasswordHash(entry.password_hash);
    const { memory, passes, parallelism } = PASSWORD_COST;
    return hash && !(hash.memory === memory && hash.passes === passes && hash.parallelism === parallelism);
  });
  const [first] = others;
  if (first === undefined) return [];
  const { memory, passes, parallelism } = PASSWORD_COST;
  return [
    {
      path: [...first.path, "password_hash"],
      message: `The password hash of ${others.length} of the people has another cost than ours: the time of a wrong password tells strangers that they exist.`,
      mend: `Make it anew with credence password-hash (m=${memory},t=${passes},p=${parallelism}).`,
    },
  ];
}

function subjectWarnings({ apps, people }: Readable): Finding[] {
  return apps.flatMap(({ entry, path }) => {
    const warnings: Finding[] = [];
    if (entry.subject === "email") {
      warnings.push({
        path: [...path, "subject"],
        message: "The app knows people by their address, and addresses are reassigned.",
        mend: "Use subject: id, unless the app can not.",
      });
    }
    if (entry.saml_name_id?.name_id === "email") {
      warnings.push({
        path: [...path, "saml_name_id", "name_id"],
        message: "The NameID is their address, and addresses are reassigned.",
        mend: "It must be what the app sees by SAML; where that may change, use name_id: id there and here.",
      });
    }
    const own = entry.subject === "own" || entry.saml_name_id?.name_id === "own";
    const nameless = own ? people.filter(({ entry: { id } }) => !Object.hasOwn(entry.people ?? {}, id)) : [];
    if (nameless.length > 0) {
      warnings.push({
        path: [...path, entry.subject === "own" ? "subject" : "saml_name_id"],
        message: `The app has no own id of ${nameless.length} of the people: no agent reaches it for them.`,
        mend: "Add them to the app's people: { PERSON: ID }, if they use the app.",
      });
    }
    return warnings;
  });
}

/** A secret that was replaced because it is known to others is known to them for as long as it counts. */
function secretWarnings({ agents, apps }: Readable): Finding[] {
  const auths = [
    ...agents.map(({ entry, path }) => ({ auth: entry.auth, path: [...path, "auth"] })),
    ...apps.flatMap(({ entry, path }) => (entry.sso ? [{ auth: entry.sso.auth, path: [...path, "sso", "auth"] }] : [])),
  ];
  return auths.flatMap(({ auth, path }) =>
    "former_secret" in auth && auth.former_secret !== undefined
      ? [
          {
            path: [...path, "former_secret"],
            message: "The secret before the present one still counts.",
            mend: "Take former_secret out as soon as the new secret is in use everywhere.",
          },
        ]
      : [],
  );
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

/** Ways to authenticate that come with keys. */
const HAS_KEYS: ReadonlySet<string> = new Set(["private_key_jwt", "client_id_metadata_document"]);

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
    for (const [i, actor] of (entry.actors ?? []).entries()) {
      const method = agentById.get(actor)?.auth.method;
      if (method === undefined || HAS_KEYS.has(method)) continue;
      warnings.push({
        path: [...path, "actors", i],
        message: `The agent "${cut(actor)}" has no key of its own to sign an actor token with: it never acts.`,
        mend: "Give it auth: private_key_jwt, or leave it out.",
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
