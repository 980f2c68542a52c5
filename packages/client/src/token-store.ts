/** Where sign-ins are kept beyond a process. What is kept is secret. */
export interface TokenStore {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  /**
   * Runs `work` while nobody else runs any under this key, in this process or another that shares the store: refresh tokens
   * rotate, and two uses of one end the sign-in.
   */
  lock<T>(key: string, work: () => Promise<T>): Promise<T>;
}

/** Keeps sign-ins in memory, until the process ends. */
export function memoryTokenStore(): TokenStore {
  const values = new Map<string, string>();
  const queue = new Map<string, Promise<unknown>>();
  return {
    get: async (key) => values.get(key),
    async set(key, value) {
      values.set(key, value);
    },
    async delete(key) {
      values.delete(key);
    },
    lock(key, work) {
      const before = queue.get(key) ?? Promise.resolve();
      const run = before.then(work, work);
      const over = run
        .catch(() => {})
        .then(() => {
          // Nobody came after: the key is forgotten.
          if (queue.get(key) === over) queue.delete(key);
        });
      queue.set(key, over);
      return run;
    },
  };
}
