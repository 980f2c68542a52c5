import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from "kysely";
import pg from "pg";
import { storedValues } from "../text.ts";

/** Where clients come from, and whether one may be used again. */
export interface Clients {
  take(): Promise<pg.ClientBase>;
  giveBack(client: pg.ClientBase, broken: boolean): void;
  end(): Promise<void>;
}

/** The clients of a pool. */
export function pooled(pool: pg.Pool): Clients {
  return {
    take: () => pool.connect(),
    // What comes from the pool can go back to it.
    giveBack: (client, broken) => (client as pg.PoolClient).release(broken),
    end: () => pool.end(),
  };
}

/**
 * Kysely over `pg`.
 * @param begin - How a transaction begins, with its isolation.
 */
export function postgresqlDialect(clients: Clients, begin: string): Dialect {
  return {
    createDriver: () => postgresqlDriver(clients, begin),
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  };
}

interface Session extends DatabaseConnection {
  readonly client: pg.ClientBase;
  /** Whether something went wrong that the database did not tell: what comes next on the wire is then anybody's guess. */
  broken: boolean;
}

function postgresqlDriver(clients: Clients, begin: string): Driver {
  const simple = (sql: string) => async (session: DatabaseConnection) => {
    await perform(session as Session, sql, []);
  };
  return {
    init: async () => {},
    acquireConnection: async () => openSession(await clients.take()),
    beginTransaction: simple(begin),
    commitTransaction: simple("commit"),
    rollbackTransaction: simple("rollback"),
    releaseConnection: async (session) => {
      const { client, broken } = session as Session;
      clients.giveBack(client, broken);
    },
    destroy: () => clients.end(),
  };
}

function openSession(client: pg.ClientBase): Session {
  const session: Session = {
    client,
    broken: false,
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, rowCount, command } = await perform(session, query.sql, query.parameters);
      const wrote = ["INSERT", "UPDATE", "DELETE"].includes(command);
      // The row type is what the typed query that was compiled says of its own columns.
      return { rows: rows as R[], ...(wrote ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) };
    },
    async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
      yield await session.executeQuery<R>(query);
    },
  };
  return session;
}

async function perform(session: Session, sql: string, values: readonly unknown[]): Promise<pg.QueryResult> {
  try {
    return await session.client.query(sql, [...storedValues(values)]);
  } catch (error) {
    // Errors that the database tells leave the connection in order; after any other one (broken, too late) it is not used again.
    if (!(error instanceof pg.DatabaseError)) session.broken = true;
    throw error;
  }
}
