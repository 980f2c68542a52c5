/** (a) to (d): answers per CPU second, side by side. */
import { startCeiling } from "./ceiling.ts";
import { startIdp } from "./exchange.ts";
import type { FigureDefinition, Part, PartEffort } from "./figures.ts";
import { effortOf } from "./harness/effort.ts";
import { compare, type Loads, median, medianRatio, perCore } from "./harness/rounds.ts";
import type { Subject } from "./harness/subject.ts";
import type { Load } from "./harness/wrk.ts";
import { startProvider } from "./provider.ts";
import { startApp } from "./redemption.ts";

/** A figure of one server, or of two. */
interface Rate extends FigureDefinition {
  readonly of: SubjectName;
  readonly over?: SubjectName;
  readonly take?: (load: Load) => number;
}

type SubjectName =
  | "ceiling"
  | "oidc-provider"
  | "oidc-provider, node:crypto"
  | "exchange"
  | "ten apps"
  | "private_key_jwt"
  | "redemption";

const perCpuSecond = { unit: "1/s", take: perCore };
const milliseconds = { unit: "ms" };
const times = { unit: "×", take: perCore };

const RATES: readonly Rate[] = [
  {
    name: "ceiling.per_core",
    title: "the ceiling: bare node:http, one ES256 verification and one signature",
    of: "ceiling",
    ...perCpuSecond,
  },
  {
    name: "oidc_provider.per_core",
    title: "oidc-provider, a grant of one's own, client_secret_basic",
    of: "oidc-provider",
    ...perCpuSecond,
  },
  {
    name: "oidc_provider.node_crypto_per_core",
    title: "the same with node:crypto in place of jose",
    of: "oidc-provider, node:crypto",
    ...perCpuSecond,
  },
  {
    name: "exchange.per_core",
    title: "exchange, client_secret_basic, a fresh ID token each time",
    of: "exchange",
    ...perCpuSecond,
  },
  { name: "exchange.ten_apps_per_core", title: "exchange, one ID token for ten apps", of: "ten apps", ...perCpuSecond },
  {
    name: "exchange.private_key_jwt_per_core",
    title: "exchange, private_key_jwt",
    of: "private_key_jwt",
    ...perCpuSecond,
  },
  { name: "redemption.per_core", title: "redemption, single use on", of: "redemption", ...perCpuSecond },
  {
    name: "exchange.ratio_to_ceiling",
    title: "exchange to the ceiling",
    of: "exchange",
    over: "ceiling",
    least: 0.65,
    ...times,
  },
  {
    name: "redemption.ratio_to_ceiling",
    title: "redemption to the ceiling",
    of: "redemption",
    over: "ceiling",
    least: 0.65,
    ...times,
  },
  {
    name: "exchange.ratio_to_oidc_provider",
    title: "exchange to oidc-provider",
    of: "exchange",
    over: "oidc-provider",
    least: 1.6,
    ...times,
  },
  {
    name: "redemption.ratio_to_oidc_provider",
    title: "redemption to oidc-provider",
    of: "redemption",
    over: "oidc-provider",
    least: 1.6,
    ...times,
  },
  {
    name: "exchange.p50_ms",
    title: "exchange under full load, half of the answers within",
    of: "exchange",
    take: ({ p50 }) => p50,
    ...milliseconds,
  },
  {
    name: "exchange.p99_ms",
    title: "exchange under full load, 99 of 100 answers within",
    of: "exchange",
    take: ({ p99 }) => p99,
    ...milliseconds,
  },
  {
    name: "redemption.p50_ms",
    title: "redemption under full load, half of the answers within",
    of: "redemption",
    take: ({ p50 }) => p50,
    ...milliseconds,
  },
  {
    name: "redemption.p99_ms",
    title: "redemption under full load, 99 of 100 answers within",
    of: "redemption",
    take: ({ p99 }) => p99,
    ...milliseconds,
  },
  {
    name: "exchange.wrk_cpu",
    title: "CPU of wrk while it loads the exchange, of one core",
    of: "exchange",
    take: (load) => load.wrkCpu / load.seconds,
    unit: "×",
  },
  {
    name: "ceiling.wrk_cpu",
    title: "CPU of wrk while it loads the ceiling, of one core",
    of: "ceiling",
    take: (load) => load.wrkCpu / load.seconds,
    unit: "×",
  },
];

export const rates: Part = {
  figures: RATES,
  async run(effort, wanted) {
    const asked = RATES.filter(({ name }) => wanted.has(name));
    const names = new Set(asked.flatMap(({ of, over = of }) => [of, over]));
    const { subjects, stop } = await start(names, effort);
    try {
      const loads = await compare(subjects, effortOf(effort));
      return new Map(asked.map((rate) => [rate.name, figureOf(rate, loads)]));
    } finally {
      await stop();
    }
  },
};

async function start(
  names: ReadonlySet<SubjectName>,
  effort: PartEffort,
): Promise<{ readonly subjects: readonly Subject[]; stop(): Promise<void> }> {
  const { folder, tell } = effort;
  tell(`starting ${[...names].join(", ")}`);
  const subjects: Subject[] = [];
  if (names.has("ceiling")) subjects.push(await startCeiling(folder));
  if (names.has("oidc-provider")) subjects.push(await startProvider(folder));
  if (names.has("oidc-provider, node:crypto")) subjects.push(await startProvider(folder, "node"));
  if (names.has("redemption")) subjects.push(await startApp(folder));
  const exchanges = (["exchange", "ten apps", "private_key_jwt"] as const).filter((name) => names.has(name));
  const idp = exchanges.length === 0 ? undefined : await startIdp(effort);
  if (idp !== undefined) subjects.push(...exchanges.map((name) => idp.subjects[name]));
  return {
    subjects,
    async stop() {
      for (const subject of subjects) await subject.stop();
      await idp?.stop();
    },
  };
}

function figureOf({ of, over, take = perCore }: Rate, loads: ReadonlyMap<string, Loads>): number {
  const ours = loads.get(of) ?? [];
  return over === undefined ? median(ours.map(take)) : medianRatio(ours, loads.get(over) ?? [], take);
}
