/** (i) How long people wait when the server is half busy: half of what it can, at a constant rate. */
import { startIdp } from "./exchange.ts";
import type { Part } from "./figures.ts";
import { effortOf } from "./harness/effort.ts";
import { residentMb } from "./harness/proc.ts";
import { compare, median, perSecond } from "./harness/rounds.ts";
import { percentile, sendSteadily } from "./harness/steady.ts";

/** Seconds of a steady load, and how many of them: what another program does in between shall not be ours. */
const SECONDS = 10;
const STEADY_LOADS = 3;
/** People do not wait for one another: enough that none has to wait for a connection. */
const CONNECTIONS = 64;

export const halfLoad: Part = {
  figures: [
    {
      name: "exchange.p99_half_load_ms",
      title: "exchange at half of its rate, 99 of 100 answers within",
      unit: "ms",
      most: 15,
    },
    {
      name: "exchange.p50_half_load_ms",
      title: "exchange at half of its rate, half of the answers within",
      unit: "ms",
    },
    { name: "server.load_mb", title: "memory of the server under full load", unit: "MB" },
  ],
  async run(effort) {
    const idp = await startIdp(effort);
    try {
      const { exchange } = idp.subjects;
      const loads = (await compare([exchange], effortOf(effort, 3))).get(exchange.name) ?? [];
      const memory = residentMb(idp.pid);
      const rate = median(loads.map(perSecond)) / 2;
      effort.tell(`half load: ${rate.toFixed(0)}/s`);
      const steady: (readonly number[])[] = [];
      for (let load = 0; load < (effort.quick ? 1 : STEADY_LOADS); load += 1) {
        const posts = await exchange.posts(Math.ceil(rate * (effort.quick ? 1 : SECONDS)));
        steady.push(await sendSteadily({ url: exchange.url, posts, rate, connections: CONNECTIONS }));
      }
      const waits = (share: number) => median(steady.map((sorted) => percentile(sorted, share)));
      return new Map([
        ["exchange.p99_half_load_ms", waits(0.99)],
        ["exchange.p50_half_load_ms", waits(0.5)],
        ["server.load_mb", memory],
      ]);
    } finally {
      await idp.stop();
    }
  },
};
