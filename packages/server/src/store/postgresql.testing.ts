import { randomBytes } from "node:crypto";
import pg from "pg";

/** A place of one test's own in the PostgreSQL that listens on this machine. */
export interface TestSchema {
  /** For `openStore`: its tables go into this schema. */
  readonly url: string;
  /** Runs SQL in it, beside the store. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  drop(): Promise<void>;
}

const SERVER = process.env.CREDENCE_TEST_POSTGRESQL ?? "postgresql://postgres@127.0.0.1:5432/test";

/** Makes a schema that holds nothing yet. */
export async function createTestSchema(): Promise<TestSchema> {
  const name = `credence_${randomBytes(8).toString("hex")}`;
  const url = `${SERVER}?options=${encodeURIComponent(`-c search_path=${name}`)}`;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create schema ${name}`);
  return {
    url,
    query: async (sql) => (await client.query(sql)).rows,
    async drop() {
      await client.query(`drop schema ${name} cascade`);
      await client.end();
    },
  };
}
