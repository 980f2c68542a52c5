import { z } from "zod";
import { DEFAULT_LIMITS, type Limits } from "../http/limits.ts";

/** What the configuration file calls them. */
const NAMES = {
  client_requests: "clientRequests",
  failed_requests: "failedRequests",
  sign_ins: "signIns",
  forms: "forms",
  connections: "connections",
  connections_per_address: "connectionsPerAddress",
  open_sign_ins: "openSignIns",
  client_denials: "clientDenials",
  store_megabytes: "storeMegabytes",
} as const satisfies Readonly<Record<string, keyof Limits>>;

type Name = keyof typeof NAMES;

const MOST = 1_000_000_000;
const WRONG = `is no list of limits, each 0 (none) to ${MOST}: client_requests: 600, sign_ins: 0`;

const number = z.union(
  [
    z.number(),
    z
      .string()
      .regex(/^[0-9]{1,10}$/)
      .transform(Number),
  ],
  { error: WRONG },
);

/** A mapping in the file; `client_requests=600, sign_ins=0` where there is only text. */
export const limitsSchema = z
  .preprocess(fromText, z.record(z.string(), number, { error: WRONG }))
  .refine((limits) => Object.values(limits).every((n) => Number.isInteger(n) && n >= 0 && n <= MOST), { error: WRONG })
  .superRefine((limits, context) => {
    const unknown = Object.keys(limits).find((name) => !Object.hasOwn(NAMES, name));
    if (unknown === undefined) return;
    const message = `names no limit with "${unknown}". There are ${Object.keys(NAMES).join(", ")}.`;
    context.addIssue({ code: "custom", message });
  })
  .default({})
  .transform(complete);

function complete(said: Readonly<Record<string, number>>): Limits {
  const named = (Object.keys(NAMES) as Name[]).map((name) => [NAMES[name], said[name] ?? DEFAULT_LIMITS[NAMES[name]]]);
  // Object.fromEntries forgets the names: NAMES has each of them once.
  return Object.fromEntries(named) as unknown as Limits;
}

function fromText(said: unknown): unknown {
  if (typeof said !== "string") return said;
  return Object.fromEntries(said.split(",").map((one) => one.split("=").map((part) => part.trim())));
}
