/** Many hostile requests at one endpoint. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { type Change, changed, hostileChanges, type Request } from "./generate.testing.ts";
import { exchangeBytes, show } from "./socket.testing.ts";
import { type Expected, faultOf } from "./verdict.testing.ts";

/** Requests at each endpoint: a few in every run of the tests, 20,000 by `npm run fuzz`. */
export const COUNT: number = Math.max(100, Number(process.env.CREDENCE_FUZZ ?? 100));
const SEED = Number(process.env.CREDENCE_FUZZ_SEED ?? Date.now() % 1e9);
/** At once. */
const TOGETHER = 20;
/** Bytes by which the heap may have grown: caches fill up, and all of them are bounded. */
const GROWTH = 48 * 1_024 * 1_024;

/** An endpoint, and how it is asked well. */
export interface Endpoint extends Expected {
  readonly to: { readonly host: string; readonly port: number } | { readonly path: string };
  /** A good request; made anew for some twenty hostile ones. */
  good(): Request | Promise<Request>;
  /** Whatever else must be so after each twenty requests: what is wrong, or `undefined`. */
  check?(): string | undefined;
}

/** How it went. */
export interface Fuzzed {
  readonly requests: number;
  /** How often which status came; 0 for no answer. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Bytes. */
  readonly growth: number;
}

/** Sends hostile requests. @throws with the request, the answer and the seed where an answer is not what it should be. */
export async function fuzz(endpoint: Endpoint): Promise<Fuzzed> {
  const statuses: Record<number, number> = {};
  let requests = 0;
  const rounds = async (count: number, seed: number): Promise<void> => {
    const some = fc.array(hostileChanges, { minLength: TOGETHER, maxLength: TOGETHER });
    const property = fc.asyncProperty(some, async (all) => {
      const good = await endpoint.good();
      requests += all.length;
      await Promise.all(all.map((changes) => send(endpoint, good, changes, statuses)));
      const wrong = endpoint.check?.();
      if (wrong !== undefined) throw new Error(wrong);
    });
    // Not made smaller: the request that failed is told as it was, and what has been sent can not be sent again as if it were new.
    const { errorInstance } = await fc.check(property, {
      numRuns: Math.ceil(count / TOGETHER),
      seed,
      endOnFailure: true,
    });
    if (errorInstance !== null) throw errorInstance;
  };
  try {
    // What is made once (keys, caches, code) is made before the heap is looked at.
    await rounds(COUNT * 0.1, SEED + 1);
    const before = heap();
    await rounds(COUNT * 0.9, SEED);
    const growth = heap() - before;
    if (growth > GROWTH) throw new Error(`the heap has grown by ${Math.round(growth / 1_048_576)} MB`);
    return { requests, statuses, growth };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}\nTo see it again: CREDENCE_FUZZ=${COUNT} CREDENCE_FUZZ_SEED=${SEED}`);
  }
}

async function send(
  endpoint: Endpoint,
  good: Request,
  changes: readonly Change[],
  statuses: Record<number, number>,
): Promise<void> {
  const { to } = endpoint;
  const sent = changed(good, changes, "port" in to ? `${to.host}:${to.port}` : "localhost");
  const answer = await exchangeBytes(to, sent);
  const status = answer?.status ?? 0;
  statuses[status] = (statuses[status] ?? 0) + 1;
  const fault = faultOf(sent, answer, endpoint);
  if (fault === undefined) return;
  const what = changes.map(([name]) => name).join("; ");
  const answered = answer && `${answer.status} ${JSON.stringify(answer.headers)} ${show(answer.body)}`;
  throw new Error(`${fault}\n  changed: ${what}\n  sent: ${show(sent.bytes)}\n  answered: ${answered}`);
}

/** Bytes in use after everything that can be collected was. */
function heap(): number {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
