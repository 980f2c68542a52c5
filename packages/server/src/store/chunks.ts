/** Rows in one statement: few enough for any database's limit of parameters. */
const LARGEST = 500;

/** Rows in pieces that one statement takes, in order; nothing for no rows. */
export function* chunks<R>(rows: readonly R[]): Generator<readonly R[], void> {
  for (let at = 0; at < rows.length; at += LARGEST) yield rows.slice(at, at + LARGEST);
}
