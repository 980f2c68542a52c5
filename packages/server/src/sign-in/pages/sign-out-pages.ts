import { html } from "hono/html";
import { formActionSource, type House, type Page } from "./page.ts";

/** A form of ours that goes to oidc-provider: hidden values and one button. */
export interface HiddenForm {
  readonly action: string;
  readonly values: Readonly<Record<string, string>>;
}

function form({ action, values }: HiddenForm, label: string) {
  return html`<form method="post" action="${action}">
${Object.entries(values).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<div class="actions"><button class="button first" type="submit">${label}</button></div>
</form>`;
}

function sources(returnTo: string | undefined): Pick<Page, "formAction"> {
  const source = returnTo === undefined ? undefined : formActionSource(returnTo);
  return source === undefined ? {} : { formAction: [source] };
}

/** Asks before signing out: a link on some page must not do it. */
export function confirmSignOutPage(
  house: House,
  view: HiddenForm & { readonly agent: string | undefined; readonly returnTo: string | undefined },
): Page {
  return {
    title: "Sign out",
    ...sources(view.returnTo),
    body: html`<h1 class="title" id="title">Sign out of ${house.organization}?</h1>
<p class="asks">${view.agent === undefined ? "" : html`<strong>${view.agent}</strong> asks you to sign out. `}Agents that you signed in to from this browser can then no longer act for you, until you sign in again.</p>
${form(view, "Sign out")}`,
    foot: html`<p>To stay signed in, close this page.</p>`,
  };
}

/** Nobody is signed in in this browser: one step is left, back to the agent. */
export function alreadySignedOutPage(
  _house: House,
  view: HiddenForm & { readonly returnTo: string | undefined },
): Page {
  return {
    title: "Signed out",
    ...sources(view.returnTo),
    body: html`<h1 class="title" id="title">You are signed out</h1>
<p class="asks">Nobody is signed in in this browser.</p>
${form(view, "Continue")}`,
  };
}

/** Somebody else signed in meanwhile, in another tab: their sign-in ends before this one goes on. */
export function switchPersonPage(house: House, view: HiddenForm): Page {
  return {
    title: "Somebody else is signed in",
    body: html`<h1 class="title" id="title">Somebody else is signed in</h1>
<p class="asks">Another person is signed in to ${house.organization} in this browser. Going on signs them out.</p>
${form(view, "Sign them out and go on")}`,
  };
}

/** The end. */
export function signedOutPage(_house: House): Page {
  return {
    title: "Signed out",
    body: html`<h1 class="title" id="title">You are signed out</h1>
<p class="asks">Agents can no longer act for you with this sign-in. You can close this page.</p>`,
    foot: html`<p>On a computer that others use, close the browser too.</p>`,
  };
}
