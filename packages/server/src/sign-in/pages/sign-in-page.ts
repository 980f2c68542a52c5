import { html } from "hono/html";
import { isLoopback } from "../clients.ts";
import { EMAIL_MAX } from "../credentials.ts";
import { cautionIcon, formActionSource, type House, type Html, type Page, reportLine } from "./page.ts";

/** What the pages of a sign-in say and keep. */
export interface SignInView {
  /** Where each step is. */
  readonly paths: SignInPaths;
  /** The agent's name; absent where people come to the page of their own account. */
  readonly agent: string | undefined;
  /** Where the browser goes afterwards. */
  readonly redirectUri: string;
  /** As typed before, or as the agent suggests; empty in the first step alone. */
  readonly email: string;
  /** What the browser needs to sign in with a passkey, as JSON; absent where passkeys can not be used. */
  readonly passkey?: string | undefined;
  readonly problem?: SignInProblem | undefined;
  /** What to name when reporting. */
  readonly reference: string;
}

/** Paths of the steps. */
export interface SignInPaths {
  /** The first: the email. */
  readonly email: string;
  readonly password: string;
  /** The code of the authenticator app. */
  readonly code: string;
  readonly passkey: string;
  /** Nothing that the person has is enough. */
  readonly unmet: string;
  /** The page of one's own account. */
  readonly account: string;
}

/** Why a step is shown again. `wait` in seconds. */
export type SignInProblem =
  | { readonly kind: "missing" | "wrong" | "code-wrong" | "code-used" | "passkey" }
  | { readonly kind: "wait"; readonly wait: number };

/** The first step: who is asking, where it leads, and the email. */
export function emailPage(house: House, view: SignInView): Page {
  return letter(house, view, {
    title: "Sign in",
    action: view.paths.email,
    button: "Continue",
    fields: html`<div class="field">
<label for="email">Email</label>
<input id="email" name="email" type="email" autocomplete="username${view.passkey === undefined ? "" : " webauthn"}" inputmode="email" spellcheck="false" autocapitalize="none" maxlength="${EMAIL_MAX}" required autofocus value="${view.email}"${marks(view)}>
</div>`,
    passkey: { whose: "anybody", label: "Sign in with a passkey", autofill: true },
  });
}

/** The second step: the password. It looks the same whether somebody has that email or not. */
export function passwordPage(house: House, view: SignInView): Page {
  return letter(house, view, {
    title: "Your password",
    action: view.paths.password,
    button: "Sign in",
    // Password managers read the email from a field: people read it from the line above, so the field is out of sight.
    fields: html`<div class="field">
<p class="label">Email</p>
<p class="given"><span class="email">${view.email}</span> <a href="${view.paths.email}">Change<span class="unseen"> the email</span></a></p>
</div>
<input class="unseen" id="email" type="email" autocomplete="username" value="${view.email}" readonly tabindex="-1" aria-hidden="true">
<div class="field">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required autofocus${marks(view)}>
</div>`,
  });
}

/** After the password: the code of the authenticator app, or a recovery code in its place. */
export function codePage(house: House, view: SignInView): Page {
  return letter(house, view, {
    title: "Your code",
    action: view.paths.code,
    button: "Sign in",
    fields: html`${whoLine(view)}
<div class="field">
<label for="code">Code from your authenticator app</label>
<input id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" spellcheck="false" autocapitalize="characters" maxlength="40" required autofocus${view.problem === undefined ? html` aria-describedby="code-hint"` : marks(view)}>
<p class="hint" id="code-hint">Without the app, type one of your recovery codes.</p>
</div>`,
    passkey: { whose: "mine", label: "Use a passkey instead" },
  });
}

/** After the password: a passkey, where nothing weaker is enough. */
export function passkeyPage(house: House, view: SignInView): Page {
  return letter(house, view, {
    title: "Your passkey",
    fields: html`${whoLine(view)}
<p>${asker(view)} asks for a sign-in with a passkey.</p>
<noscript><p class="notice">${cautionIcon()}<span>Passkeys need JavaScript, which is switched off in this browser.</span></p></noscript>`,
    passkey: { whose: "mine", label: "Use your passkey" },
    action: view.paths.passkey,
  });
}

/** Nothing that the person has set up is enough: what helps, and the way back. */
export function unmetPage(house: House, view: SignInView): Page {
  return letter(house, view, {
    title: "A stronger sign-in is asked for",
    heading: "Not strong enough yet",
    action: view.paths.unmet,
    fields: html`${whoLine(view)}
<div class="body">
<p>${asker(view)} asks for a stronger sign-in than you have set up${view.agent === undefined ? "" : html` at ${house.organization}`}.</p>
<p><strong>What helps.</strong> Add an authenticator app or a passkey to <a href="${view.paths.account}">your account</a>, then come back and <a href="${view.paths.email}">try again</a>. If you can not, ask your IT team.</p>
</div>`,
  });
}

interface Step {
  readonly title: string;
  readonly heading?: string;
  /** Where the form goes. */
  readonly action: string;
  readonly fields: Html;
  /** What the button says that leads on; without it, there is only the passkey, or the way back. */
  readonly button?: string;
  /** How a passkey is offered, where the view says that it can be used. */
  readonly passkey?: PasskeyOffer;
}

interface PasskeyOffer {
  readonly whose: "anybody" | "mine";
  readonly label: string;
  /** Whether the browser may offer it beneath the field for the email, too. */
  readonly autofill?: boolean;
}

/** What all steps have in common: it is one letter. */
function letter(house: House, view: SignInView, step: Step): Page {
  const source = formActionSource(view.redirectUri);
  return {
    title: view.problem === undefined ? step.title : "Sign in: not yet",
    ...(source === undefined ? {} : { formAction: [source] }),
    script: view.passkey !== undefined,
    body: html`<h1 class="title" id="title">${step.heading ?? "Sign in"}</h1>
${purpose(view)}
<hr class="rule">
${view.problem === undefined ? "" : notice(view.problem)}
<form method="post" action="${step.action}">
${step.fields}
<div class="actions">
${step.button === undefined ? "" : html`<button class="button first" type="submit" name="intent" value="go-on">${step.button}</button>`}
${passkeyButton(view, step)}
<button class="button second" type="submit" name="intent" value="cancel" formnovalidate>Cancel</button>
</div>
</form>
${passkeyForm(view, step)}`,
    foot: html`<p>You are at <strong>${new URL(house.issuer).host}</strong>. ${house.organization} asks for your password here and nowhere else.</p>
${reportLine(house, view.reference)}`,
  };
}

/** Who asks, and where it leads. */
function purpose(view: SignInView): Html {
  if (view.agent === undefined) return html`<p class="asks">You then come to your account.</p>`;
  return html`<p class="asks"><strong>${view.agent}</strong> asks who you are. You then return to <span class="whole">${returnPlace(view.redirectUri)}.</span></p>
${staysHere(view.redirectUri) ? html`<p class="asks">Any program on this computer could be waiting there: go on only if you started <strong>${view.agent}</strong> yourself.</p>` : ""}`;
}

/** Whose password was right, or whose session this is, and the way out for somebody else. */
function whoLine(view: SignInView): Html {
  return html`<div class="field">
<p class="label">You are</p>
<p class="given"><span class="email">${view.email}</span> <a href="${view.paths.email}?as=somebody-else">Not you?</a></p>
</div>`;
}

function asker({ agent }: SignInView): Html {
  return agent === undefined ? html`This page` : html`<strong>${agent}</strong>`;
}

/** What offers the passkey; without the script that it needs, it does not show. */
function passkeyButton({ passkey }: SignInView, step: Step): Html | "" {
  if (passkey === undefined || step.passkey === undefined) return "";
  const alone = step.button === undefined;
  return html`<div class="offer" data-passkey-offer hidden>
${alone ? "" : html`<p class="or">or</p>`}
<button class="button ${alone ? "first" : "second lined"}" type="submit" form="passkey">${step.passkey.label}</button>
<p class="hint" role="status" data-passkey-said></p>
</div>`;
}

/** The form that the script sends, with what the passkey signed. */
function passkeyForm({ passkey, paths }: SignInView, { passkey: offer }: Step): Html | "" {
  if (passkey === undefined || offer === undefined) return "";
  return html`<form id="passkey" method="post" action="${paths.passkey}" data-passkey="get" data-options="${passkey}"${offer.autofill ? html` data-autofill` : ""}>
<input type="hidden" name="whose" value="${offer.whose}">
<input type="hidden" name="answer" value="">
</form>`;
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
    case "code-wrong":
      return "This code is not right. Type the one that the app shows now.";
    case "code-used":
      return "This code was used already. Wait for the next one, and type that.";
    case "passkey":
      return "This passkey was not accepted. Try again, or sign in another way.";
    case "wait":
      return `There were too many attempts. Wait ${duration(problem.wait)}, then try again.`;
  }
}

function duration(seconds: number): string {
  if (seconds < 60) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

/**
 * Whether a redirect stays on this device, where whatever program is first may take it.
 * @see RFC 8252 §8.1, §8.3; MCP enterprise-managed authorization §7.5.3
 */
function staysHere(redirectUri: string): boolean {
  const url = URL.parse(redirectUri);
  return url !== null && (isLoopback(url) || !/^https?:$/.test(url.protocol));
}

/** Where a redirect leads, in words: a host, this computer, or an app on it. */
function returnPlace(redirectUri: string): Html {
  const url = URL.parse(redirectUri);
  if (url === null) return html`the agent`;
  if (isLoopback(url)) return html`<strong>this computer</strong> (${url.host})`;
  if (/^https?:$/.test(url.protocol)) return html`<strong>${url.host}</strong>`;
  return html`<strong>an app on this device</strong> (${url.protocol.slice(0, -1)})`;
}
