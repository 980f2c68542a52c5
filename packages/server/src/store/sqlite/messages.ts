import type { StatementResult } from "./engine.ts";

/** What the main thread asks of the writing thread. */
export type WorkerQuestion =
  | { readonly id: number; readonly kind: "execute"; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly id: number; readonly kind: "close" };

/** What the writing thread answers; one answer for each question, in order. */
export type WorkerAnswer =
  | { readonly id: number; readonly ok: true; readonly result: StatementResult }
  | { readonly id: number; readonly ok: false; readonly message: string };
