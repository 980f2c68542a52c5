import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { newReference, type Report } from "../fault.ts";
import { errorPage, errorWords } from "./error-page.ts";
import { type House, type Page, render } from "./page.ts";

/** What our pages run on: Node's own request and response are at hand, for oidc-provider. */
export interface Env {
  readonly Bindings: HttpBindings;
}

export type Ctx = Context<Env>;
export type Status = 200 | 400 | 403 | 404 | 413 | 422 | 429 | 500;

/** How a request is answered with a page. */
export interface Answers {
  show(c: Ctx, status: Status, page: (house: House) => Page, headers?: Record<string, string>): Promise<Response>;
  /** Shows an error page, and puts the error into the operator's log under the page's reference. */
  refuse(c: Ctx, status: Status, code: string, error: unknown): Promise<Response>;
}

/** Makes the answers of this house. */
export function createAnswers(house: () => Promise<House>, report: Report): Answers {
  const show: Answers["show"] = async (c, status, page, headers = {}) => {
    const ours = await house();
    const rendered = await render(ours, page(ours));
    return c.body(rendered.html, status, { ...rendered.headers, ...headers });
  };
  const refuse: Answers["refuse"] = (c, status, code, error) => {
    const reference = newReference();
    report({ reference, code, error });
    return show(c, status, (ours) => errorPage(ours, { ...errorWords(code, status), code, reference }));
  };
  return { show, refuse };
}
