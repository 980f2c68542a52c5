import { CredenceError } from "@credence/protocol";

/** Rows that one sweep removes from one table at the most: what has gathered over a night goes in steps. */
export const SWEEP_ROWS = 1_000;

/** Marks and values that are written between two sweeps that a store makes by itself. */
const WRITES_BETWEEN_SWEEPS = 200;

/** Names of the tables of one store. */
export interface TableNames {
  readonly marks: string;
  readonly values: string;
  readonly epochs: string;
}

/** @throws CredenceError `configuration` for a prefix or schema that would need quoting. */
export function tableNames(prefix: string, schema?: string): TableNames {
  for (const name of [prefix, ...(schema === undefined ? [] : [schema])]) {
    if (/^[a-z_][a-z0-9_]{0,39}$/.test(name)) continue;
    const message = "A store's prefix and schema are 1 to 40 of a-z 0-9 _, the first no digit";
    throw new CredenceError(message, { code: "configuration" });
  }
  const [marks = "", values = "", epochs = ""] = ["marks", "values", "epochs"].map((table) =>
    schema === undefined ? `"${prefix}${table}"` : `"${schema}"."${prefix}${table}"`,
  );
  return { marks, values, epochs };
}

/**
 * Sweeps now and then, while a store is written to: it needs no timer, and what it removes keeps ahead of what comes.
 *
 * @param sweep - Removes at most {@link SWEEP_ROWS} expired rows of each table.
 * @returns a function to call after each write. It never rejects: what was written stands, and the next sweep tries again.
 */
export function sweeper(sweep: () => Promise<unknown>): () => Promise<void> {
  let writes = 0;
  return async () => {
    if (++writes % WRITES_BETWEEN_SWEEPS !== 0) return;
    await sweep().catch(() => undefined);
  };
}
