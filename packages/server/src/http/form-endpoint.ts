import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isFormContentType, ok, type Refusal, type Result, randomId, refuse } from "@credence/protocol";
import { newReference, type Report } from "../sign-in/fault.ts";
import { sourceOf } from "../sign-in/source.ts";
import { type Handler, sendRefusal } from "./answer.ts";
import { type BasicPorts, normalizeBasic } from "./basic.ts";
import { readBody, replay } from "./body.ts";

/** What an endpoint for clients needs, that takes a form by POST. */
export interface FormEndpointPorts extends BasicPorts {
  readonly provider: Handler;
  /** Told of a form before oidc-provider reads it. Does not reject. */
  readonly beforeSignIn?: (form: URLSearchParams) => Promise<void>;
  readonly report: Report;
  /** Takes what is refused before anybody else sees it, for the record. */
  readonly refused: (refusal: Refusal, context: { readonly source: string; readonly decisionId: string }) => void;
}

/** Answers a form, or says why nobody does. */
export type FormHandler = (req: IncomingMessage, res: ServerResponse, body: Buffer) => Promise<Result<void>>;

/**
 * An endpoint that reads the form once, within its limits, and hands it on. Nobody is authenticated here.
 *
 * @param handle - Who answers; oidc-provider by default.
 */
export function createFormEndpoint(
  ports: FormEndpointPorts,
  handle: FormHandler = async (req, res, body) => ok(await handToProvider(req, res, body, ports)),
): Handler {
  return async (req, res) => {
    try {
      const outcome = await answer(req, res, handle, ports);
      if (!outcome.ok) refuseRequest(req, res, outcome.refusal, ports);
    } catch (error) {
      if (req.socket.destroyed) return;
      const reference = newReference();
      ports.report({ reference, code: "internal-fault", error });
      if (!res.headersSent) sendRefusal(res, { reason: "internal-fault" }, reference);
      else res.destroy();
    }
  };
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  handle: FormHandler,
  { provider }: FormEndpointPorts,
): Promise<Result<void>> {
  // Cross-origin preflight: oidc-provider knows which public clients run in browsers.
  if (req.method === "OPTIONS") return ok(void provider(req, res));
  if (req.method !== "POST") return refuse("method-wrong");
  if (!isFormContentType(req.headers["content-type"])) return refuse("form-content-type");
  const body = await readBody(req);
  return body.ok ? handle(req, res, body.value) : body;
}

function refuseRequest(
  req: IncomingMessage,
  res: ServerResponse,
  refusal: Refusal,
  { refused }: Pick<FormEndpointPorts, "refused">,
): void {
  const decisionId = randomId();
  refused(refusal, { decisionId, source: sourceOf(req) });
  // The rest of a body that is too large is not read.
  const headers: Record<string, string> = refusal.reason === "form-too-large" ? { connection: "close" } : {};
  sendRefusal(res, refusal, decisionId, headers);
}

/** Gives oidc-provider the form to read again, with Basic as it expects it; it authenticates the client itself. */
export async function handToProvider(
  req: IncomingMessage,
  res: ServerResponse,
  body: Buffer,
  ports: Pick<FormEndpointPorts, "provider" | "beforeSignIn"> & BasicPorts,
): Promise<void> {
  const { authorization } = req.headers;
  // RFC 6749 §5.1. oidc-provider says so at the token endpoint, and not where a token is revoked.
  res.setHeader("cache-control", "no-store");
  await ports.beforeSignIn?.(new URLSearchParams(body.toString("utf8")));
  const normal = authorization === undefined ? {} : { authorization: await normalizeBasic(authorization, ports) };
  ports.provider(replay(req, body, normal), res);
}
