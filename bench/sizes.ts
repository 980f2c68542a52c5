/** (g) What the size of an organization costs: a small and a large one side by side, in pairs. */
import { type Idp, startIdp } from "./exchange.ts";
import type { FigureDefinition, Part } from "./figures.ts";
import { effortOf } from "./harness/effort.ts";
import { compare, medianRatio, perCore } from "./harness/rounds.ts";
import { type OrganizationSize, USUAL } from "./organization.ts";

const PAIRS = 9;

const SIZES: readonly (FigureDefinition & { readonly large: OrganizationSize; readonly quick: OrganizationSize })[] = [
  {
    name: "exchange.cost_ratio_100k_connections",
    title: "CPU of an exchange among 100,000 connections, to 10",
    unit: "×",
    most: 1.1,
    large: { ...USUAL, connections: 100_000 },
    quick: { ...USUAL, connections: 1_000 },
  },
  {
    name: "exchange.cost_ratio_100k_people",
    title: "CPU of an exchange among 100,000 people, to 100",
    unit: "×",
    most: 1.1,
    large: { ...USUAL, people: 100_000 },
    quick: { ...USUAL, people: 1_000 },
  },
];

export const sizes: readonly Part[] = SIZES.map((figure) => ({
  figures: [figure],
  async run(effort) {
    effort.tell(`starting two organizations: ${figure.title}`);
    const started: Idp[] = [];
    try {
      started.push(await startIdp(effort, effort.quick ? figure.quick : figure.large));
      if (!effort.quick) started.push(await startIdp(effort));
      const names = ["exchange, large", "exchange, small"];
      const subjects = started.map(({ subjects: { exchange } }, index) => ({ ...exchange, name: names[index] ?? "" }));
      const loads = await compare(subjects, effortOf(effort, PAIRS));
      const [large = [], small = large] = [...loads.values()];
      return new Map([[figure.name, medianRatio(small, large, perCore)]]);
    } finally {
      for (const one of started) await one.stop();
    }
  },
}));
