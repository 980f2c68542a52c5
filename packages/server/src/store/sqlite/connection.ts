import { Worker } from "node:worker_threads";
import { openEngine, type StatementResult } from "./engine.ts";
import type { WorkerAnswer, WorkerQuestion } from "./messages.ts";

/** A SQLite connection as the dialect uses it, wherever it runs. */
export interface SqliteConnection {
  execute(sql: string, parameters: readonly unknown[]): Promise<StatementResult>;
  close(): Promise<void>;
}

/** A read-only connection on this thread: a look-up by an index takes microseconds and waits for nobody's commit. */
export function connectHere(path: string): SqliteConnection {
  const engine = openEngine(path, true);
  return {
    async execute(sql, parameters) {
      const { rows, changes } = engine.execute(sql, parameters);
      // The engine's rows have no prototype; those that come from a thread do. Callers shall not see a difference.
      return { rows: rows.map((row) => Object.assign({}, row)), changes };
    },
    close: async () => engine.close(),
  };
}

interface Waiting {
  resolve(result: StatementResult): void;
  reject(error: Error): void;
}

/**
 * A writing connection on a thread of its own.
 * When that thread ends unasked, what waits for it and everything after it is rejected.
 */
export function connectOnThread(path: string): SqliteConnection {
  const worker = startWorker(path);
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let ended: Error | undefined;

  // The thread keeps the process alive only while an answer is due.
  worker.unref();

  function end(error: Error): void {
    ended ??= error;
    for (const one of waiting.values()) one.reject(ended);
    waiting.clear();
  }
  worker.on("error", end);
  worker.on("exit", () => end(new Error("the store's writing thread has ended")));
  worker.on("message", (answer: WorkerAnswer) => {
    const one = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (waiting.size === 0) worker.unref();
    if (answer.ok) one?.resolve(answer.result);
    else one?.reject(new Error(answer.message));
  });

  function ask(make: (id: number) => WorkerQuestion): Promise<StatementResult> {
    return new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      lastId += 1;
      worker.ref();
      waiting.set(lastId, { resolve, reject });
      worker.postMessage(make(lastId));
    });
  }

  return {
    execute: (sql, parameters) => ask((id) => ({ id, kind: "execute", sql, parameters })),
    async close() {
      if (ended) return;
      const exited = new Promise((resolve) => worker.once("exit", resolve));
      await ask((id) => ({ id, kind: "close" }));
      worker.ref();
      await exited;
    },
  };
}

/** From source the worker is TypeScript, from a build JavaScript: the compiler rewrites imports, not URLs. */
function startWorker(path: string): Worker {
  const url = import.meta.url.endsWith(".ts")
    ? new URL("./worker.ts", import.meta.url)
    : new URL("./worker.js", import.meta.url);
  return new Worker(url, { workerData: path, execArgv: [] });
}
