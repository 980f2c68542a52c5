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
  // What is used lives on in the young generation. Dropping a whole one costs nothing, and finding the oldest would.
  let young = new Map<string, unknown>();
  let old = new Map<string, unknown>();

  function keep(name: string, document: unknown): void {
    if (young.size >= GENERATION) {
      old = young;
      young = new Map();
    }
    young.set(name, document);
  }

  return {
    // A name is asked for with one type alone, by those who write `load` beside it.
    async get<T>(name: string, load: () => Promise<T> | T) {
      const current = await revision();
      if (current !== at) {
        at = current;
        young = new Map();
        old = new Map();
      }
      const recent = young.get(name);
      if (recent !== undefined) return recent as T;
      const known = old.get(name);
      const document = known === undefined ? await load() : (known as T);
      // What was loaded while the revision changed may be of the one before.
      if (document !== undefined && at === current) keep(name, document);
      return document;
    },
  };
}
