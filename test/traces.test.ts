/** Traces of a real exchange, as a real collector gets them: OTLP over HTTP, below the caller's span. */
import { once } from "node:events";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { decodeIdJag } from "@credence/protocol/id-jag";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SECRETS } from "./house.testing.ts";
import { exchangeAt, idTokenAt, type ServerProcess, startServerProcess, until } from "./server-process.testing.ts";

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
}

interface Batch {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const batches: { readonly path: string | undefined; readonly batch: Batch }[] = [];
const collector = createServer(async (req, res) => {
  batches.push({ path: req.url, batch: (await json(req)) as Batch });
  res.writeHead(200, { "content-type": "application/json" }).end("{}");
});

let server: ServerProcess;
let idToken: string;
const connections = new Agent({ keepAlive: true });
beforeAll(async () => {
  await once(collector.listen(0, "127.0.0.1"), "listening");
  const { port } = collector.address() as AddressInfo;
  server = await startServerProcess({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_SERVICE_NAME: "the-idp-of-acme",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,team=id%20entity",
    },
  });
  idToken = await idTokenAt(server.issuer);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  connections.destroy();
  collector.closeAllConnections();
  collector.close();
});

const allSpans = (): Span[] =>
  batches.flatMap(({ batch }) =>
    batch.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((one) => one.spans)),
  );
const valuesOf = (attributes: readonly Attribute[]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));

/** The spans of one trace, once its exchange is among them. */
async function spansOf(traceId: string): Promise<Span[]> {
  const found = () => allSpans().filter((span) => span.traceId === traceId);
  await until(() => found().some(({ name }) => name === "token exchange"));
  return found();
}

describe("an exchange whose caller sends a traceparent", () => {
  test("is one span below the caller's, with a span for each of its steps, in their order", async () => {
    const headers = { traceparent: `00-${TRACE}-${CALLER}-01` };
    const { status, body } = await exchangeAt(server.issuer, idToken, connections, headers);
    expect(status).toBe(200);
    const spans = await spansOf(TRACE);
    const whole = spans.find(({ name }) => name === "token exchange");
    expect(whole?.parentSpanId).toBe(CALLER);
    const steps = spans.filter((span) => span !== whole);
    expect(steps.every(({ parentSpanId }) => parentSpanId === whole?.spanId)).toBe(true);
    const inOrder = steps.toSorted((a, b) => (BigInt(a.startTimeUnixNano) < BigInt(b.startTimeUnixNano) ? -1 : 1));
    expect(inOrder.map(({ name }) => name)).toEqual([
      "authenticate client",
      "verify subject token",
      "decide",
      "sign",
      "record",
    ]);
    const decoded = decodeIdJag(String(body.access_token));
    expect(valuesOf(whole?.attributes ?? [])).toEqual({
      "credence.decision_id": decoded.ok ? decoded.value.claims.jti : undefined,
      "credence.outcome": "permitted",
      "credence.agent": "assistant",
      "credence.app": "ledger",
    });
  });

  test("names the reason where it is refused", async () => {
    const trace = TRACE.replace("4b", "5c");
    const headers = { traceparent: `00-${trace}-${CALLER}-01` };
    const { body } = await exchangeAt(server.issuer, `${idToken.slice(0, -8)}AAAAAAAA`, connections, headers);
    const [whole] = (await spansOf(trace)).filter(({ name }) => name === "token exchange");
    expect(valuesOf(whole?.attributes ?? [])).toEqual({
      "credence.decision_id": body.decision_id,
      "credence.outcome": "refused",
      "credence.agent": "assistant",
      "credence.reason": "subject-token-signature",
    });
  });

  test("is not traced where the caller's trace is not sampled", async () => {
    const [unsampled, sampled] = [TRACE.replace("4b", "6d"), TRACE.replace("4b", "7e")];
    await exchangeAt(server.issuer, idToken, connections, { traceparent: `00-${unsampled}-${CALLER}-00` });
    await exchangeAt(server.issuer, idToken, connections, { traceparent: `00-${sampled}-${CALLER}-01` });
    await spansOf(sampled);
    expect(allSpans().filter(({ traceId }) => traceId === unsampled)).toEqual([]);
  });
});

test.each(["", "nonsense", `00-${"0".repeat(32)}-${CALLER}-01`, `ff-${TRACE}-${CALLER}-01`, `00-${TRACE}-${CALLER}`])(
  "a traceparent that is none (%j) begins a trace of its own",
  async (traceparent) => {
    const before = new Set(allSpans().map(({ traceId }) => traceId));
    expect((await exchangeAt(server.issuer, idToken, connections, { traceparent })).status).toBe(200);
    const fresh = () => allSpans().filter(({ traceId, name }) => !before.has(traceId) && name === "token exchange");
    await until(() => fresh().length > 0);
    expect(fresh()).toHaveLength(1);
    expect(fresh()[0]?.parentSpanId ?? "").toBe("");
  },
);

test("the collector is told who sends, as the operator calls it, and nothing of a person or a secret", async () => {
  expect(batches.every(({ path }) => path === "/v1/traces")).toBe(true);
  const [first] = batches.flatMap(({ batch }) => batch.resourceSpans);
  expect(valuesOf(first?.resource.attributes ?? [])).toMatchObject({
    "service.name": "the-idp-of-acme",
    "deployment.environment.name": "test",
    team: "id entity",
  });
  const all = JSON.stringify(batches);
  expect(all).not.toMatch(/alice|eyJ|127\.0\.0\.1/i);
  expect(all).not.toContain(SECRETS.assistant);
});

test("what was not sent yet is sent at the end", async () => {
  const trace = TRACE.replace("4b", "8f");
  const headers = { traceparent: `00-${trace}-${CALLER}-01` };
  await exchangeAt(server.issuer, idToken, connections, headers);
  expect(await server.stop("SIGINT")).toEqual({ code: 0, signal: null });
  expect(allSpans().map(({ traceId }) => traceId)).toContain(trace);
});
