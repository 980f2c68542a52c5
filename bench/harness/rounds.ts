/** Compares servers within one run: they take turns, round after round, so that what slows the machine slows them all. */
import { BenchError } from "./error.ts";
import type { Subject } from "./subject.ts";
import { type Load, load } from "./wrk.ts";

/** How long and how often. */
export interface Effort {
  readonly rounds: number;
  /** Rounds before them, which do not count. */
  readonly warmUp: number;
  /** Seconds of load in each round. */
  readonly seconds: number;
  /** Simultaneous connections. */
  readonly connections: number;
  /** For files. */
  readonly folder: string;
  /** Told what happens. */
  readonly tell: (line: string) => void;
}

/** The loads of one server, one of each round. */
export type Loads = readonly Load[];

/** Answers per second that the first preparation of requests is for. */
const FIRST_GUESS = 2_000;

/**
 * Loads the servers in turn; each round begins with another one.
 *
 * @returns by name, the loads of the rounds that count.
 */
export async function compare(subjects: readonly Subject[], effort: Effort): Promise<ReadonlyMap<string, Loads>> {
  const loads = new Map<string, Load[]>(subjects.map(({ name }) => [name, []]));
  const rates = new Map<string, number>();
  for (let round = 1 - effort.warmUp; round <= effort.rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(round + effort.warmUp + turn) % subjects.length];
      if (subject === undefined) continue;
      const one = await loadOnce(subject, effort, rates.get(subject.name) ?? FIRST_GUESS);
      rates.set(subject.name, Math.max(rates.get(subject.name) ?? 0, one.answers / one.seconds));
      if (round > 0) loads.get(subject.name)?.push(one);
      effort.tell(`${round < 1 ? "warm-up" : `round ${round}`}  ${subject.name.padEnd(28)} ${described(one)}`);
    }
  }
  return loads;
}

async function loadOnce(subject: Subject, effort: Effort, rate: number): Promise<Load> {
  const { connections = effort.connections } = subject;
  for (let guess = rate * 1.4; guess < 200_000; guess *= 2) {
    const posts = await subject.posts(Math.ceil(guess * effort.seconds) + connections);
    const one = await load({ ...subject, ...effort, connections, posts });
    if (one !== undefined) return one;
  }
  throw new BenchError(`${subject.name} answers faster than requests can be made`);
}

function described({ answers, seconds, serverCpu, wrkCpu, p50, p99 }: Load): string {
  const perCore = serverCpu === 0 ? "?" : (answers / serverCpu).toFixed(0);
  const [rate, busy] = [(answers / seconds).toFixed(0), ((100 * wrkCpu) / seconds).toFixed(0)];
  return `${perCore}/CPU s  ${rate}/s  p50 ${p50.toFixed(1)} ms  p99 ${p99.toFixed(1)} ms  wrk ${busy} %`;
}

/** Answers per CPU second of the server. */
export function perCore({ answers, serverCpu }: Load): number {
  return answers / serverCpu;
}

/** Answers per second of the wall clock. */
export function perSecond({ answers, seconds }: Load): number {
  return answers / seconds;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** The median over the rounds of the ratio of two servers: each round compares what ran side by side. */
export function medianRatio(ours: Loads, theirs: Loads, of: (load: Load) => number): number {
  return median(
    ours.flatMap((one, round) => {
      const other = theirs[round];
      return other === undefined ? [] : [of(one) / of(other)];
    }),
  );
}
