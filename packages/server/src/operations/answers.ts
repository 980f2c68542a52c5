import { performance } from "node:perf_hooks";
import type { Handler } from "../http/answer.ts";
import { basePath, PATHS } from "../sign-in/paths.ts";

/** One request that was answered, in words of which there are few: nothing that a client chose is among them. */
export interface Answered {
  /** One of {@link ENDPOINTS}, `metadata`, `health` or `other`. */
  readonly endpoint: string;
  /** HTTP status; `aborted` where the client had gone before its answer. */
  readonly status: number | "aborted";
  readonly seconds: number;
}

const ENDPOINTS: ReadonlySet<string> = new Set(Object.values(PATHS).map((path) => path.slice(1)));
const HEALTH = new Set(["/healthz", "/readyz"]);

/**
 * Tells of every answer, once it is sent.
 *
 * @returns the handler itself where there is nobody to tell.
 */
export function observeAnswers(
  handler: Handler,
  issuer: string,
  observers: readonly ((answered: Answered) => void)[],
): Handler {
  if (observers.length === 0) return handler;
  const base = basePath(issuer);
  return (req, res) => {
    const begun = performance.now();
    // Now: the router rewrites the URL.
    const endpoint = endpointOf(req.url ?? "", base);
    res.once("close", () => {
      const status = res.writableFinished ? res.statusCode : "aborted";
      for (const tell of observers) tell({ endpoint, status, seconds: (performance.now() - begun) / 1_000 });
    });
    return handler(req, res);
  };
}

/** What a URL asks for. */
export function endpointOf(url: string, base: string): string {
  const [path = ""] = url.split("?", 1);
  if (path.startsWith("/.well-known/") || path.startsWith(`${base}/.well-known/`)) return "metadata";
  if (HEALTH.has(path.startsWith(base) ? path.slice(base.length) : path)) return "health";
  const [, first = ""] = path.startsWith(`${base}/`) ? path.slice(base.length).split("/", 2) : [];
  return ENDPOINTS.has(first) ? first : "other";
}
