import { readForm } from "@credence/protocol";
import { type TokenExchangeOptions, type TokenRequest, tokenExchangeEndpoint } from "./endpoint.ts";

/** What the listener knows of a request beside the request itself. */
export type RequestContext = Pick<TokenRequest, "source" | "certificate">;

/** Answers requests to the token endpoint that are token exchanges. */
export type TokenExchangeHandler = (request: Request, context?: RequestContext) => Promise<Response>;

/**
 * Makes the token endpoint's handler for token exchanges.
 *
 * @returns a fetch handler: POST with a form of at most 65,536 bytes in; JSON out, never cached. It does not throw.
 * @throws CredenceError `configuration` when an option is wrong.
 * @see ID-JAG draft §4.3, RFC 6749 §5.2
 */
export function tokenExchangeHandler<Client, Subject>(
  options: TokenExchangeOptions<Client, Subject>,
): TokenExchangeHandler {
  const endpoint = tokenExchangeEndpoint(options);
  return async (request, context = {}) => {
    const [authorization, dpop] = [request.headers.get("authorization"), request.headers.get("dpop")];
    const { status, headers, body } = await endpoint({
      ...context,
      authorization,
      dpop,
      form: await readForm(request),
    });
    return Response.json(body, { status, headers });
  };
}
