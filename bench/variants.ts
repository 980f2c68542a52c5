/** (h) The same exchange with two workers, on a slow disk, and on PostgreSQL: each beside the usual one. */
import pg from "pg";
import { type Idp, type IdpOptions, startIdp } from "./exchange.ts";
import type { FigureDefinition, Part, PartEffort } from "./figures.ts";
import { effortOf } from "./harness/effort.ts";
import { compare, type Loads, median, medianRatio, perCore, perSecond } from "./harness/rounds.ts";

/** A server beside the usual one. */
interface Variant {
  /** Connections at once, to it and to the usual one, by default those of every load. */
  readonly connections?: readonly [varied: number, usual: number];
  /** Rounds before those that count, where the usual number is too small. */
  readonly warmUp?: number;
  readonly figures: readonly (FigureDefinition & { readonly of: (varied: Loads, usual: Loads) => number })[];
  /** What it is started with, and what is to be removed after it; `undefined` where it can not be had here. */
  open(tell: PartEffort["tell"]): Promise<{ readonly options: IdpOptions; close(): Promise<void> } | undefined>;
}

/** Milliseconds that a commit takes longer on the slow disk. */
const SLOW_COMMIT = 5;

const POSTGRESQL = process.env.CREDENCE_TEST_POSTGRESQL ?? "postgresql://postgres@127.0.0.1:5432/test";

const twoWorkers: Variant = {
  // For each process the same.
  connections: [64, 32],
  // Each of them compiles for itself.
  warmUp: 5,
  figures: [
    {
      name: "exchange.two_workers_cpu_ratio",
      title: "CPU per answer with two workers, to one process",
      unit: "×",
      most: 1.1,
      of: (two, one) => 1 / medianRatio(two, one, perCore),
    },
    {
      name: "exchange.two_workers_rate_ratio",
      title: "answers per second with two workers, to one process; wrk has no core of its own",
      unit: "×",
      of: (two, one) => medianRatio(two, one, perSecond),
    },
  ],
  open: async () => ({ options: { workers: 2 }, close: async () => undefined }),
};

const slowCommits: Variant = {
  // More of them wait for the disk at once.
  connections: [64, 64],
  figures: [
    {
      name: "exchange.slow_commit_ratio",
      title: `answers per second with ${SLOW_COMMIT} ms added to every commit, to none added`,
      unit: "×",
      least: 0.8,
      of: (slow, usual) => medianRatio(slow, usual, perSecond),
    },
    {
      name: "exchange.slow_commit_p50_ms",
      title: `half of the answers within, with ${SLOW_COMMIT} ms added to every commit`,
      unit: "ms",
      most: 20,
      of: (slow) => median(slow.map(({ p50 }) => p50)),
    },
  ],
  open: async () => ({ options: { commitDelayMs: SLOW_COMMIT }, close: async () => undefined }),
};

const postgresql: Variant = {
  figures: [
    {
      name: "exchange.postgres_ratio_to_sqlite",
      title: "answers per second on PostgreSQL, to SQLite; PostgreSQL has no core of its own",
      unit: "×",
      least: 0.8,
      of: (postgres, sqlite) => medianRatio(postgres, sqlite, perSecond),
    },
    {
      name: "exchange.postgres_per_core_ratio_to_sqlite",
      title: "answers per CPU second of the server on PostgreSQL, to SQLite",
      unit: "×",
      of: (postgres, sqlite) => medianRatio(postgres, sqlite, perCore),
    },
  ],
  async open(tell) {
    const name = `credence_bench_${process.pid}`;
    if (!(await runSql(`CREATE DATABASE ${name}`))) {
      tell(`skipped: no PostgreSQL at ${new URL(POSTGRESQL).host} (CREDENCE_TEST_POSTGRESQL names another)`);
      return undefined;
    }
    const store = Object.assign(new URL(POSTGRESQL), { pathname: `/${name}` }).href;
    return { options: { store }, close: async () => void (await runSql(`DROP DATABASE ${name} WITH (FORCE)`)) };
  },
};

export const variants: readonly Part[] = [twoWorkers, slowCommits, postgresql].map(partOf);

function partOf(variant: Variant): Part {
  return {
    figures: variant.figures,
    async run(effort) {
      const opened = await variant.open(effort.tell);
      if (opened === undefined) return new Map();
      const started: Idp[] = [];
      try {
        started.push(await startIdp(effort, opened.options));
        if (!effort.quick) started.push(await startIdp(effort));
        const usualEffort = effortOf(effort);
        const { connections: usually } = usualEffort;
        const { connections = [usually, usually], warmUp = usualEffort.warmUp } = variant;
        const subjects = started.map(({ subjects: { exchange } }, index) => ({
          ...exchange,
          name: index === 0 ? `exchange, ${described(opened.options)}` : "exchange",
          connections: connections[index] ?? usually,
        }));
        const loads = await compare(subjects, { ...usualEffort, ...(effort.quick ? {} : { warmUp }) });
        const [varied = [], usual = varied] = [...loads.values()];
        return new Map(variant.figures.map(({ name, of }) => [name, of(varied, usual)]));
      } finally {
        for (const one of started) await one.stop();
        await opened.close();
      }
    },
  };
}

function described({ workers, store, commitDelayMs }: IdpOptions): string {
  if (workers !== undefined) return `${workers} workers`;
  return store === undefined ? `commits + ${commitDelayMs} ms` : "PostgreSQL";
}

/** @returns whether a server took it. */
async function runSql(statement: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: POSTGRESQL, connectionTimeoutMillis: 3_000 });
  try {
    await client.connect();
    await client.query(statement);
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
