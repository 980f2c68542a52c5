import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import { seal } from "./seal.ts";

/** A piece of a page, escaped. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** What every page says of the house. */
export interface House {
  readonly organization: string;
  readonly issuer: string;
  /** Path of the stylesheet. */
  readonly stylesheet: string;
  /** Path of the script that speaks with the browser about passkeys. */
  readonly script: string;
  /** Whom to tell when something looks wrong: an email address, or the URL of a page. */
  readonly support?: string | undefined;
}

/** One page, before it is put into its frame. */
export interface Page {
  readonly title: string;
  readonly body: Html;
  /** Under the card. */
  readonly foot?: Html;
  /** Where forms may lead beyond our own origin: sources of a Content-Security-Policy. */
  readonly formAction?: readonly string[];
  /** Whether passkeys are asked for or made: the one thing that needs a script. */
  readonly script?: boolean;
  /** A page to read rather than a form. */
  readonly wide?: boolean;
}

/** A page, ready to be sent. */
export interface RenderedPage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Puts a page into its frame: the seal, the card, who runs this. */
export async function render(house: House, page: Page): Promise<RenderedPage> {
  const document = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="theme-color" content="#faf8f4" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#12151c" media="(prefers-color-scheme: dark)">
<title>${page.title} · ${house.organization}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${house.stylesheet}">
${page.script ? html`<script src="${house.script}" defer></script>` : ""}
</head>
<body>
<main class="letter${page.wide ? " wide" : ""}">
<div class="head">${seal(house.organization)}</div>
<section class="card" aria-labelledby="title">
<p class="organization">${house.organization}</p>
${page.body}
</section>
${page.foot === undefined ? "" : html`<div class="foot">${page.foot}</div>`}
</main>
<footer class="colophon">Credence, run by ${house.organization}</footer>
</body>
</html>
`;
  return { html: document.toString(), headers: pageHeaders(page) };
}

/** Nothing but our own styles, where it must be our own script,, fonts and forms; never in a frame, never kept, never telling where it was. */
function pageHeaders({ formAction = [], script }: Page): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "style-src 'self'",
    ...(script ? ["script-src 'self'"] : []),
    "font-src 'self'",
    "img-src 'self' data:",
    `form-action ${["'self'", ...formAction].join(" ")}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
  };
}

/**
 * The source under which a form may be redirected to a URL: browsers hold `form-action` against redirects, too.
 *
 * @returns a source of a Content-Security-Policy; `undefined` for what is no URL.
 */
export function formActionSource(target: string): string | undefined {
  const url = URL.parse(target);
  if (url === null || /[\s;,']/.test(url.protocol + url.host)) return undefined;
  // A source can not name an IPv6 address, nor the host of a scheme of an app's own.
  const byHost = /^https?:$/.test(url.protocol) && !url.host.startsWith("[");
  return byHost ? url.origin : url.protocol;
}

/** Whom to tell, as a link. */
export function supportLink(support: string): Html {
  const href = support.includes("@") && !support.includes("/") ? `mailto:${support}` : support;
  return html`<a href="${href}">${support.replace(/^https?:\/\//, "")}</a>`;
}

/** What to do when something looks wrong. */
export function reportLine(house: House, reference: string): Html {
  const whom = house.support === undefined ? html`your IT team` : supportLink(house.support);
  return html`<p>Does something look wrong? Stop here and tell <span class="whole">${whom},</span> with the reference <span class="id">${reference}</span>.</p>`;
}

/** The warning sign beside a notice. */
export function cautionIcon(): Html {
  return html`<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"><path d="M8 2.2 14.4 13.3H1.6Z"/><path d="M8 6.6v3"/><path d="M8 11.5v.01"/></svg>`;
}
