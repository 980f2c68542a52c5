/** A store in PostgreSQL, for any number of processes. */
import type { ResourceStore } from "./store.ts";
import { withinDeadline } from "./stores/deadline.ts";
import { checkKey, checkValue, storeFault, wholeSecond } from "./stores/limits.ts";
import { SWEEP_ROWS, sweeper, type TableNames, tableNames } from "./stores/tables.ts";

/** What runs a statement: a `Pool` of `pg`, or anything with such a `query`. */
export interface PostgresqlClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly object[] }>;
}

/** How a store keeps itself in PostgreSQL. */
export interface PostgresqlStoreOptions {
  /** An existing schema for its tables; by default as the connection's `search_path` says. */
  readonly schema?: string;
  /** Of the names of its tables; `credence_` by default. */
  readonly prefix?: string;
  /** Seconds until an answer must be there, connecting included; 2 by default. */
  readonly timeout?: number;
}

/** A store in PostgreSQL. */
export interface PostgresqlStore extends ResourceStore {
  /** Makes the tables that are missing; it happens by itself before the first use. Rejects when that fails. */
  prepare(): Promise<void>;
  /**
   * Removes what has expired, at most 1,000 rows of each table; it happens by itself while marks are made.
   * @returns how many rows are gone.
   */
  sweep(): Promise<number>;
}

/**
 * Keeps everything in PostgreSQL. The clock is the database's.
 *
 * @param client - A pool, of connections to the primary: what a replica has not seen yet would be used twice. No transaction
 * of yours may be around the store's statements.
 */
export function postgresqlStore(client: PostgresqlClient, options: PostgresqlStoreOptions = {}): PostgresqlStore {
  const { prefix = "credence_", timeout = 2 } = options;
  const tables = tableNames(prefix, options.schema);
  const sql = statements(tables);
  const run = (text: string, values?: unknown[]): Promise<readonly Row[]> =>
    withinDeadline("PostgreSQL", timeout, async () => (await client.query(text, values)).rows);

  let prepared: Promise<unknown> | undefined;
  const prepare = async (): Promise<void> => {
    prepared ??= run(postgresqlSchema(options));
    try {
      await prepared;
    } catch (cause) {
      prepared = undefined;
      throw cause;
    }
  };
  const query = async (text: string, values: unknown[]): Promise<readonly Row[]> => {
    await prepare();
    return run(text, values);
  };
  const sweep = async (): Promise<number> => {
    const removed = [await query(sql.sweepMarks, [SWEEP_ROWS]), await query(sql.sweepValues, [SWEEP_ROWS])];
    return removed.reduce((sum, rows) => sum + rows.length, 0);
  };
  const written = sweeper(sweep);
  return {
    prepare,
    sweep,
    async consume(key, expiresAt) {
      checkKey(key);
      const rows = await query(sql.consume, [key, wholeSecond(expiresAt)]);
      await written();
      return rows.length === 1 ? "first" : "again";
    },
    async epochs(keys) {
      keys.forEach(checkKey);
      const rows = await query(sql.epochs, [keys]);
      const known = new Map(rows.map(({ key, epoch }) => [key, secondsOf(epoch)]));
      return keys.map((key) => known.get(key));
    },
    async raiseEpoch(key) {
      checkKey(key);
      const [row] = await query(sql.raise, [key]);
      return secondsOf(row?.epoch);
    },
    async put(key, value, expiresAt) {
      checkKey(key);
      checkValue(value);
      await query(sql.put, [key, value, wholeSecond(expiresAt)]);
      await written();
    },
    async get(key) {
      checkKey(key);
      const [row] = await query(sql.get, [key]);
      return typeof row?.value === "string" ? row.value : undefined;
    },
    async delete(key) {
      checkKey(key);
      await query(sql.delete, [key]);
    },
  };
}

/**
 * The one statement that makes the store's tables, for whoever lets another role make tables than the one that uses them: the
 * latter needs SELECT, INSERT, UPDATE and DELETE. Where they exist, it does nothing.
 */
export function postgresqlSchema(options: Pick<PostgresqlStoreOptions, "schema" | "prefix"> = {}): string {
  const { prefix = "credence_", schema } = options;
  const { marks, values, epochs } = tableNames(prefix, schema);
  // One at a time: simultaneous CREATE TABLE IF NOT EXISTS of one name fail. The number is ours, and arbitrary.
  return `DO $$ BEGIN
  PERFORM pg_advisory_xact_lock(4938271605);
  IF to_regclass('${marks}') IS NULL THEN
    CREATE TABLE ${marks} (key text PRIMARY KEY, expires_at bigint NOT NULL);
    CREATE INDEX ON ${marks} (expires_at);
  END IF;
  IF to_regclass('${values}') IS NULL THEN
    CREATE TABLE ${values} (key text PRIMARY KEY, value text NOT NULL, expires_at bigint NOT NULL);
    CREATE INDEX ON ${values} (expires_at);
  END IF;
  IF to_regclass('${epochs}') IS NULL THEN
    CREATE TABLE ${epochs} (key text PRIMARY KEY, epoch bigint NOT NULL);
  END IF;
END $$`;
}

/** A row of one of the statements below. */
interface Row {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly epoch?: unknown;
}

/** `clock_timestamp`, not `now`: the moment of the statement, after it has waited for a lock. */
const CLOCK = "floor(extract(epoch FROM clock_timestamp()))::bigint";

/** Each is one statement, so each is atomic; epochs travel as text, whatever the driver makes of a bigint. */
function statements({ marks, values, epochs }: TableNames) {
  // The condition stands twice: a row that somebody has renewed meanwhile is looked at anew, and stays.
  const sweep = (table: string) => `DELETE FROM ${table} WHERE expires_at <= ${CLOCK} AND key IN (
    SELECT key FROM ${table} WHERE expires_at <= ${CLOCK} ORDER BY expires_at LIMIT $1) RETURNING key`;
  return {
    consume: `INSERT INTO ${marks} AS mark (key, expires_at) VALUES ($1, $2)
      ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at WHERE mark.expires_at <= ${CLOCK}
      RETURNING key`,
    epochs: `SELECT key, epoch::text AS epoch FROM ${epochs} WHERE key = ANY ($1::text[])`,
    raise: `INSERT INTO ${epochs} AS known (key, epoch) VALUES ($1, ${CLOCK})
      ON CONFLICT (key) DO UPDATE SET epoch = greatest(known.epoch, ${CLOCK}) RETURNING epoch::text AS epoch`,
    put: `INSERT INTO ${values} (key, value, expires_at) VALUES ($1, $2, $3)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
    get: `SELECT value FROM ${values} WHERE key = $1 AND expires_at > ${CLOCK}`,
    delete: `DELETE FROM ${values} WHERE key = $1`,
    sweepMarks: sweep(marks),
    sweepValues: sweep(values),
  };
}

/** An epoch that can not be read must not read as none: that would be "nothing revoked". */
function secondsOf(epoch: unknown): number {
  const seconds = typeof epoch === "string" ? Number(epoch) : Number.NaN;
  if (!Number.isSafeInteger(seconds)) throw storeFault("PostgreSQL gave an epoch that is no number");
  return seconds;
}
