import { Worker } from "node:worker_threads";
import { type CompareOptions, type Comparison, compareFile } from "./compare.ts";
import type { CompareOrder } from "./compare-thread.ts";

/** Characters that are read in a few milliseconds whatever they are: less than it takes to start a thread. */
const AT_ONCE = 16_384;
/** Milliseconds for the largest file on a busy machine, many times over. */
const WITHIN_MS = 60_000;
/** Megabytes that reading may take; for what is young, as much as the main thread has: with less, reading takes several times as long. */
const MEMORY_MB = { maxOldGenerationSizeMb: 1_536, maxYoungGenerationSizeMb: 128 } as const;

/**
 * Holds a file against the organization as it is, without holding up what the server does meanwhile.
 *
 * @param withinMs - Milliseconds after which the reading is given up.
 * @returns the comparison; a file that takes too long or too much memory is a problem like any other.
 */
export async function compareApart(
  text: string,
  options: CompareOptions,
  withinMs: number = WITHIN_MS,
): Promise<Comparison> {
  if (text.length <= AT_ONCE) return compareFile(text, options);
  const thread = startThread({ text, options });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Comparison>((resolve, reject) => {
      timer = setTimeout(() => resolve(tooMuch("long")), withinMs);
      thread.once("message", resolve);
      thread.once("error", (error: Error & { readonly code?: string }) =>
        error.code === "ERR_WORKER_OUT_OF_MEMORY" ? resolve(tooMuch("much memory")) : reject(error),
      );
      thread.once("exit", () => reject(new TypeError("the thread that reads the organization file has ended")));
    });
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}

function tooMuch(what: "long" | "much memory"): Comparison {
  const mend = "Write it plainly: no anchors, few levels, one entry a line.";
  return {
    ok: false,
    problems: [{ line: 1, column: 1, path: "", message: `The file takes too ${what} to read.`, mend }],
  };
}

/** From source the thread is TypeScript and so are the libraries, from a build JavaScript: the compiler rewrites imports, not URLs. */
function startThread(order: CompareOrder): Worker {
  const fromSource = import.meta.url.endsWith(".ts");
  const url = fromSource
    ? new URL("./compare-thread.ts", import.meta.url)
    : new URL("./compare-thread.js", import.meta.url);
  return new Worker(url, {
    workerData: order,
    execArgv: fromSource ? ["--conditions=@credence/source"] : [],
    resourceLimits: MEMORY_MB,
  });
}
