import { performance } from "node:perf_hooks";
import { REASONS, type ReasonId } from "@credence/protocol/reasons";
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Audit } from "../audit/audit.ts";
import type { AuditEvent } from "../audit/event.ts";
import type { Store } from "../store/store.ts";
import type { Answered } from "./answers.ts";

/** What one process counts of itself. Labels have few values, all of our own making. */
export interface Metrics {
  answered(answered: Answered): void;
  /** Measures how long an exchange takes, by whatever arguments it is called. */
  timed<Asked extends unknown[], Answer>(exchange: (...asked: Asked) => Promise<Answer>): typeof exchange;
  /** The same record, counted. */
  audit<Counted extends Pick<Audit, "record" | "countFailure">>(audit: Counted): Counted;
  /** The same store, its commits of the record counted. */
  store<Counted extends Pick<Store, "appendAudit">>(store: Counted): Counted;
  /** A process beside this one was started anew. */
  workerRestarted(): void;
  /** Everything, for {@link renderMetrics}, here or in another process. */
  snapshot(): Promise<MetricsSnapshot>;
}

/** What a process counted, as it goes from one to another. */
export type MetricsSnapshot = readonly object[];

/** Seconds; an exchange takes a fraction of a millisecond of CPU, and a commit what the disk takes. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/**
 * Counts what a process does.
 *
 * @param name - Of the process, in the label `process`: what is counted begins anew with it, and must not be added up.
 */
export function createMetrics(name: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ process: name });
  collectDefaultMetrics({ register: registry });
  const count = (metric: string, help: string, ...labels: string[]) => counter(registry, metric, help, labels);
  const histogram = (metric: string, help: string, ...labelNames: string[]) =>
    new Histogram({ name: metric, help, labelNames, buckets: BUCKETS, registers: [registry] });

  const requests = count("credence_http_requests_total", "Answers, by endpoint and status.", "endpoint", "status");
  const durations = histogram("credence_http_request_duration_seconds", "Time to answer.", "endpoint");
  const exchanges = count(
    "credence_exchanges_total",
    "Token exchanges of clients that proved who they are, by what came of them.",
    ...["outcome", "error", "reason"],
  );
  const exchangeDuration = histogram("credence_exchange_duration_seconds", "Time of a token exchange.");
  const signIns = count("credence_sign_ins_total", "Attempts to sign in, by what came of them.", "outcome", "reason");
  const events = count("credence_events_total", "Events on record.", "code");
  const failures = count("credence_failures_total", "Failures of callers that nobody knows.", "error", "reason");
  const commits = count("credence_record_commits_total", "Commits of the record.", "outcome");
  const commitDuration = histogram("credence_record_commit_duration_seconds", "Time of a commit of the record.");
  const restarts = count("credence_worker_restarts_total", "Workers that ended and were started anew.");
  const waiting = new Gauge({
    name: "credence_record_waiting_events",
    help: "Events that wait for their commit.",
    registers: [registry],
  });
  let pending = 0;

  function tell(event: AuditEvent): void {
    const [what, outcome = ""] = event.code.split(".", 2);
    const reason = event.reasons?.[0]?.id ?? "";
    events(event.code);
    if (what === "exchange") exchanges(outcome, outcome === "permitted" ? "" : errorOf(reason), reason);
    else if (what === "sign-in") signIns(outcome, reason);
  }

  return {
    answered({ endpoint, status, seconds }) {
      requests(endpoint, String(status));
      durations.observe({ endpoint }, seconds);
    },
    timed:
      (exchange) =>
      async (...asked) => {
        const begun = performance.now();
        try {
          return await exchange(...asked);
        } finally {
          exchangeDuration.observe((performance.now() - begun) / 1_000);
        }
      },
    audit: (audit) => ({
      ...audit,
      async record(event) {
        waiting.set(++pending);
        try {
          await audit.record(event);
          tell(event);
        } finally {
          waiting.set(--pending);
        }
      },
      countFailure(failure) {
        failures(errorOf(failure.reason), failure.reason);
        audit.countFailure(failure);
      },
    }),
    store: (store) => ({
      ...store,
      async appendAudit(...rows) {
        const begun = performance.now();
        try {
          await store.appendAudit(...rows);
          commits("kept");
        } catch (error) {
          commits("failed");
          throw error;
        } finally {
          commitDuration.observe((performance.now() - begun) / 1_000);
        }
      },
    }),
    workerRestarted: () => restarts(),
    snapshot: () => registry.getMetricsAsJSON(),
  };
}

/**
 * Everything that several processes counted, as one page in Prometheus' text format; series of one name stand together.
 *
 * @param snapshots - One of each process.
 */
export async function renderMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  // What `snapshot` gave, here or there: the way between processes keeps JSON as it is.
  return AggregatorRegistry.aggregate([...snapshots]).metrics();
}

/** The content type of {@link renderMetrics}. */
export const METRICS_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** What a caller was told for a reason; empty where it is none of the catalogue. */
function errorOf(reason: string): string {
  return (reason in REASONS ? REASONS[reason as ReasonId].error : undefined) ?? "";
}

/**
 * A counter that is cheap to raise: prom-client makes a key of sorted labels at each call, this one of the values alone, and
 * hands the sums over when somebody asks.
 */
function counter(registry: Registry, name: string, help: string, labelNames: string[]): (...values: string[]) => void {
  const counts = new Map<string, { readonly values: readonly string[]; count: number }>();
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const { values, count } of counts.values()) {
        this.inc(Object.fromEntries(labelNames.map((label, i) => [label, values[i] ?? ""])), count);
      }
    },
  });
  return (...values) => {
    const key = values.join(" ");
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { values, count: 1 });
    else known.count += 1;
  };
}
