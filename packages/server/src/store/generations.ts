/**
 * What is worth remembering, in bounded memory. There are two generations: what is used lives on in the young one, and when that is full,
 * the old one is forgotten. To forget a whole one costs nothing, and to find the oldest of all would.
 */
export interface Generations<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  clear(): void;
  /** How many are remembered. */
  size(): number;
}

/** @param size - Of one generation: there are at most twice as many. */
export function createGenerations<K, V>(size: number): Generations<K, V> {
  let young = new Map<K, V>();
  let old = new Map<K, V>();

  function set(key: K, value: V): void {
    if (young.size >= size && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }

  return {
    get(key) {
      const recent = young.get(key);
      if (recent !== undefined) return recent;
      const known = old.get(key);
      if (known !== undefined) set(key, known);
      return known;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
    clear() {
      young = new Map();
      old = new Map();
    },
    size: () => young.size + old.size,
  };
}
