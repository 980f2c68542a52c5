import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import type { Handler } from "../http/answer.ts";

/** Whether this process should be sent requests, and which part of it says no. */
export interface Readiness {
  readonly status: "ready" | "not-ready" | "draining";
  readonly parts: Readonly<Record<string, "ok" | "failed">>;
}

/** Says whether a process should be sent requests. */
export interface Health {
  readiness(): Promise<Readiness>;
  /** From now on it should not: it is about to end. */
  drain(): void;
}

/** What has to work, by name: each resolves where it does. */
export type Checks = Readonly<Record<string, () => Promise<unknown>>>;

/** Milliseconds that a part has to answer. */
const ANSWER_WITHIN = 3_000;
/** Milliseconds for which an answer counts: whoever asks often must not make work. */
const COUNTS_FOR = 1_000;

/**
 * Asks the parts, all at once, and not again for a second.
 *
 * @param onChange - Told of what no longer works, with why, and of what works again.
 */
export function createHealth(checks: Checks, onChange: (part: string, failure: unknown) => void = () => {}): Health {
  const failing = new Map<string, unknown>();
  let draining = false;
  let asked: { readonly at: number; readonly outcome: Promise<Readiness["parts"]> } | undefined;

  async function check(part: string, run: () => Promise<unknown>): Promise<"ok" | "failed"> {
    try {
      await within(run());
      if (failing.delete(part)) onChange(part, undefined);
      return "ok";
    } catch (error) {
      if (!failing.has(part)) onChange(part, error);
      failing.set(part, error);
      return "failed";
    }
  }

  async function ask(): Promise<Readiness["parts"]> {
    const outcomes = Object.entries(checks).map(async ([part, run]) => [part, await check(part, run)] as const);
    return Object.fromEntries(await Promise.all(outcomes));
  }

  return {
    async readiness() {
      if (asked === undefined || performance.now() - asked.at > COUNTS_FOR) {
        asked = { at: performance.now(), outcome: ask() };
      }
      const parts = await asked.outcome;
      const working = Object.values(parts).every((one) => one === "ok");
      return { status: draining ? "draining" : working ? "ready" : "not-ready", parts };
    },
    drain() {
      draining = true;
    },
  };
}

/** What does not answer does not work. */
async function within(answer: Promise<unknown>): Promise<void> {
  const control = new AbortController();
  const late = setTimeout(ANSWER_WITHIN, undefined, { signal: control.signal }).then(() => {
    throw new TypeError(`no answer within ${ANSWER_WITHIN} ms`);
  });
  late.catch(() => {});
  try {
    await Promise.race([answer, late]);
  } finally {
    control.abort();
  }
}

/**
 * Answers `/healthz` (this process lives) and `/readyz` (it should be sent requests: 200, else 503), below an issuer's path or
 * without it, and leaves everything else to somebody else.
 */
export function withHealth(health: Health, base: string, next: Handler): Handler {
  const [alive, ready] = ["/healthz", "/readyz"].map((path) => new Set([path, `${base}${path}`]));
  return (req, res) => {
    const url = req.url ?? "";
    const send = (status: number, body: object): void => {
      res.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
      res.end(JSON.stringify(body));
    };
    if (alive?.has(url)) return send(200, { status: "alive" });
    if (!ready?.has(url)) return next(req, res);
    return health.readiness().then((readiness) => send(readiness.status === "ready" ? 200 : 503, readiness));
  };
}
