import { setTimeout } from "node:timers/promises";
import { CredenceError } from "@credence/protocol";

/** Gathers what comes while a commit is under way, so that it shares the next one. */
export interface Group<T> {
  /** Resolves after the commit that took the item; rejects when that commit failed, or when too much is waiting. */
  add(item: T): Promise<void>;
  /** Whether there is room for what can be left out: a part of the places is kept for the rest. */
  hasRoom(): boolean;
  /** Resolves when nothing is waiting any more, however it ended. */
  settled(): Promise<void>;
}

/** Items in one commit. */
const LARGEST_COMMIT = 500;
/**
 * Milliseconds from the beginning of one commit to that of the next. Where a disk is quick, a commit would be over before a second
 * item came, and each would pay for a commit of its own: to hand it to the writing thread and back costs more than the item.
 */
const PACE_MS = 4;
/** Items that may wait. A store that does not answer must not fill the memory of the server. */
const MOST_WAITING = 10_000;
/** Of those, how many may be what can be left out. */
const MOST_OPTIONAL = 8_000;

interface Waiting<T> {
  readonly item: T;
  resolve(): void;
  reject(error: unknown): void;
}

/** @param commit - Takes items in order, all or none. Called one at a time. */
export function createGroup<T>(commit: (items: readonly T[]) => Promise<void>): Group<T> {
  let waiting: Waiting<T>[] = [];
  let running: Promise<void> | undefined;
  let begun = Number.NEGATIVE_INFINITY;

  /** Whoever comes after a pause waits for nothing but what is added in the same turn: it shares the commit. */
  async function paced(): Promise<void> {
    const early = begun + PACE_MS - performance.now();
    if (early > 0 && waiting.length < LARGEST_COMMIT) await setTimeout(early);
    begun = performance.now();
  }

  async function run(): Promise<void> {
    await Promise.resolve();
    while (waiting.length > 0) {
      await paced();
      const batch = waiting.slice(0, LARGEST_COMMIT);
      waiting = waiting.slice(LARGEST_COMMIT);
      try {
        await commit(batch.map((one) => one.item));
        for (const one of batch) one.resolve();
      } catch (error) {
        for (const one of batch) one.reject(error);
      }
    }
    running = undefined;
  }

  return {
    add(item) {
      if (waiting.length >= MOST_WAITING) return Promise.reject(tooMuch());
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        running ??= run();
      });
    },
    hasRoom: () => waiting.length < MOST_OPTIONAL,
    async settled() {
      while (running) await running;
    },
  };
}

function tooMuch(): CredenceError {
  return new CredenceError("The record takes no more for the moment: too much is waiting for the store.", {
    code: "temporarily_unavailable",
    reason: "store-unavailable",
    status: 503,
  });
}
