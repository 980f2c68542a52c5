/** Reads one organization file on a thread of its own: the thread that answers requests must not wait for four megabytes. */
import { parentPort, workerData } from "node:worker_threads";
import { type CompareOptions, compareFile } from "./compare.ts";

/** What the thread is started with. */
export interface CompareOrder {
  readonly text: string;
  readonly options: CompareOptions;
}

// `compareApart` alone starts it, with this.
const { text, options } = workerData as CompareOrder;
parentPort?.postMessage(compareFile(text, options));
