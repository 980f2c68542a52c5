/** Gathers what comes while a batch is under way, so that it shares the next one. */
export interface Batches<Q, A> {
  /** Resolves with the item's own answer; rejects with its own error, with its batch's, or when too much is waiting. */
  add(item: Q): Promise<A>;
  /** Waits until no batch is under way, and keeps the next from beginning until the returned function is called. */
  hold(): Promise<() => void>;
}

/** Items in one batch. */
const LARGEST = 500;
/** Items that may wait. A database that does not answer must not fill the memory of the server. */
const MOST_WAITING = 10_000;

interface Waiting<Q, A> {
  readonly item: Q;
  resolve(answer: A): void;
  reject(error: unknown): void;
}

/**
 * One batch at a time: the more comes, the larger they get, and the less each item costs.
 *
 * @param run - Takes items in order and gives as many answers; an `Error` in the place of an answer is that item's alone.
 */
export function createBatches<Q, A>(run: (items: readonly Q[]) => Promise<readonly (A | Error)[]>): Batches<Q, A> {
  let waiting: Waiting<Q, A>[] = [];
  let holders: (() => void)[] = [];
  let busy = false;
  let scheduled = false;

  /** Whatever the requests of one turn of the event loop ask for goes together. */
  function schedule(): void {
    if (busy || scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      next();
    });
  }

  function next(): void {
    if (busy) return;
    const [holder, ...others] = holders;
    if (holder !== undefined) {
      holders = others;
      busy = true;
      holder();
    } else if (waiting.length > 0) {
      busy = true;
      const batch = waiting.slice(0, LARGEST);
      waiting = waiting.slice(LARGEST);
      void settle(batch).then(ended);
    }
  }

  function ended(): void {
    busy = false;
    if (holders.length > 0 || waiting.length > 0) schedule();
  }

  async function settle(batch: readonly Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await run(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, n) => {
        const answer = answers[n];
        if (answer instanceof Error) reject(answer);
        // As many answers as items, by the contract of `run`.
        else resolve(answer as A);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    add(item) {
      if (waiting.length >= MOST_WAITING) return Promise.reject(new Error("too much is waiting for the database"));
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        schedule();
      });
    },
    hold() {
      return new Promise((resolve) => {
        holders.push(() => resolve(once(ended)));
        schedule();
      });
    },
  };
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    run();
  };
}
