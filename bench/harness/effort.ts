import type { PartEffort } from "../figures.ts";
import type { Effort } from "./rounds.ts";

/** Connections that load a server. */
const CONNECTIONS = 32;

/** Rounds of load: five of three seconds, or, to see that everything runs, one of one. */
export function effortOf({ quick, folder, tell }: PartEffort, rounds = 5): Effort {
  return {
    folder,
    tell,
    connections: CONNECTIONS,
    ...(quick ? { warmUp: 0, rounds: 1, seconds: 1 } : { warmUp: 2, rounds, seconds: 3 }),
  };
}
