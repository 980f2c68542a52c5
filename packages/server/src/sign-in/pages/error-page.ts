import { html } from "hono/html";
import { type House, type Html, type Page, supportLink } from "./page.ts";

/** What went wrong, in words for the person in front of it. */
export interface ErrorView {
  readonly title: string;
  readonly what: string;
  /** Who can mend it, and how. */
  readonly mend: string;
  /** For those who mend it: the protocol's own code. */
  readonly code: string;
  /** Under which it is in the log; absent for what is not logged. */
  readonly reference?: string;
}

/** What happened, who can mend it, and under which id it is found. */
export function errorPage(house: House, view: ErrorView): Page {
  return {
    title: view.title,
    body: html`<h1 class="title" id="title">${view.title}</h1>
<hr class="rule">
<div class="body">
<p>${view.what}</p>
<p><strong>What helps.</strong> ${view.mend}</p>
</div>
<hr class="rule">
<dl class="facts">
${view.reference === undefined ? "" : html`<dt>Reference</dt><dd class="id">${view.reference}</dd>`}
<dt>Kind</dt><dd class="id">${view.code}</dd>
</dl>`,
    ...(view.reference === undefined ? {} : { foot: help(house) }),
  };
}

function help({ support }: House): Html {
  if (support === undefined) return html`<p>If you ask for help, give the reference.</p>`;
  return html`<p>Help: <span class="whole">${supportLink(support)}.</span> Give the reference.</p>`;
}

/** The words for an error of the protocol. Nothing of what the request said is repeated. */
export function errorWords(code: string, status: number): Pick<ErrorView, "title" | "what" | "mend"> {
  if (status >= 500) return UNAVAILABLE;
  return WORDS[code] ?? OTHER;
}

const UNAVAILABLE = {
  title: "This does not work at the moment",
  what: "Something failed on our side. Nothing was changed.",
  mend: "Try again in a minute. If it stays, the people who run this server can find out why by the reference.",
};

const OTHER = {
  title: "This request can not go on",
  what: "The agent that sent you here sent a request that is not valid.",
  mend: "Go back to the agent and start again. If it stays, its makers must mend it.",
};

const AGENT_UNKNOWN = {
  title: "This agent is not known here",
  what: "The agent that sent you here is not registered with your organization, or was switched off.",
  mend: "Your IT team can register it, or switch it on again.",
};

const WORDS: Readonly<Record<string, Pick<ErrorView, "title" | "what" | "mend">>> = {
  invalid_client: AGENT_UNKNOWN,
  invalid_redirect_uri: {
    title: "This agent wants to take you somewhere unknown",
    what: "The address that you would return to is not one that this agent registered, so you stay here.",
    mend: "If you trust the agent, your IT team can register the address. If you did not start this, close the page.",
  },
  session_expired: {
    title: "This sign-in has expired",
    what: "It was left open for too long, was finished already, or was started in another browser.",
    mend: "Go back to the agent and start again.",
  },
  slow_down: {
    title: "Too many requests from where you are",
    what: "More sign-ins were begun at your address than we take at once. It may be you, or somebody who shares it with you.",
    mend: "Wait a minute, then go back to where you came from and start again.",
  },
  not_found: {
    title: "There is no page here",
    what: "Nothing stands at this address.",
    mend: "Check the address, or go back to where you came from.",
  },
  form_refused: {
    title: "This form was not sent from here",
    what: "The form came from another site, or was too large, so nothing was done with it.",
    mend: "Go back to the agent and start again. If you did not start this, close the page.",
  },
};
