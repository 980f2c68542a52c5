import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Answers, Ctx, Env } from "./answers.ts";

/** Bytes of a form. */
const FORM_MAX = 16_384;

/** What every form of ours goes through, before anybody reads it. */
export interface FormGuards {
  readonly limit: MiddlewareHandler<Env>;
  /** SameSite keeps the cookie from other sites' forms; this says so again, where the browser does. */
  readonly fromHere: MiddlewareHandler<Env>;
}

/** Makes the guards: a form that is too large, or from elsewhere, is refused with a page. */
export function formGuards(issuer: string, { refuse }: Answers): FormGuards {
  const { origin } = new URL(issuer);
  return {
    limit: bodyLimit({ maxSize: FORM_MAX, onError: (c) => refuse(c, 413, "form_refused", "form too large") }),
    async fromHere(c, next) {
      const site = c.req.header("sec-fetch-site");
      // A page that tells nobody where it was (ours do not) sends `null`: that says nothing, and the other header more.
      const from = c.req.header("origin") ?? "null";
      const elsewhere = (site !== undefined && site !== "same-origin") || (from !== "null" && from !== origin);
      return elsewhere ? refuse(c, 403, "form_refused", "form from elsewhere") : next();
    },
  };
}

/** Reads a form. */
export async function formOf(c: Ctx): Promise<URLSearchParams> {
  return new URLSearchParams(await c.req.text());
}
