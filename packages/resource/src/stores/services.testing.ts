/** The databases that tests of stores need; where one is missing, its tests are skipped, and say why. */
import { Redis } from "ioredis";
import pg from "pg";

export const POSTGRESQL_URL: string =
  process.env.CREDENCE_TEST_POSTGRESQL ?? "postgresql://postgres@127.0.0.1:5432/test";
export const REDIS_URL: string = process.env.CREDENCE_TEST_REDIS ?? "redis://127.0.0.1:6379";

/** Why there is no PostgreSQL to test with; `undefined` where there is one. */
export async function missingPostgresql(): Promise<string | undefined> {
  const pool = new pg.Pool({ connectionString: POSTGRESQL_URL, connectionTimeoutMillis: 3_000 });
  try {
    await pool.query("SELECT 1");
    return undefined;
  } catch {
    return told(`no PostgreSQL at ${new URL(POSTGRESQL_URL).host}`);
  } finally {
    await pool.end();
  }
}

/** Why there is no Redis to test with; `undefined` where there is one. */
export async function missingRedis(): Promise<string | undefined> {
  const client = new Redis(REDIS_URL, { lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.ping();
    return undefined;
  } catch {
    return told(`no Redis at ${new URL(REDIS_URL).host}`);
  } finally {
    client.disconnect();
  }
}

/** Says so, whatever the reporter shows of what is skipped. */
function told(missing: string): string {
  process.stderr.write(`Skipped tests of stores: ${missing}\n`);
  return missing;
}
