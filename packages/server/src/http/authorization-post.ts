import { ok, parseForm, refuse } from "@credence/protocol";
import type { FormHandler } from "./form-endpoint.ts";

/** Characters of the query: with the cookies it has to fit into what the listener takes as headers. */
const LONGEST_QUERY = 8_000;

/**
 * Answers an authentication request by POST: its user agent is to ask the same by GET. Cookies that other sites' forms do not send come with
 * that, as they do with a link.
 *
 * @param url - Of the authorization endpoint.
 * @returns refused `form-malformed`, `form-too-large` or `parameter-doubled`.
 * @see OpenID Connect Core §3.1.2.1
 */
export function askAgainByGet(url: string): FormHandler {
  return async (_req, res, body) => {
    const form = parseForm(body);
    if (!form.ok) return form;
    const query = new URLSearchParams(body.toString("utf8")).toString();
    if (query.length > LONGEST_QUERY) return refuse("form-too-large", `more than ${LONGEST_QUERY} characters`);
    res.writeHead(303, { location: `${url}?${query}`, "cache-control": "no-store" });
    res.end();
    return ok(undefined);
  };
}
