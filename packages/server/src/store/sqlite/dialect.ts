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
import type { SqliteConnection } from "./connection.ts";

/** Kysely over `node:sqlite`, on this thread or another. */
export function sqliteDialect(connection: SqliteConnection): Dialect {
  return {
    createDriver: () => sqliteDriver(connection),
    createAdapter: () => new TransactionalSqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/** SQLite rolls back its DDL as well; unless the adapter says so, a failed migration leaves half of its tables. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** One connection; Kysely lets one query or transaction at a time have it. */
function sqliteDriver(connection: SqliteConnection): Driver {
  const shared = databaseConnection(connection);
  return {
    init: async () => {},
    acquireConnection: async () => shared,
    beginTransaction: async () => {
      await connection.execute("begin", []);
    },
    commitTransaction: async () => {
      await connection.execute("commit", []);
    },
    rollbackTransaction: async () => {
      await connection.execute("rollback", []);
    },
    releaseConnection: async () => {},
    destroy: () => connection.close(),
  };
}

function databaseConnection(connection: SqliteConnection): DatabaseConnection {
  return {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, changes } = await connection.execute(query.sql, query.parameters);
      // The row type is what the typed query that was compiled says of its own columns.
      return { rows: rows as R[], numAffectedRows: BigInt(changes) };
    },
    async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
      yield await this.executeQuery<R>(query);
    },
  };
}
