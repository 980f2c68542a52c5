import type { Tracer } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type SpanExporter,
  type TracerConfig,
} from "@opentelemetry/sdk-trace-base";

/** Who sends traces, and as whom. */
export interface TracerOptions {
  /** The standard variables; the parts that send read `process.env` themselves. */
  readonly env: Readonly<Record<string, string | undefined>>;
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

type Resource = NonNullable<TracerConfig["resource"]>;

/** Who sends: what the operator says of it counts before what we do. @see OpenTelemetry, Resource SDK */
function resourceOf({ env, instance, version }: TracerOptions): Resource {
  const said = (env.OTEL_RESOURCE_ATTRIBUTES ?? "")
    .split(",")
    .map((pair) => pair.split("=", 2).map((half) => decoded(half.trim())))
    .filter(([name, value]) => name !== "" && value !== undefined);
  const attributes: Record<string, string> = {
    "service.name": "credence",
    "service.version": version,
    "service.instance.id": `${instance}-${process.pid}`,
    ...Object.fromEntries(said),
    ...(env.OTEL_SERVICE_NAME ? { "service.name": env.OTEL_SERVICE_NAME } : {}),
  };
  const resource: Resource = {
    attributes,
    getRawAttributes: () => Object.entries(attributes),
    merge: () => resource,
  };
  return resource;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
