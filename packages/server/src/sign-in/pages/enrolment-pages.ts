import { html, raw } from "hono/html";
import { renderSVG } from "uqr";
import { PASSKEY_NAME_MAX } from "../factors/passkeys.ts";
import { cautionIcon, type House, type Html, type Page } from "./page.ts";

/** What the pages on which something is set up have in common. */
interface EnrolmentView {
  /** Of the account's page. */
  readonly path: string;
}

/** Makes a passkey; or says why that can not be done here. */
export function newPasskeyPage(
  _house: House,
  view: EnrolmentView & {
    readonly token: string;
    /** What the browser needs, as JSON; absent where passkeys can not be used. */
    readonly options: string | undefined;
    readonly problem: "exists" | "refused" | "name" | undefined;
  },
): Page {
  const { path, token, options, problem } = view;
  if (options === undefined) {
    return {
      title: "No passkeys here",
      body: html`<h1 class="title" id="title">No passkeys here</h1>
<hr class="rule">
<p>A passkey belongs to a server with a name, such as idp.acme.example. This server has only an address, so browsers make none for it.</p>
<div class="actions">${backTo(path, "first")}</div>`,
    };
  }
  return {
    title: "Add a passkey",
    script: true,
    body: html`<h1 class="title" id="title">Add a passkey</h1>
<p class="asks">It stays on your device or in your password manager, and works at this address alone: nobody can trick you out of it.</p>
<hr class="rule">
${problem === undefined ? "" : notice(PASSKEY_PROBLEMS[problem])}
<form method="post" action="${path}/passkeys" data-passkey="create" data-options="${options}">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="answer" value="">
<div data-passkey-offer hidden>
<div class="field">
<label for="name">What do you call it?</label>
<input id="name" name="name" maxlength="${PASSKEY_NAME_MAX}" required autofocus autocomplete="off" aria-describedby="name-hint"${problem === "name" ? html` aria-invalid="true"` : ""}>
<p class="hint" id="name-hint">So that you know it again: my phone, the blue key.</p>
</div>
<div class="actions">
<button class="button first" type="submit">Make the passkey</button>
<p class="hint" role="status" data-passkey-said></p>
</div>
</div>
</form>
<noscript><p class="notice">${cautionIcon()}<span>Passkeys need JavaScript, which is switched off in this browser.</span></p></noscript>
<div class="actions">${backTo(path, "second")}</div>`,
  };
}

const PASSKEY_PROBLEMS = {
  exists: "This passkey is in use already.",
  refused: "What the device gave is not what was asked for. Try again.",
  name: "Give the passkey a name.",
} as const;

/** Sets an authenticator app up: it counts once a code of it was typed. */
export function authenticatorPage(
  house: House,
  view: EnrolmentView & {
    readonly token: string;
    /** The secret, sealed: it comes back with the code. */
    readonly note: string;
    readonly secret: string;
    /** What the QR code says. */
    readonly uri: string;
    readonly wrong: boolean;
  },
): Page {
  const { path, token, note, secret, uri, wrong } = view;
  return {
    title: "Set up an authenticator app",
    body: html`<h1 class="title" id="title">Set up an authenticator app</h1>
<p class="asks">After your password, ${house.organization} then asks for a code that only your phone knows.</p>
<hr class="rule">
${wrong ? notice("This code is not right. Type the one that the app shows now; if it goes on, look whether your phone's clock is right.") : ""}
<ol class="steps">
<li><p>Scan this in the app, or type the secret.</p>
<div class="qr" role="img" aria-label="QR code with the secret below">${raw(renderSVG(uri, { border: 2, pixelSize: 4 }))}</div>
<p class="id secret">${secret.match(/.{1,4}/g)?.join(" ") ?? secret}</p></li>
<li><p>Type the code that the app shows.</p></li>
</ol>
<form method="post" action="${path}/authenticator" autocomplete="off">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="note" value="${note}">
<div class="field">
<label for="code">Code from the app</label>
<input id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" maxlength="12" required${wrong ? html` aria-invalid="true" aria-describedby="problem"` : ""}>
</div>
<div class="actions"><button class="button first" type="submit">Turn it on</button>${backTo(path, "second")}</div>
</form>`,
  };
}

/** Shows recovery codes, the only time that anybody sees them. */
export function recoveryCodesPage(
  _house: House,
  { path, codes, first }: EnrolmentView & { readonly codes: readonly string[]; readonly first: boolean },
): Page {
  return {
    title: "Your recovery codes",
    body: html`<h1 class="title" id="title">Your recovery codes</h1>
<p class="asks">${first ? "The app is on." : "Those that you had before are worth nothing now."} Without your phone, each of these signs you in once, in place of the app's code.</p>
<hr class="rule">
${notice("Keep them somewhere safe now: they are not shown again.")}
<ul class="codes">${codes.map((code) => html`<li class="id">${code}</li>`)}</ul>
<div class="actions"><a class="button first" href="${path}">I have kept them</a></div>`,
  };
}

function notice(text: string): Html {
  return html`<div class="notice" id="problem" role="alert">${cautionIcon()}<p>${text}</p></div>`;
}

function backTo(path: string, look: "first" | "second"): Html {
  return html`<a class="button ${look}" href="${path}">Back to your account</a>`;
}
