import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { ExchangeEvent, IssuerPorts } from "@credence/issuer";
import {
  type Attributes,
  type Context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Handler } from "../http/answer.ts";
import { openTracer, type TracerOptions } from "./tracer.ts";

/** Traces of token exchanges. */
export interface Traces {
  /** Remembers with each request the trace that its caller began. */
  handler(handler: Handler): Handler;
  /** The same ports, each step of an exchange a span of its own. */
  ports<Client extends Named, Subject>(ports: IssuerPorts<Client, Subject>): IssuerPorts<Client, Subject>;
  /** Sends what was not sent yet. */
  close(): Promise<void>;
}

/** A client as its spans name it: by the id of the agent, once it has proven who it is. */
interface Named {
  readonly agent: { readonly id: string };
}

/** A request that may become an exchange. */
interface Traced {
  /** The caller's span, or none. */
  readonly parent: Context;
  /** Milliseconds since the epoch, with fractions. */
  readonly begun: number;
  span?: Span;
}

/**
 * Sends traces by OTLP over HTTP, as the standard `OTEL_…` variables say: one span for each exchange, below the caller's,
 * and one for each of its steps. They name the decision, the agent, the app and the outcome; no person and no token.
 *
 * @see W3C Trace Context
 */
export async function openTraces(options: TracerOptions): Promise<Traces> {
  const { tracer, close } = await openTracer(options);
  const requests = new AsyncLocalStorage<Traced>();
  return {
    close,
    handler: (handler) => (req, res) => {
      const begun = performance.timeOrigin + performance.now();
      return requests.run({ parent: callersContext(req), begun }, () => handler(req, res));
    },
    ports: (ports) => tracedPorts(ports, tracer, requests),
  };
}

function tracedPorts<Client extends Named, Subject>(
  ports: IssuerPorts<Client, Subject>,
  tracer: Tracer,
  requests: AsyncLocalStorage<Traced>,
): IssuerPorts<Client, Subject> {
  const { verifyActor } = ports;

  /** The exchange's span, begun when its request came. */
  function exchangeSpan(): Span {
    const request = requests.getStore() ?? { parent: ROOT_CONTEXT, begun: Date.now() };
    request.span ??= tracer.startSpan(
      "token exchange",
      { kind: SpanKind.SERVER, startTime: request.begun },
      request.parent,
    );
    return request.span;
  }

  async function step<Answer>(
    name: string,
    run: () => Promise<Answer>,
    within: Span = exchangeSpan(),
  ): Promise<Answer> {
    const span = tracer.startSpan(name, {}, trace.setSpan(ROOT_CONTEXT, within));
    try {
      return await run();
    } catch (error) {
      // Its name alone: a message may quote what came from outside.
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : typeof error });
      throw error;
    } finally {
      span.end();
    }
  }

  return {
    authenticate: (request) => step("authenticate client", () => ports.authenticate(request)),
    verifySubject: (request) => step("verify subject token", () => ports.verifySubject(request)),
    ...(verifyActor === undefined
      ? {}
      : { verifyActor: (request) => step("verify actor token", () => verifyActor(request)) }),
    decide: (question) => step("decide", () => ports.decide(question)),
    sign: (header, claims) => step("sign", () => ports.sign(header, claims)),
    async record(event) {
      const span = exchangeSpan();
      span.setAttributes(attributesOf(event));
      try {
        await step("record", () => ports.record(event), span);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: "record failed" });
        throw error;
      } finally {
        span.end();
        delete requests.getStore()?.span;
      }
    },
  };
}

function attributesOf({ decisionId, outcome, client, appId, refusal }: ExchangeEvent<Named, unknown>): Attributes {
  return {
    "credence.decision_id": decisionId,
    "credence.outcome": outcome,
    ...(client === undefined ? {} : { "credence.agent": client.agent.id }),
    ...(appId === undefined ? {} : { "credence.app": appId }),
    ...(refusal === undefined ? {} : { "credence.reason": refusal.reason }),
  };
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;
/** Characters of `tracestate` that are handed on. @see W3C Trace Context §3.3.1.5 */
const TRACESTATE_LIMIT = 512;

/** The span that the caller names. @see W3C Trace Context §3.2 */
function callersContext({ headers: { traceparent, tracestate } }: IncomingMessage): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(String(traceparent)) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const state = String(tracestate ?? "");
  const parent = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(state === "" || state.length > TRACESTATE_LIMIT ? {} : { traceState: createTraceState(state) }),
  };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}
