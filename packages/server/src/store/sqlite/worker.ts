/**
 * The writing half of the store, on a thread of its own: a commit waits for the disk, and the thread that answers
 * requests must not wait with it.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { createCommitter } from "./committer.ts";
import { openEngine } from "./engine.ts";
import { readQuestion, type WorkerAnswer, type WorkerOptions, type WorkerQuestion, writtenAnswer } from "./messages.ts";

function serve(port: MessagePort, { path, commitDelayMs }: WorkerOptions): void {
  const engine = openEngine(path, false);
  const committer = createCommitter(engine, commitDelayMs);

  function answer(question: WorkerQuestion): WorkerAnswer {
    switch (question.kind) {
      case "commit":
        return committer.commit(question.units);
      case "execute":
        return [committer.execute(question.sql, question.values)];
      case "close":
        engine.close();
        return [];
    }
  }

  port.on("message", (message: string) => {
    const question = readQuestion(message);
    port.postMessage(writtenAnswer(answer(question)));
    if (question.kind === "close") port.close();
  });
}

// A worker has a parent, and `startWorker` gives it its options.
if (parentPort) serve(parentPort, workerData as WorkerOptions);
