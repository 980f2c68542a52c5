import type { Config } from "../config/config.ts";
import type { MetricsSnapshot } from "../operations/metrics.ts";

/** What the first process tells a worker. */
export type ToWorker =
  /** Begin: as `name`, at this port. */
  | { readonly kind: "start"; readonly config: Config; readonly name: string; readonly port: number }
  /** End, and take requests for so many seconds yet. */
  | { readonly kind: "close"; readonly drain: number }
  /** Say what you have counted. */
  | { readonly kind: "snapshot"; readonly id: number };

/** What a worker tells the first process. */
export type FromWorker =
  | { readonly kind: "ready"; readonly url: string; readonly port: number }
  /** It could not begin; the sentence is for whoever runs the server. */
  | { readonly kind: "failed"; readonly message: string; readonly reason: string | undefined }
  | { readonly kind: "snapshot"; readonly id: number; readonly snapshot: MetricsSnapshot };
