/** Runs at most one of a kind at a time; whoever asks meanwhile gets the same outcome. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Joins the run under this key, or starts one. */
  run(key: string, start: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running) return running;
    const promise = start().finally(() => this.#running.delete(key));
    this.#running.set(key, promise);
    return promise;
  }
}

/** A map with at most `size` entries: the one that was used longest ago makes place. */
export class BoundedMap<T> {
  readonly #entries = new Map<string, T>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): T | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.#move(key, value);
    return value;
  }

  set(key: string, value: T): void {
    this.#move(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#size && oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  values(): readonly T[] {
    return [...this.#entries.values()];
  }

  #move(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
  }
}

/** Waits for a shared promise no longer than one's own signal allows; the shared work goes on for the others. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
