import { html } from "hono/html";
import { isLoopback } from "../clients.ts";
import { EMAIL_MAX } from "../credentials.ts";
import { cautionIcon, formActionSource, type House, type Html, type Page, reportLine } from "./page.ts";

/** What the sign-in pages say and keep. */
export interface SignInView {
  /** Path of the first step, which asks for the email. */
  readonly emailStep: string;
  /** Path of the second step, which asks for the password. */
  readonly passwordStep: string;
  /** The agent's name. */
  readonly agent: string;
  /** Where the browser goes afterwards. */
  readonly redirectUri: string;
  /** As typed before, or as the agent suggests; empty in the first step alone. */
  readonly email: string;
  readonly problem?: SignInProblem | undefined;
  /** What to name when reporting. */
  readonly reference: string;
}

/** Why a step is shown again. `wait` in seconds. */
export type SignInProblem =
  | { readonly kind: "missing" }
  | { readonly kind: "wrong" }
  | { readonly kind: "wait"; readonly wait: number };

/** The first step: who is asking, where it leads, and the email. */
export function emailPage(house: House, view: SignInView): Page {
  return letter(house, view, {
    title: "Sign in",
    action: view.emailStep,
    button: "Continue",
    fields: html`<div class="field">
<label for="email">Email</label>
<input id="email" name="email" type="email" autocomplete="username" inputmode="email" spellcheck="false" autocapitalize="none" maxlength="${EMAIL_MAX}" required autofocus value="${view.email}"${marks(view)}>
</div>`,
  });
}

/** The second step: the password. It looks the same whether somebody has that email or not. */
export function passwordPage(house: House, view: SignInView): Page {
  return letter(house, view, {
    title: "Your password",
    action: view.passwordStep,
    button: "Sign in",
    // Password managers read the email from a field: people read it from the line above, so the field is out of sight.
    fields: html`<div class="field">
<p class="label">Email</p>
<p class="given"><span class="email">${view.email}</span> <a href="${view.emailStep}">Change<span class="unseen"> the email</span></a></p>
</div>
<input class="unseen" id="email" type="email" autocomplete="username" value="${view.email}" readonly tabindex="-1" aria-hidden="true">
<div class="field">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required autofocus${marks(view)}>
</div>`,
  });
}

interface Step {
  readonly title: string;
  /** Where the form goes. */
  readonly action: string;
  readonly fields: Html;
  /** What the button says that leads on. */
  readonly button: string;
}

/** What both steps have in common: it is one letter. */
function letter(house: House, view: SignInView, { title, action, fields, button }: Step): Page {
  const source = formActionSource(view.redirectUri);
  return {
    title: view.problem === undefined ? title : "Sign in: not yet",
    ...(source === undefined ? {} : { formAction: [source] }),
    body: html`<h1 class="title" id="title">Sign in</h1>
<p class="asks"><strong>${view.agent}</strong> asks who you are. You then return to <span class="whole">${returnPlace(view.redirectUri)}.</span></p>
<hr class="rule">
${view.problem === undefined ? "" : notice(view.problem)}
<form method="post" action="${action}">
${fields}
<div class="actions">
<button class="button first" type="submit" name="intent" value="go-on">${button}</button>
<button class="button second" type="submit" name="intent" value="cancel" formnovalidate>Cancel</button>
</div>
</form>`,
    foot: html`<p>You are at <strong>${new URL(house.issuer).host}</strong>. ${house.organization} asks for your password here and nowhere else.</p>
${reportLine(house, view.reference)}`,
  };
}

/** What a field says of the notice above it. */
function marks({ problem }: SignInView): Html | "" {
  if (problem === undefined) return "";
  return html` aria-invalid="${problem.kind === "wait" ? "false" : "true"}" aria-describedby="problem"`;
}

function notice(problem: SignInProblem): Html {
  return html`<div class="notice" id="problem" role="alert">${cautionIcon()}<p>${sentence(problem)}</p></div>`;
}

function sentence(problem: SignInProblem): string {
  switch (problem.kind) {
    case "missing":
      return "Type your email, so that we know who you are.";
    case "wrong":
      return "This email and password do not fit together. Check both, and try again.";
    case "wait":
      return `There were too many attempts. Wait ${duration(problem.wait)}, then try again.`;
  }
}

function duration(seconds: number): string {
  if (seconds < 60) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

/** Where a redirect leads, in words: a host, this computer, or an app on it. */
function returnPlace(redirectUri: string): Html {
  const url = URL.parse(redirectUri);
  if (url === null) return html`the agent`;
  if (isLoopback(url)) return html`<strong>this computer</strong> (${url.host})`;
  if (/^https?:$/.test(url.protocol)) return html`<strong>${url.host}</strong>`;
  return html`<strong>an app on this device</strong> (${url.protocol.slice(0, -1)})`;
}
