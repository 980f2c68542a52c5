import type pg from "pg";
import { type Backend, REVISION_AGE } from "../backend.ts";
import { ORGANIZATION_ROW } from "../schema.ts";
import { prepareOn } from "./prepared.ts";

interface Known {
  /** When it was asked for, on the process' own clock. */
  readonly since: number;
  readonly revision: Promise<number>;
}

/**
 * The organization's revision, asked for at most every {@link REVISION_AGE}, and only when somebody wants to know: what
 * another process changed is seen that much later, with no channel to tell it that could be cut.
 */
export function prepareRevision(pool: pg.Pool): Pick<Backend, "organizationRevision" | "organizationChanged"> {
  const query = prepareOn<{ readonly revision: number }>(pool, "select revision from organization where id = $1");
  let known: Known | undefined;

  async function ask(): Promise<number> {
    try {
      const [row] = await query([ORGANIZATION_ROW]);
      if (row === undefined) throw new Error("the store has lost its organization");
      return row.revision;
    } catch (error) {
      // The next one asks again.
      known = undefined;
      throw error;
    }
  }

  return {
    organizationRevision() {
      const now = performance.now();
      if (known === undefined || now - known.since >= REVISION_AGE) known = { since: now, revision: ask() };
      return known.revision;
    },
    organizationChanged() {
      known = undefined;
    },
  };
}
