/** The customers of the app, in SQLite: which IdP speaks for whom, and each customer's people in a table of their own. */
import type { DatabaseSync } from "node:sqlite";
import type { Account, SubjectHints, SubjectKey, Trust } from "@credence/resource";

/** A customer, as it was signed up: after somebody proved that the organization, its IdP and its domains are theirs. */
export interface NewCustomer {
  /** Part of a table's name: small letters and digits. */
  readonly id: string;
  /** Issuer of its IdP, letter by letter. */
  readonly issuer: string;
  /** The IdP's `tenant` claim, where one issuer serves several organizations. */
  readonly tenant?: string;
}

/** A person at a customer. */
export interface Person extends Account {
  readonly customer: string;
}

export interface Customers {
  add(customer: NewCustomer): void;
  /** The customer that an issuer with its tenant selects: nothing else of an ID-JAG takes part. */
  find(iss: string, tenant: string | undefined): Promise<Trust | undefined>;
  /** Everybody of a customer, for its admins. */
  people(customer: string): readonly string[];
  resolve(subject: SubjectKey): Person | undefined;
  provision(subject: SubjectKey & SubjectHints): Person;
}

/** Opens the customers of a database. */
export function openCustomers(db: DatabaseSync): Customers {
  // `''` stands for no tenant: in a primary key NULL would equal nothing.
  db.exec(`CREATE TABLE IF NOT EXISTS idps (
    issuer TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT '', customer TEXT NOT NULL, PRIMARY KEY (issuer, tenant)
  ) STRICT`);
  const resolve = ({ customer, iss, tenant = "", sub }: SubjectKey): Person | undefined => {
    const select = `SELECT id FROM ${tableOf(customer)} WHERE iss = ? AND tenant = ? AND sub = ?`;
    const id = db.prepare(select).get(iss, tenant, sub)?.id;
    return typeof id === "string" ? { id, customer } : undefined;
  };
  return {
    add({ id, issuer, tenant = "" }) {
      db.exec(`CREATE TABLE IF NOT EXISTS ${tableOf(id)} (
        id TEXT PRIMARY KEY, iss TEXT NOT NULL, tenant TEXT NOT NULL, sub TEXT NOT NULL, UNIQUE (iss, tenant, sub)
      ) STRICT`);
      db.prepare("INSERT INTO idps (issuer, tenant, customer) VALUES (?, ?, ?)").run(issuer, tenant, id);
    },
    async find(issuer, tenant) {
      if (tenant === "") return undefined;
      const select = "SELECT customer FROM idps WHERE issuer = ? AND tenant = ?";
      const id = db.prepare(select).get(issuer, tenant ?? "")?.customer;
      if (typeof id !== "string") return undefined;
      return { customer: { id }, issuer: { issuer, jit: true, ...(tenant === undefined ? {} : { tenant }) } };
    },
    people: (customer) =>
      db
        .prepare(`SELECT id FROM ${tableOf(customer)} ORDER BY id`)
        .all()
        .map(({ id }) => String(id)),
    resolve,
    provision(subject) {
      const { customer, iss, tenant = "", sub } = subject;
      const insert = `INSERT INTO ${tableOf(customer)} (id, iss, tenant, sub) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`;
      db.prepare(insert).run(crypto.randomUUID(), iss, tenant, sub);
      const person = resolve(subject);
      // It is there: we wrote it, or whoever came first did.
      if (person === undefined) throw new Error("The account could not be written");
      return person;
    },
  };
}

/** Values are bound, but names of tables can not be. */
function tableOf(customer: string): string {
  if (!/^[a-z][a-z0-9]{0,30}$/.test(customer)) throw new Error("A customer's id is of small letters and digits");
  return `people_${customer}`;
}
