import { Worker } from "node:worker_threads";
import { readAnswer, type WorkerAnswer, type WorkerOptions, type WorkerQuestion, writtenQuestion } from "./messages.ts";

/** The writing thread, seen from the main one. */
export interface WriterThread {
  /** One question at a time. Rejects when the thread has ended, unasked or not. */
  ask(question: WorkerQuestion): Promise<WorkerAnswer>;
  /** After the last answer: closes the database and ends the thread. */
  close(): Promise<void>;
}

interface Asker {
  resolve(answer: WorkerAnswer): void;
  reject(error: Error): void;
}

/** Starts the thread that writes. */
export function startWriterThread(options: WorkerOptions): WriterThread {
  const worker = startWorker(options);
  let asker: Asker | undefined;
  let ended: Error | undefined;

  // The thread keeps the process alive only while an answer is due.
  worker.unref();

  function end(error: Error): void {
    ended ??= error;
    asker?.reject(ended);
    asker = undefined;
  }
  worker.on("error", end);
  worker.on("exit", () => end(new Error("the store's writing thread has ended")));
  worker.on("message", (answer: string) => {
    worker.unref();
    const waiting = asker;
    asker = undefined;
    waiting?.resolve(readAnswer(answer));
  });

  function ask(question: WorkerQuestion): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      const message = writtenQuestion(question);
      asker = { resolve, reject };
      worker.ref();
      worker.postMessage(message);
    });
  }

  return {
    ask,
    async close() {
      if (ended) return;
      const exited = new Promise((resolve) => worker.once("exit", resolve));
      await ask({ kind: "close" });
      worker.ref();
      await exited;
    },
  };
}

/** From source the worker is TypeScript, from a build JavaScript: the compiler rewrites imports, not URLs. */
function startWorker(options: WorkerOptions): Worker {
  const url = import.meta.url.endsWith(".ts")
    ? new URL("./worker.ts", import.meta.url)
    : new URL("./worker.js", import.meta.url);
  return new Worker(url, { workerData: options, execArgv: [] });
}
