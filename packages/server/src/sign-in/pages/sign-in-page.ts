import { html } from "hono/html";
import { isLoopback } from "../clients.ts";
import { cautionIcon, formActionSource, type House, type Html, type Page, reportLine } from "./page.ts";

/** What the sign-in page says and keeps. */
export interface SignInView {
  /** Where the form goes. */
  readonly action: string;
  /** The agent's name. */
  readonly agent: string;
  /** Where the browser goes afterwards. */
  readonly redirectUri: string;
  /** As typed before, or as the agent suggests. */
  readonly email: string;
  readonly problem?: SignInProblem | undefined;
  /** What to name when reporting. */
  readonly reference: string;
}

/** Why the form is shown again. `wait` in seconds. */
export type SignInProblem = { readonly kind: "wrong" } | { readonly kind: "wait"; readonly wait: number };

/** One card: who is asking, where it leads, email and password. */
export function signInPage(house: House, view: SignInView): Page {
  const source = formActionSource(view.redirectUri);
  return {
    title: view.problem === undefined ? "Sign in" : "Sign in: not yet",
    ...(source === undefined ? {} : { formAction: [source] }),
    body: html`<h1 class="title" id="title">Sign in</h1>
<p class="asks"><strong>${view.agent}</strong> asks who you are. You then return to <span class="whole">${returnPlace(view.redirectUri)}.</span></p>
<hr class="rule">
${view.problem === undefined ? "" : notice(view.problem)}
<form method="post" action="${view.action}">
${fields(view)}
<div class="actions">
<button class="button first" type="submit" name="intent" value="sign-in">Sign in</button>
<button class="button second" type="submit" name="intent" value="cancel" formnovalidate>Cancel</button>
</div>
</form>`,
    foot: html`<p>You are at <strong>${new URL(house.issuer).host}</strong>. ${house.organization} asks for your password here and nowhere else.</p>
${reportLine(house, view.reference)}`,
  };
}

function fields({ email, problem }: SignInView): Html {
  const described =
    problem === undefined
      ? ""
      : html` aria-invalid="${problem.kind === "wrong" ? "true" : "false"}" aria-describedby="problem"`;
  // The cursor stands where the person goes on: at the password when the email is known.
  const first = html` autofocus`;
  return html`<div class="field">
<label for="email">Email</label>
<input id="email" name="email" type="email" autocomplete="username" inputmode="email" spellcheck="false" autocapitalize="none" maxlength="320" required value="${email}"${described}${email === "" ? first : ""}>
</div>
<div class="field">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required${described}${email === "" ? "" : first}>
</div>`;
}

function notice(problem: SignInProblem): Html {
  return html`<div class="notice" id="problem" role="alert">${cautionIcon()}<p>${sentence(problem)}</p></div>`;
}

function sentence(problem: SignInProblem): string {
  return problem.kind === "wrong"
    ? "This email and password do not fit together. Check both, and try again."
    : `There were too many attempts. Wait ${duration(problem.wait)}, then try again.`;
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
