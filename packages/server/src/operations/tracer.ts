import type { Tracer } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base";

/** Who sends traces, and as whom. Where to, and what else is said of it, is in the standard variables (`OTEL_…`). */
export interface TracerOptions {
  /** Of this process: several of one server send. */
  readonly instance: string;
  readonly version: string;
  /** Told when sending begins to fail, with why, and with nothing when it works again. */
  readonly onChange: (failure: unknown) => void;
}

/** Makes the tracer, and what it sends with. */
export async function openTracer(options: TracerOptions): Promise<{ tracer: Tracer; close(): Promise<void> }> {
  const exporter = told(new OTLPTraceExporter(), options.onChange);
  const provider = new BasicTracerProvider({
    resource: resourceOf(options),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  return { tracer: provider.getTracer("credence", options.version), close: () => provider.shutdown() };
}

/** The same exporter, whose failures somebody hears of: once, not at every batch. */
function told(exporter: SpanExporter, onChange: (failure: unknown) => void): SpanExporter {
  let failing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        // Of ExportResultCode, 0 is success.
        const failed = result.code !== 0;
        if (failed !== failing) onChange(failed ? (result.error ?? new TypeError("not sent")) : undefined);
        failing = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

/** Who sends: what the operator says of it (`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`) counts before what we do. */
function resourceOf({ instance, version }: TracerOptions): Resource {
  const ours = resourceFromAttributes({
    "service.name": "credence",
    "service.version": version,
    "service.instance.id": `${instance}-${process.pid}`,
  });
  return defaultResource()
    .merge(ours)
    .merge(detectResources({ detectors: [envDetector] }));
}
