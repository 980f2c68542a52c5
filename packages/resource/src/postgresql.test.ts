import { createServer } from "node:net";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PostgresqlStore, postgresqlSchema, postgresqlStore } from "./postgresql.ts";
import { storeConformance } from "./stores/conformance.testing.ts";
import { contend } from "./stores/contend.testing.ts";
import { missingPostgresql, POSTGRESQL_URL } from "./stores/services.testing.ts";

const newPool = (more: pg.PoolConfig = {}) => new pg.Pool({ connectionString: POSTGRESQL_URL, max: 10, ...more });
const missing = await missingPostgresql();

let made = 0;
const freshPrefix = (): string => `credence_test_${process.pid}_${made++}_`;
const drop = async (pool: pg.Pool, prefix: string): Promise<void> => {
  await pool.query(`DROP TABLE IF EXISTS ${["marks", "values", "epochs"].map((table) => prefix + table).join()}`);
};

storeConformance(
  "PostgreSQL",
  async () => {
    const prefix = freshPrefix();
    const [one, two] = [newPool(), newPool()];
    const store = postgresqlStore(one, { prefix });
    await store.prepare();
    return {
      stores: [store, postgresqlStore(two, { prefix })],
      async plantEpoch(key, epoch) {
        await one.query(`INSERT INTO ${prefix}epochs VALUES ($1, $2)`, [key, epoch]);
      },
      table: {
        sweep: () => store.sweep(),
        async rows() {
          const counts = `SELECT (SELECT count(*) FROM ${prefix}marks) + (SELECT count(*) FROM ${prefix}values) AS n`;
          return Number((await one.query(counts)).rows[0].n);
        },
      },
      async dispose() {
        await drop(one, prefix);
        await Promise.all([one.end(), two.end()]);
      },
    };
  },
  { rounds: 20, sweeps: true, missing },
);

describe.skipIf(missing !== undefined)(`a PostgreSQL database${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const prefix = freshPrefix();
  let pool: pg.Pool;
  let store: PostgresqlStore;
  beforeAll(() => {
    pool = newPool();
    store = postgresqlStore(pool, { prefix });
  });
  afterAll(async () => {
    await drop(pool, prefix);
    await pool.end();
  });

  test("that two processes use at once, tables and all: exactly one is first, for each of 20 keys", async () => {
    const firsts = await contend("postgresql", POSTGRESQL_URL, { keys: 20, uses: 20, prefix });
    expect(firsts).toEqual(Array<number>(20).fill(1));
  });

  test("in which ten stores make the same tables at once has them once", async () => {
    const own = freshPrefix();
    try {
      await Promise.all(Array.from({ length: 10 }, () => postgresqlStore(pool, { prefix: own }).prepare()));
      expect(await postgresqlStore(pool, { prefix: own }).consume("a", 9e9)).toBe("first");
    } finally {
      await drop(pool, own);
    }
  });

  test("keeps the tables in the schema that is named, and there only", async () => {
    const schema = `credence_test_${process.pid}`;
    await pool.query(`CREATE SCHEMA ${schema}`);
    try {
      expect(await postgresqlStore(pool, { schema }).consume("a", 9e9)).toBe("first");
      const { rows } = await pool.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1",
        [schema],
      );
      expect(rows.map((row) => row.table_name)).toEqual(["credence_epochs", "credence_marks", "credence_values"]);
    } finally {
      await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    }
  });

  test("is used by a role that may make no tables, where another has made them", async () => {
    const role = `credence_test_role_${process.pid}`;
    const schema = `${role}_schema`;
    await pool.query(`CREATE SCHEMA ${schema}; CREATE ROLE ${role} LOGIN`);
    const limited = newPool({ user: role, max: 1 });
    try {
      await pool.query(postgresqlSchema({ schema }));
      await pool.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
      const used = postgresqlStore(limited, { schema });
      expect(await used.consume("a", 9e9)).toBe("first");
      expect(await used.raiseEpoch("a")).toBeGreaterThan(1_000_000_000);
      expect(await used.sweep()).toBe(0);
    } finally {
      await limited.end();
      await pool.query(`DROP SCHEMA ${schema} CASCADE; DROP ROLE ${role}`);
    }
  });

  test("goes by its own clock, whatever type parsers the app has set", async () => {
    const { rows } = await pool.query("SELECT floor(extract(epoch FROM clock_timestamp()))::text AS now");
    const types = { getTypeParser: () => (text: string) => `parsed ${text}` };
    const odd = {
      query: (text: string, values: unknown[] = []) => pool.query({ text, values, types: { ...types } }),
    };
    await store.prepare();
    await expect(postgresqlStore(odd, { prefix }).raiseEpoch("odd")).rejects.toThrow("no number");
    const epoch = await store.raiseEpoch("clock");
    expect(epoch).toBeGreaterThanOrEqual(Number(rows[0].now));
  });
});

describe("a PostgreSQL that is not there", () => {
  const unavailable = { code: "temporarily_unavailable", reason: "store-unavailable" };

  test("rejects, and is asked again the next time", async () => {
    const pool = newPool({ connectionString: "postgresql://nobody@127.0.0.1:1/none" });
    const store = postgresqlStore(pool);
    await expect(store.consume("a", 9e9)).rejects.toMatchObject(unavailable);
    await expect(store.epochs(["a"])).rejects.toMatchObject(unavailable);
    await pool.end();
    let asked = 0;
    const query = async () => {
      asked++;
      if (asked === 1) throw new Error("connection refused");
      return { rows: [{ key: "a" }] };
    };
    const later = postgresqlStore({ query });
    await expect(later.consume("a", 9e9)).rejects.toMatchObject(unavailable);
    expect(await later.consume("a", 9e9)).toBe("first");
  });

  test("or that takes connections and never answers, rejects within its time", async () => {
    const sockets = new Set<import("node:net").Socket>();
    const silent = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const pool = newPool({ connectionString: `postgresql://nobody@127.0.0.1:${port}/none` });
    pool.on("error", () => undefined);
    const store = postgresqlStore(pool, { timeout: 0.1 });
    await expect(store.consume("a", 9e9)).rejects.toThrow("did not answer within 0.1 seconds");
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
    await pool.end();
  });
});

test.each(["", 'a"; DROP TABLE x', "Upper"])("is not made with tables under the prefix or schema %j", (name) => {
  const wrong = expect.objectContaining({ code: "configuration" });
  expect(() => postgresqlSchema({ prefix: name })).toThrow(wrong);
  expect(() => postgresqlSchema({ schema: name })).toThrow(wrong);
});
