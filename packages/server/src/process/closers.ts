/** What closes again what was opened: the last first. */
export interface Closers {
  push(close: () => unknown): void;
  /** Closes everything, also where something can not be closed. @throws what failed first. */
  close(): Promise<void>;
}

/** Begins with nothing to close. */
export function createClosers(): Closers {
  const closers: (() => unknown)[] = [];
  return {
    push: (close) => void closers.push(close),
    async close() {
      const failures: unknown[] = [];
      for (const close of closers.splice(0).reverse()) {
        try {
          await close();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
