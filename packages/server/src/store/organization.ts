import type { Kysely, Transaction } from "kysely";
import type { Agent, App, Connection, Organization, Person } from "../directory/types.ts";
import type { Backend } from "./backend.ts";
import { chunks } from "./chunks.ts";
import { createDirectoryCache } from "./directory-cache.ts";
import { ORGANIZATION_ROW, type Tables } from "./schema.ts";
import { endSignInsOf, removeStragglers } from "./sign-ins.ts";
import type { Store } from "./store.ts";

type OrganizationStore = Pick<
  Store,
  | "organization"
  | "organizationHead"
  | "replaceOrganization"
  | "person"
  | "personByEmail"
  | "agent"
  | "appByIssuer"
  | "appByRelyingParty"
  | "connections"
>;

/** The organization as rows: columns for what is looked up by, a JSON document for the rest. */
export function organizationStore(backend: Backend): OrganizationStore {
  const { read, write } = backend;
  const cache = createDirectoryCache(() => backend.organizationRevision());
  const people = backend.lookup("people", ["id"]);
  const peopleByEmail = backend.lookup("people", ["email"]);
  const agents = backend.lookup("agents", ["id"]);
  const apps = backend.lookup("apps", ["id"]);
  const appsByIssuer = backend.lookup("apps", ["issuer"]);
  const appNames = backend.lookup("app_names", ["id"]);
  const connections = backend.lookup("connections", ["agent", "app"]);

  async function appByName(kind: AppName, name: string): Promise<App | undefined> {
    const [named] = await appNames(nameKey(kind, name));
    return named && first<App>(await apps(named.app));
  }

  return {
    organization: () => read.transaction().execute(readOrganization),
    organizationHead: () => cache.get("head", async () => parse<OrganizationHead>(await organizationRow(read))),
    async replaceOrganization(document, expectedRevision) {
      try {
        return await replace(read, write, document, expectedRevision);
      } finally {
        // However it ended: a connection may break after the commit.
        backend.organizationChanged();
      }
    },
    person: (id) => cache.get(`person ${id}`, async () => first<Person>(await people(id))),
    async personByEmail(email) {
      return first<Person>(await peopleByEmail(emailKey(email)));
    },
    agent: (id) => cache.get(`agent ${id}`, async () => first<Agent>(await agents(id))),
    appByIssuer: (issuerOrAlias) =>
      cache.get(
        `app ${issuerOrAlias}`,
        async () => first<App>(await appsByIssuer(issuerOrAlias)) ?? (await appByName("alias", issuerOrAlias)),
      ),
    appByRelyingParty: (clientId) => appByName("relying-party", clientId),
    async connections(agent, app) {
      const found = await cache.get(JSON.stringify(["connections", agent, app]), async () => {
        const rows = await connections(agent, app);
        return rows.length === 0 ? undefined : rows.toSorted(byId).map((row) => parse<Connection>(row));
      });
      return found ?? [];
    },
  };
}

// --- Rows ---------------------------------------------------------------------------------------------------------------

/** The columns of each kind's row; the keys are the tables that hold them. */
interface Rows {
  readonly people: readonly Tables["people"][];
  readonly agents: readonly Tables["agents"][];
  readonly apps: readonly Tables["apps"][];
  readonly app_names: readonly Tables["app_names"][];
  readonly connections: readonly Tables["connections"][];
}

const KINDS = ["people", "agents", "apps", "app_names", "connections"] as const;

type OrganizationHead = Pick<Organization, "name" | "demo" | "tenant">;

function rowsOf(organization: Organization): Rows {
  return {
    people: organization.people.map((one) => ({ ...row(one), email: emailKey(one.email) })),
    agents: organization.agents.map(row),
    apps: organization.apps.map((one) => ({ ...row(one), issuer: one.issuer })),
    app_names: organization.apps.flatMap(namesOf),
    connections: organization.connections.map((one) => ({ ...row(one), agent: one.agent, app: one.app })),
  };
}

/** What else an app is looked up by: aliases of its issuer, and its client id as a relying party. */
type AppName = "alias" | "relying-party";

function namesOf({ id: app, aliases = [], sso }: App): Tables["app_names"][] {
  const names: [AppName, string][] = aliases.map((alias) => ["alias", alias]);
  if (sso !== undefined) names.push(["relying-party", sso.clientId]);
  return names.map(([kind, name]) => {
    const id = nameKey(kind, name);
    // Whom it stands for is its whole content.
    return { id, app, document: JSON.stringify({ id, app }) };
  });
}

function nameKey(kind: AppName, name: string): string {
  return `${kind} ${name}`;
}

function row(one: { readonly id: string }): { id: string; document: string } {
  return { id: one.id, document: JSON.stringify(one) };
}

/** What stands in `document` was written by `rowsOf` from the same type, and by nobody else. */
function parse<T>(from: { readonly document: string }): T {
  return JSON.parse(from.document) as T;
}

function emailKey(email: string): string {
  return email.toLowerCase();
}

function first<T>([row]: readonly { readonly document: string }[]): T | undefined {
  return row && parse<T>(row);
}

/** By code units, so that every database gives the same order whatever its collation. */
function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

// --- Reading the whole --------------------------------------------------------------------------------------------------

async function readOrganization(db: Transaction<Tables>): Promise<{ revision: number; document: Organization }> {
  const { revision, document } = await organizationRow(db);
  const all = async <T>(kind: (typeof KINDS)[number]) => {
    const rows = await db.selectFrom(kind).select(["id", "document"]).execute();
    return rows.toSorted(byId).map((one) => parse<T>(one));
  };
  return {
    revision,
    document: {
      ...parse<OrganizationHead>({ document }),
      people: await all<Person>("people"),
      agents: await all<Agent>("agents"),
      apps: await all<App>("apps"),
      connections: await all<Connection>("connections"),
    },
  };
}

function organizationRow(db: Kysely<Tables>): Promise<{ revision: number; document: string }> {
  return db
    .selectFrom("organization")
    .select(["revision", "document"])
    .where("id", "=", ORGANIZATION_ROW)
    .executeTakeFirstOrThrow();
}

// --- Replacing the whole ------------------------------------------------------------------------------------------------

async function replace(
  read: Kysely<Tables>,
  write: Kysely<Tables>,
  wanted: Organization,
  expected: number,
): Promise<{ revision: number } | { conflict: number }> {
  // The difference is taken from one snapshot, outside the writing transaction, so that comparing 100,000 rows holds up
  // no other write. It is the true difference if the revision still is the expected one when it is written: every change
  // raises the revision.
  const snapshot = await read.transaction().execute(readRows);
  if (snapshot.revision !== expected) return { conflict: snapshot.revision };
  const difference = differ(snapshot.rows, rowsOf(wanted));
  const otherPassword = withOtherPassword(snapshot.rows.people, difference.people.come);
  const outcome = await write.transaction().execute(async (db) => {
    if (!(await raiseRevision(db, expected, wanted))) return { conflict: (await organizationRow(db)).revision };
    for (const kind of KINDS) await remove(db, kind, difference[kind].gone);
    await removeBelongingsOfThe(db, difference.people);
    await endSignInsOf(db, otherPassword);
    await insert(difference.people.come, (rows) => db.insertInto("people").values(rows).execute());
    await insert(difference.agents.come, (rows) => db.insertInto("agents").values(rows).execute());
    await insert(difference.apps.come, (rows) => db.insertInto("apps").values(rows).execute());
    await insert(difference.app_names.come, (rows) => db.insertInto("app_names").values(rows).execute());
    await insert(difference.connections.come, (rows) => db.insertInto("connections").values(rows).execute());
    return { revision: expected + 1 };
  });
  if ("revision" in outcome) await removeStragglers(write, otherPassword);
  return outcome;
}

async function readRows(db: Transaction<Tables>): Promise<{ revision: number; rows: Rows }> {
  const { revision } = await organizationRow(db);
  const rows = {
    people: await db.selectFrom("people").selectAll().execute(),
    agents: await db.selectFrom("agents").selectAll().execute(),
    apps: await db.selectFrom("apps").selectAll().execute(),
    app_names: await db.selectFrom("app_names").selectAll().execute(),
    connections: await db.selectFrom("connections").selectAll().execute(),
  };
  return { revision, rows };
}

interface Difference<R> {
  /** Ids of rows that are no longer wanted, or not as they are. */
  readonly gone: readonly string[];
  readonly come: readonly R[];
}

function differ(current: Rows, wanted: Rows): { readonly [Kind in keyof Rows]: Difference<Rows[Kind][number]> } {
  return {
    people: difference(current.people, wanted.people),
    agents: difference(current.agents, wanted.agents),
    apps: difference(current.apps, wanted.apps),
    app_names: difference(current.app_names, wanted.app_names),
    connections: difference(current.connections, wanted.connections),
  };
}

/** What changed goes and comes again, so that two people may swap their addresses under a unique index. */
function difference<R extends { readonly id: string; readonly document: string }>(
  current: readonly R[],
  wanted: readonly R[],
): Difference<R> {
  const currentDocuments = new Map(current.map((one) => [one.id, one.document]));
  const wantedDocuments = new Map(wanted.map((one) => [one.id, one.document]));
  return {
    gone: current.filter((one) => wantedDocuments.get(one.id) !== one.document).map((one) => one.id),
    // A doubled id in `wanted` comes twice and is refused by the primary key, with everything else.
    come: wanted.filter((one) => currentDocuments.get(one.id) !== one.document),
  };
}

async function raiseRevision(db: Transaction<Tables>, expected: number, wanted: Organization): Promise<boolean> {
  const document = JSON.stringify(headOf(wanted));
  const { numUpdatedRows } = await db
    .updateTable("organization")
    .set({ revision: expected + 1, document })
    .where("id", "=", ORGANIZATION_ROW)
    .where("revision", "=", expected)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

function headOf({ name, demo, tenant }: Organization): OrganizationHead {
  return { name, demo, ...(tenant === undefined ? {} : { tenant }) };
}

async function remove(db: Transaction<Tables>, kind: (typeof KINDS)[number], ids: readonly string[]): Promise<void> {
  for (const chunk of chunks(ids)) await db.deleteFrom(kind).where("id", "in", chunk).execute();
}

/**
 * Whoever leaves takes their passkeys, sessions and refresh tokens along: nobody who comes later under that id shall be let in
 * by them. So that nothing is there that a request in flight wrote after that, whoever comes begins with nothing, too.
 */
async function removeBelongingsOfThe(
  db: Transaction<Tables>,
  { gone, come }: Difference<Tables["people"]>,
): Promise<void> {
  const [before, after] = [new Set(gone), new Set(come.map(({ id }) => id))];
  const leaving = gone.filter((id) => !after.has(id));
  const arriving = [...after].filter((id) => !before.has(id));
  for (const chunk of chunks([...leaving, ...arriving])) {
    await db.deleteFrom("factors").where("person", "in", chunk).execute();
  }
  await endSignInsOf(db, [...leaving, ...arriving]);
}

/** Ids of those who stay and whose password is another one now, or none: who knew the former one is signed in no longer. */
function withOtherPassword(current: Rows["people"], come: Rows["people"]): readonly string[] {
  const before = new Map(current.map((one) => [one.id, one]));
  return come.flatMap((one) => {
    const was = before.get(one.id);
    return was !== undefined && parse<Person>(was).passwordHash !== parse<Person>(one).passwordHash ? [one.id] : [];
  });
}

async function insert<R>(rows: readonly R[], write: (chunk: readonly R[]) => Promise<unknown>): Promise<void> {
  for (const chunk of chunks(rows)) await write(chunk);
}
