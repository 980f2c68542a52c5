/**
 * The writing half of the store, on a thread of its own: a commit waits for the disk, and the thread that answers
 * requests must not wait with it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type Engine, openEngine } from "./engine.ts";
import type { WorkerAnswer, WorkerQuestion } from "./messages.ts";

function serve(engine: Engine): void {
  parentPort?.on("message", (question: WorkerQuestion) => {
    if (question.kind === "close") {
      engine.close();
      parentPort?.postMessage({ id: question.id, ok: true, result: { rows: [], changes: 0 } } satisfies WorkerAnswer);
      parentPort?.close();
      return;
    }
    parentPort?.postMessage(answer(engine, question));
  });
}

function answer(engine: Engine, question: Extract<WorkerQuestion, { kind: "execute" }>): WorkerAnswer {
  try {
    return { id: question.id, ok: true, result: engine.execute(question.sql, question.parameters) };
  } catch (error) {
    // An error's own members do not survive the way between threads: only its sentence is needed.
    return { id: question.id, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

serve(openEngine(workerData as string, false));
