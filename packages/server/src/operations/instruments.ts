import { describeError, type Logger } from "../log.ts";
import type { Metrics } from "./metrics.ts";
import type { Traces } from "./traces.ts";

/** How a process is watched. */
export interface InstrumentOptions {
  readonly log: Logger;
  readonly operations?: object;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly processName?: string;
}

/** What watches a process: nothing where nobody wants to see it, and then nothing of it is loaded. */
export interface Instruments {
  readonly metrics?: Metrics;
  readonly traces?: Traces;
}

/** @param version - Of this software. */
export async function openInstruments(options: InstrumentOptions, version: string): Promise<Instruments> {
  const { log, operations, env = {}, processName = "server" } = options;
  const onChange = (failure: unknown): void => {
    if (failure === undefined) log.info("traces are sent again");
    else log.warn(describeError(failure), "traces can not be sent");
  };
  return {
    ...(operations === undefined ? {} : { metrics: (await import("./metrics.ts")).createMetrics(processName) }),
    ...(wantsTraces(env)
      ? { traces: await (await import("./traces.ts")).openTraces({ instance: processName, version, onChange }) }
      : {}),
  };
}

/** @see OpenTelemetry Environment Variable Specification */
function wantsTraces(env: Readonly<Record<string, string | undefined>>): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = env;
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true" || env.OTEL_TRACES_EXPORTER === "none") return false;
  return Boolean(OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
}
