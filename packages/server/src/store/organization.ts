import type { Kysely, Transaction } from "kysely";
import type { Agent, App, Connection, Organization, Person } from "../directory/types.ts";
import { chunks } from "./chunks.ts";
import { ORGANIZATION_ROW, type Tables } from "./schema.ts";
import type { Store } from "./store.ts";

type OrganizationStore = Pick<
  Store,
  | "organization"
  | "organizationName"
  | "replaceOrganization"
  | "person"
  | "personByEmail"
  | "agent"
  | "appByIssuer"
  | "connections"
>;

/** The organization as rows: columns for what is looked up by, a JSON document for the rest. */
export function organizationStore(read: Kysely<Tables>, write: Kysely<Tables>): OrganizationStore {
  return {
    organization: () => read.transaction().execute(readOrganization),
    organizationName: async () => parse<Pick<Organization, "name">>(await organizationRow(read)).name,
    replaceOrganization: (document, expectedRevision) => replace(read, write, document, expectedRevision),
    async person(id) {
      const row = await read.selectFrom("people").select("document").where("id", "=", id).executeTakeFirst();
      return row && parse<Person>(row);
    },
    async personByEmail(email) {
      const query = read.selectFrom("people").select("document").where("email", "=", emailKey(email));
      const row = await query.executeTakeFirst();
      return row && parse<Person>(row);
    },
    async agent(id) {
      const row = await read.selectFrom("agents").select("document").where("id", "=", id).executeTakeFirst();
      return row && parse<Agent>(row);
    },
    async appByIssuer(issuer) {
      const row = await read.selectFrom("apps").select("document").where("issuer", "=", issuer).executeTakeFirst();
      return row && parse<App>(row);
    },
    async connections(agent, app) {
      const query = read.selectFrom("connections").select(["id", "document"]);
      const rows = await query.where("agent", "=", agent).where("app", "=", app).execute();
      return rows.toSorted(byId).map((row) => parse<Connection>(row));
    },
  };
}

// --- Rows ---------------------------------------------------------------------------------------------------------------

/** The columns of each kind's row; the keys are the tables that hold them. */
interface Rows {
  readonly people: readonly Tables["people"][];
  readonly agents: readonly Tables["agents"][];
  readonly apps: readonly Tables["apps"][];
  readonly connections: readonly Tables["connections"][];
}

const KINDS = ["people", "agents", "apps", "connections"] as const;

function rowsOf(organization: Organization): Rows {
  return {
    people: organization.people.map((one) => ({ ...row(one), email: emailKey(one.email) })),
    agents: organization.agents.map(row),
    apps: organization.apps.map((one) => ({ ...row(one), issuer: one.issuer })),
    connections: organization.connections.map((one) => ({ ...row(one), agent: one.agent, app: one.app })),
  };
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
      ...parse<Pick<Organization, "name" | "demo">>({ document }),
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
  return write.transaction().execute(async (db) => {
    if (!(await raiseRevision(db, expected, wanted))) return { conflict: (await organizationRow(db)).revision };
    for (const kind of KINDS) await remove(db, kind, difference[kind].gone);
    await insert(difference.people.come, (rows) => db.insertInto("people").values(rows).execute());
    await insert(difference.agents.come, (rows) => db.insertInto("agents").values(rows).execute());
    await insert(difference.apps.come, (rows) => db.insertInto("apps").values(rows).execute());
    await insert(difference.connections.come, (rows) => db.insertInto("connections").values(rows).execute());
    return { revision: expected + 1 };
  });
}

async function readRows(db: Transaction<Tables>): Promise<{ revision: number; rows: Rows }> {
  const { revision } = await organizationRow(db);
  const rows = {
    people: await db.selectFrom("people").selectAll().execute(),
    agents: await db.selectFrom("agents").selectAll().execute(),
    apps: await db.selectFrom("apps").selectAll().execute(),
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
  const document = JSON.stringify({ name: wanted.name, demo: wanted.demo });
  const { numUpdatedRows } = await db
    .updateTable("organization")
    .set({ revision: expected + 1, document })
    .where("id", "=", ORGANIZATION_ROW)
    .where("revision", "=", expected)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function remove(db: Transaction<Tables>, kind: (typeof KINDS)[number], ids: readonly string[]): Promise<void> {
  for (const chunk of chunks(ids)) await db.deleteFrom(kind).where("id", "in", chunk).execute();
}

async function insert<R>(rows: readonly R[], write: (chunk: readonly R[]) => Promise<unknown>): Promise<void> {
  for (const chunk of chunks(rows)) await write(chunk);
}
