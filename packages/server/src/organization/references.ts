import { isClientIdUrl } from "@credence/protocol/metadata";
import { cut, didYouMean, type Finding, type Path } from "./problems.ts";
import type { FileAgent, FileApp, FileConnection, FilePerson, Section } from "./schema.ts";

/** An entry that its schema accepted, and where it stands. */
export interface Placed<T> {
  readonly path: Path;
  readonly entry: T;
}

/** What could be read of a file: entries with a problem of their own are left out, but their ids are known. */
export interface Readable {
  readonly people: readonly Placed<FilePerson>[];
  readonly agents: readonly Placed<FileAgent>[];
  readonly apps: readonly Placed<FileApp>[];
  readonly connections: readonly Placed<FileConnection>[];
  /** Every id of a section with its place, in the order of the file. */
  readonly ids: Readonly<Record<Section, readonly { readonly id: string; readonly path: Path }[]>>;
}

/** Everything that one entry alone can not show: ids, addresses and issuers used twice, and names of what is not there. */
export function referenceFindings(file: Readable): Finding[] {
  const ids = {
    people: new Set(file.ids.people.map(({ id }) => id)),
    agents: new Set(file.ids.agents.map(({ id }) => id)),
    apps: new Set(file.ids.apps.map(({ id }) => id)),
  };
  const apps = new Map(file.apps.map(({ entry }) => [entry.id, entry]));
  return [
    ...Object.values(file.ids).flatMap((places) =>
      twice(
        places.map(({ id, path }) => ({ value: id, path: [...path, "id"] })),
        "id",
        "Give it an id of its own.",
      ),
    ),
    ...twice(
      file.people.map(({ entry, path }) => ({ value: entry.email.toLowerCase(), path: [...path, "email"] })),
      "email",
      "One address belongs to one person; upper and lower case do not count.",
    ),
    ...twice(
      file.apps.flatMap(({ entry, path }) => [
        { value: entry.issuer, path: [...path, "issuer"] },
        ...(entry.aliases ?? []).map((value, i) => ({ value, path: [...path, "aliases", i] })),
      ]),
      "issuer",
      "One issuer is one app; an app may have several resources.",
    ),
    ...file.apps.flatMap(({ entry, path }) =>
      Object.keys(entry.clients)
        .filter((agent) => !ids.agents.has(agent))
        .map((agent) => ({ ...unknown("agent", agent, ids.agents, [...path, "clients", agent]), atKey: true })),
    ),
    ...twice(
      [
        ...file.ids.agents.map(({ id, path }) => ({ value: id, path: [...path, "id"] })),
        ...file.apps.flatMap(({ entry, path }) =>
          entry.sso ? [{ value: entry.sso.client_id, path: [...path, "sso", "client_id"] }] : [],
        ),
      ].filter(({ path }, i, all) => path.at(-1) === "client_id" || !repeated(all, i)),
      "client id",
      "Agents and apps that sign people in share one space of client ids.",
    ),
    ...file.apps.flatMap(({ entry, path }) =>
      Object.keys(entry.people ?? {})
        .filter((person) => !ids.people.has(person))
        .map((person) => ({ ...unknown("person", person, ids.people, [...path, "people", person]), atKey: true })),
    ),
    ...file.agents.flatMap(documentFindings),
    ...file.connections.flatMap((connection) => connectionFindings(connection, ids, apps)),
  ];
}

/** Whether an agent's id stands before already: that is a problem of its own, told once. */
function repeated(all: readonly { readonly value: string }[], i: number): boolean {
  return all.findIndex(({ value }) => value === all[i]?.value) < i;
}

function documentFindings({ entry, path }: Placed<FileAgent>): Finding[] {
  if (entry.auth.method !== "client_id_metadata_document" || isClientIdUrl(entry.id, true)) return [];
  return [
    {
      path: [...path, "id"],
      message: `The id "${cut(entry.id)}" is not the URL of a metadata document.`,
      mend: "It is an https URL with a path, like https://agent.example/client.json; or give the agent another auth.",
    },
  ];
}

function connectionFindings(
  { entry, path }: Placed<FileConnection>,
  ids: {
    readonly people: ReadonlySet<string>;
    readonly agents: ReadonlySet<string>;
    readonly apps: ReadonlySet<string>;
  },
  apps: ReadonlyMap<string, FileApp>,
): Finding[] {
  const findings: Finding[] = [];
  if (!ids.agents.has(entry.agent)) findings.push(unknown("agent", entry.agent, ids.agents, [...path, "agent"]));
  if (!ids.apps.has(entry.app)) findings.push(unknown("app", entry.app, ids.apps, [...path, "app"]));
  for (const [i, who] of entry.people.entries()) {
    const id = who.startsWith("person:") ? who.slice("person:".length) : undefined;
    if (id !== undefined && !ids.people.has(id))
      findings.push(unknown("person", id, ids.people, [...path, "people", i]));
  }
  for (const [i, scope] of entry.default_scopes.entries()) {
    if (entry.scopes.includes(scope)) continue;
    findings.push({
      path: [...path, "default_scopes", i],
      message: `The default scope "${cut(scope)}" is not one of the connection's scopes.`,
      mend: "Add it to scopes, or leave it out of default_scopes.",
    });
  }
  for (const [i, actor] of (entry.actors ?? []).entries()) {
    if (!ids.agents.has(actor)) findings.push(unknown("agent", actor, ids.agents, [...path, "actors", i]));
  }
  const app = apps.get(entry.app);
  if (app) {
    const types = (entry.authorization_details ?? []).map(({ type }) => type);
    const has = Object.keys(app.authorization_details_types ?? {});
    findings.push(...notOfApp(types, "type of authorization details", has, app.id, [...path, "authorization_details"]));
    findings.push(...notOfApp(entry.scopes, "scope", Object.keys(app.scopes), app.id, [...path, "scopes"]));
    findings.push(...notOfApp(entry.resources ?? [], "resource", app.resources, app.id, [...path, "resources"]));
  }
  return findings;
}

function notOfApp(named: readonly string[], what: string, has: readonly string[], app: string, path: Path): Finding[] {
  const known = new Set(has);
  return named.flatMap((one, i) =>
    known.has(one)
      ? []
      : [
          {
            path: [...path, i],
            message: `The app "${app}" has no ${what} "${cut(one)}".${didYouMean(one, known)}`,
            mend: known.size > 0 ? `Its ${what}s: ${cut([...known].join(", "))}` : `Add the ${what} to the app first.`,
          },
        ],
  );
}

function twice(values: readonly { value: string; path: Path }[], what: string, mend: string): Finding[] {
  const seen = new Set<string>();
  return values.flatMap(({ value, path }) => {
    if (!seen.has(value)) {
      seen.add(value);
      return [];
    }
    return [{ path, message: `The ${what} "${cut(value)}" is used a second time.`, mend }];
  });
}

function unknown(what: "agent" | "app" | "person", id: string, known: ReadonlySet<string>, path: Path): Finding {
  const section = { agent: "agents", app: "apps", person: "people" }[what];
  return {
    path,
    message: `There is no ${what} "${cut(id)}".${didYouMean(id, known)}`,
    mend: `Add it to ${section}, or correct the id.`,
  };
}
