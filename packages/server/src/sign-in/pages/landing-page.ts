import { html } from "hono/html";
import { PATHS, urlBelow } from "../paths.ts";
import type { House, Page } from "./page.ts";

/** What stands at the issuer's address: what this is, and where machines go on. */
export function landingPage(house: House): Page {
  const at = (path: string): string => urlBelow(house.issuer, path);
  return {
    title: "Credence",
    wide: true,
    body: html`<h1 class="title" id="title">Identity provider</h1>
<p class="asks">Here ${house.organization} signs its people in, and decides which agents may reach which apps on their behalf.</p>
<hr class="rule">
<ul class="links">
<li><a href="${at(PATHS.account)}">Your account</a><code>${PATHS.account}</code></li>
<li><a href="${at("/.well-known/openid-configuration")}">OpenID Connect metadata</a><code>/.well-known/openid-configuration</code></li>
<li><a href="${at(PATHS.jwks)}">Public keys</a><code>${PATHS.jwks}</code></li>
</ul>
<hr class="rule">
<dl class="facts"><dt>Issuer</dt><dd class="id">${house.issuer}</dd></dl>`,
    foot: html`<p>To sign in, begin at an agent: it brings you to the sign-in page when it needs you.</p>`,
  };
}
