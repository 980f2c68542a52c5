import { CredenceError } from "@credence/protocol";
import { describe, expect, it } from "vitest";
import type { Audit } from "../audit/audit.ts";
import type { Store } from "../store/store.ts";
import { createMetrics, renderMetrics } from "./metrics.ts";

const keeps: Pick<Audit, "record" | "countFailure"> = { record: async () => {}, countFailure: () => {} };

describe("metrics", () => {
  it("count exchanges by what came of them, sign-ins, all other events by code, and strangers' failures", async () => {
    const metrics = createMetrics("server");
    const audit = metrics.audit(keeps);
    await audit.record({ code: "exchange.permitted", agent: "assistant", reasons: [{ id: "scope-covered" }] });
    await audit.record({ code: "exchange.denied", agent: "assistant", reasons: [{ id: "no-connection" }] });
    await audit.record({ code: "exchange.denied", agent: "crawler", reasons: [{ id: "no-connection" }] });
    await audit.record({ code: "sign-in.failed", reasons: [{ id: "password-wrong" }] });
    await audit.record({ code: "sign-in.succeeded", person: { id: "alice" } });
    audit.countFailure({ reason: "client-unknown", source: "192.0.2.7", sample: "somebody" });
    const page = await renderMetrics([await metrics.snapshot()]);
    expect(page).toContain(
      'credence_exchanges_total{outcome="denied",error="access_denied",reason="no-connection",process="server"} 2',
    );
    expect(page).toContain(
      'credence_exchanges_total{outcome="permitted",error="",reason="scope-covered",process="server"} 1',
    );
    expect(page).toContain('credence_sign_ins_total{outcome="failed",reason="password-wrong",process="server"} 1');
    expect(page).toContain('credence_sign_ins_total{outcome="succeeded",reason="",process="server"} 1');
    expect(page).toContain('credence_events_total{code="exchange.denied",process="server"} 2');
    expect(page).toContain(
      'credence_failures_total{error="invalid_client",reason="client-unknown",process="server"} 1',
    );
    expect(page).not.toMatch(/assistant|crawler|alice|192\.0\.2\.7|somebody/);
  });

  it("do not count as kept what the record did not keep, and hand on why", async () => {
    const metrics = createMetrics("server");
    const down = new CredenceError("down", { code: "temporarily_unavailable" });
    const audit = metrics.audit<typeof keeps>({ ...keeps, record: () => Promise.reject(down) });
    const store = metrics.store<Pick<Store, "appendAudit">>({ appendAudit: () => Promise.reject(down) });
    await expect(audit.record({ code: "server.started" })).rejects.toBe(down);
    await expect(store.appendAudit([])).rejects.toBe(down);
    const page = await renderMetrics([await metrics.snapshot()]);
    expect(page).not.toContain("credence_events_total{");
    expect(page).toContain('credence_record_commits_total{outcome="failed",process="server"} 1');
    expect(page).toContain('credence_record_waiting_events{process="server"} 0');
  });

  it("show how many events wait for their commit", async () => {
    const metrics = createMetrics("server");
    let keep = () => {};
    const audit = metrics.audit<typeof keeps>({
      ...keeps,
      record: () =>
        new Promise((resolve) => {
          keep = resolve;
        }),
    });
    const recorded = audit.record({ code: "server.started" });
    expect(await renderMetrics([await metrics.snapshot()])).toContain(
      'credence_record_waiting_events{process="server"} 1',
    );
    keep();
    await recorded;
  });

  it("measure answers and exchanges, also those that fail", async () => {
    const metrics = createMetrics("server");
    metrics.answered({ endpoint: "token", status: 200, seconds: 0.004 });
    metrics.answered({ endpoint: "token", status: "aborted", seconds: 0.004 });
    expect(await metrics.timed(async (a: number, b: number) => a + b)(1, 2)).toBe(3);
    await expect(metrics.timed(async () => Promise.reject(new TypeError("x")))()).rejects.toThrow("x");
    const page = await renderMetrics([await metrics.snapshot()]);
    expect(page).toContain('credence_http_requests_total{endpoint="token",status="aborted",process="server"} 1');
    expect(page).toContain(
      'credence_http_request_duration_seconds_bucket{le="0.005",endpoint="token",process="server"} 2',
    );
    expect(page).toContain('credence_exchange_duration_seconds_count{process="server"} 2');
  });

  it("of several processes stand on one page, each series under its process, each name once", async () => {
    const [one, two] = [createMetrics("worker-1"), createMetrics("worker-2")];
    one.answered({ endpoint: "token", status: 200, seconds: 0.1 });
    two.answered({ endpoint: "token", status: 200, seconds: 0.1 });
    // As they go from one process to the other.
    const snapshots = await Promise.all(
      [one, two].map(async (each) => JSON.parse(JSON.stringify(await each.snapshot()))),
    );
    const page = await renderMetrics(snapshots);
    expect(page).toContain('credence_http_requests_total{endpoint="token",status="200",process="worker-1"} 1');
    expect(page).toContain('credence_http_requests_total{endpoint="token",status="200",process="worker-2"} 1');
    expect(page.match(/^# TYPE credence_http_requests_total counter$/gm)).toHaveLength(1);
    expect(page).toMatch(/^nodejs_eventloop_lag_p99_seconds\{process="worker-2"\}/m);
    expect(page).toMatch(/^process_resident_memory_bytes\{process="worker-1"\}/m);
  });
});
