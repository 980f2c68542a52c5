import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { SqliteConnection, SqliteTransaction } from "./connections.ts";
import type { StatementResult } from "./messages.ts";

/** Kysely over `node:sqlite`, on this thread or another. */
export function sqliteDialect(connection: SqliteConnection): Dialect {
  return {
    createDriver: () => sqliteDriver(connection),
    createAdapter: () => new TransactionalSqliteAdapter(connection.takesTurns),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

class TransactionalSqliteAdapter extends SqliteAdapter {
  readonly #takesTurns: boolean;

  constructor(takesTurns: boolean) {
    super();
    this.#takesTurns = takesTurns;
  }

  /** SQLite rolls back its DDL as well; unless the adapter says so, a failed migration leaves half of its tables. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }

  /** Otherwise Kysely lets one query or transaction at a time have the connection. */
  override get supportsMultipleConnections(): boolean {
    return this.#takesTurns;
  }
}

/** What Kysely takes for a connection: single statements, or the transaction that was begun on it. */
interface SqliteSession extends DatabaseConnection {
  transaction?: SqliteTransaction;
}

function sqliteDriver(connection: SqliteConnection): Driver {
  return {
    init: async () => {},
    acquireConnection: async () => openSession(connection),
    async beginTransaction(session: SqliteSession) {
      session.transaction = await connection.transaction();
      await session.transaction.execute(connection.begin, []);
    },
    async commitTransaction(session: SqliteSession) {
      await session.transaction?.execute("commit", []);
    },
    async rollbackTransaction(session: SqliteSession) {
      await session.transaction?.execute("rollback", []);
    },
    async releaseConnection(session: SqliteSession) {
      session.transaction?.release();
      delete session.transaction;
    },
    destroy: () => connection.close(),
  };
}

function openSession(connection: SqliteConnection): SqliteSession {
  const session: SqliteSession = {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      return queryResult(await (session.transaction ?? connection).execute(query.sql, query.parameters));
    },
    async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
      yield await session.executeQuery<R>(query);
    },
  };
  return session;
}

function queryResult<R>(result: StatementResult): QueryResult<R> {
  if (typeof result === "number") return { rows: [], numAffectedRows: BigInt(result) };
  // The row type is what the typed query that was compiled says of its own columns.
  return { rows: result as R[] };
}
