import { createGenerations } from "../store/generations.ts";

/** So many a minute for each key, all of a minute's at once if it must be. */
export interface RateLimit {
  /**
   * Takes one for a key. Who is turned away is charged nothing.
   *
   * @param now - Milliseconds of a clock that never goes back.
   * @returns 0, or the whole seconds after which one will be let through.
   */
  take(key: string, now: number): number;
  /** Gives one back: it was not what the limit is for. */
  giveBack(key: string, now: number): void;
  /** How many keys are remembered. */
  size(): number;
}

/** A minute, in milliseconds. */
const MINUTE = 60_000;
/** Keys of each of two generations: some 10 MB of a limit when somebody comes from everywhere. */
const GENERATION = 50_000;

/**
 * Makes a limit. Each key costs one number: when its allowance will be whole again (the generic cell rate algorithm). Memory is
 * bounded: whoever is forgotten, at least a generation of others came after. Forgotten means a fresh allowance, so a flood from more
 * addresses than that is held back by the number of connections, not by this.
 *
 * @param perMinute - More than 0.
 */
export function createRateLimit(perMinute: number, generation: number = GENERATION): RateLimit {
  const each = MINUTE / perMinute;
  const whole = createGenerations<string, number>(generation);

  return {
    take(key, now) {
      const full = Math.max(now, whole.get(key) ?? 0) + each;
      // Sums of fractions must not turn away the last one of a minute.
      const early = full - now - MINUTE - 1e-6;
      if (early > 0) return Math.ceil(early / 1_000);
      whole.set(key, full);
      return 0;
    },
    giveBack(key, now) {
      const full = whole.get(key);
      if (full !== undefined && full > now) whole.set(key, full - each);
    },
    size: whole.size,
  };
}

/** No limit. */
export const UNLIMITED: RateLimit = { take: () => 0, giveBack: () => {}, size: () => 0 };
