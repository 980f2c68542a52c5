import { createGenerations } from "./generations.ts";

/** Parsed documents of the organization, as they are at its current revision. */
export interface DirectoryCache {
  /**
   * Gives what is kept under a name, or else what `load` finds.
   * @param load - Its `undefined` is not kept: names come from outside, and what is not there must not fill the memory.
   */
  get<T>(name: string, load: () => Promise<T> | T): Promise<T>;
}

/** Documents in one generation; there are two. */
const GENERATION = 10_000;

/**
 * @param revision - The organization's current revision. It rejects when that can not be had: nothing is then given.
 */
export function createDirectoryCache(revision: () => number | Promise<number>): DirectoryCache {
  let at: number | undefined;
  const documents = createGenerations<string, unknown>(GENERATION);

  function known(name: string, current: number): unknown {
    if (current !== at) {
      at = current;
      documents.clear();
    }
    return documents.get(name);
  }

  return {
    // A name is asked for with one type alone, by those who write `load` beside it.
    async get<T>(name: string, load: () => Promise<T> | T) {
      const asked = revision();
      const current = typeof asked === "number" ? asked : await asked;
      const document = known(name, current);
      if (document !== undefined) return document as T;
      const loaded = await load();
      // What was loaded while the revision changed may be of the one before.
      if (loaded !== undefined && at === current) documents.set(name, loaded);
      return loaded;
    },
  };
}
