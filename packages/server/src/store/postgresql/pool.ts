import pg from "pg";

/** Connections of one process. Look-ups and marks are grouped, so a few carry any load. */
const CONNECTIONS = 8;
/** Milliseconds for a connection to be had: one that is free, or a new one. */
const CONNECT_WITHIN = 5_000;
/** Milliseconds for a statement, as the database keeps them; and as we do, should it be gone without a word. */
const STATEMENT_WITHIN = 5_000;
const ANSWER_WITHIN = 7_000;

/** `int8`: counts, and no count of ours reaches 2⁵³. */
const INT8 = 20;

/** Rounded, one row would pass for another: what is none of our counts can not be read, as in SQLite. */
function exactly(count: string): number {
  const number = Number(count);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${count} is too large to be a count`);
  return number;
}

const types: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === INT8 && format !== "binary") return exactly;
    return pg.types.getTypeParser(oid, format);
  },
};

/**
 * A bounded number of connections, each made when it is needed: a database that was away needs no help to be found again.
 *
 * @param url - What it does not say comes from the environment (PGPASSWORD, PGPASSFILE, PGSSLROOTCERT …).
 */
export function createPool(url: string, readOnly: boolean): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    types,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_WITHIN,
    statement_timeout: STATEMENT_WITHIN,
    query_timeout: ANSWER_WITHIN,
    idle_in_transaction_session_timeout: STATEMENT_WITHIN,
    keepAlive: true,
    application_name: "credence",
    allowExitOnIdle: true,
  });
  // A connection that breaks is replaced by the next one; unheard, its event would end the process. Whatever was asked on it is
  // told by itself.
  pool.on("error", () => {});
  pool.on("connect", (client) => {
    client.on("error", () => {});
    // Queued before whatever the connection was made for; when it fails, so does that.
    if (readOnly) client.query("set default_transaction_read_only = on").catch(() => {});
  });
  return pool;
}

/** One connection for what may take long: to bring the tables up to date, alone. */
export async function connectAlone(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, types, connectionTimeoutMillis: CONNECT_WITHIN });
  client.on("error", () => {});
  await client.connect();
  return client;
}
