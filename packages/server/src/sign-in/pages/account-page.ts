import { html } from "hono/html";
import type { Person } from "../../directory/types.ts";
import type { OwnGrant, OwnSession } from "../belongings.ts";
import type { Device } from "../devices.ts";
import type { Factors, Passkey } from "../factors/factors.ts";
import { PASSKEY_NAME_MAX } from "../factors/passkeys.ts";
import { cautionIcon, type House, type Html, type Page, supportLink } from "./page.ts";

/** What the page of one's own account shows. */
export interface AccountView {
  readonly person: Person;
  readonly factors: Factors;
  readonly sessions: readonly OwnSession[];
  readonly grants: readonly OwnGrant[];
  /** Names of agents and apps, by client id. */
  readonly names: ReadonlyMap<string, string>;
  /** What each form brings back. */
  readonly token: string;
  /** Key of this browser's session. */
  readonly here: string;
  /** Of the account's page. */
  readonly path: string;
  /** Whether this IdP stands at a domain, which passkeys need. */
  readonly passkeysWork: boolean;
  /** Whether there are as many passkeys as one may have. */
  readonly full: boolean;
  readonly notice: AccountNotice | undefined;
}

/** What was just done. */
export type AccountNotice =
  | "again"
  | "passkey-added"
  | "passkey-renamed"
  | "passkey-removed"
  | "authenticator-removed"
  | "session-ended"
  | "grant-ended"
  | "all-ended";

const NOTICES: Readonly<Record<AccountNotice, string>> = {
  again: "You have signed in anew. Nothing was changed yet: now do it once more.",
  "passkey-added": "The passkey is yours. From now on you can sign in with it.",
  "passkey-renamed": "The passkey has its new name.",
  "passkey-removed": "The passkey no longer signs you in. You can delete it from its device, too.",
  "authenticator-removed": "The app's codes are no longer asked for. You can delete the entry from the app.",
  "session-ended": "That sign-in is over. Agents can no longer act for you with it.",
  "grant-ended": "The agent can no longer act for you without you.",
  "all-ended": "Everything else was ended. You have signed in anew, here and nowhere else.",
};

/** One's own account. */
export function accountPage(house: House, view: AccountView): Page {
  return {
    title: "Your account",
    wide: true,
    body: html`<h1 class="title" id="title">Your account</h1>
<p class="asks"><strong>${view.person.name}</strong> <span class="whole">${view.person.email}</span></p>
${view.notice === undefined ? "" : html`<p class="notice good" role="status">${NOTICES[view.notice]}</p>`}
<hr class="rule">
${waysIn(view)}
<hr class="rule">
${sessions(view)}
<hr class="rule">
${grants(view)}
<hr class="rule">
<section aria-labelledby="all">
<h2 id="all">Something looks wrong?</h2>
<p class="quiet">End all of it, here too: every browser is signed out, and no agent can act for you until you sign in to it again.</p>
${form(view, "/end-all", html`<button class="button second lined" type="submit">End everything</button>`)}
</section>`,
    foot: html`<p>Did you not do something that stands here? End everything, then tell <span class="whole">${house.support === undefined ? "your IT team" : supportLink(house.support)}.</span></p>`,
  };
}

function waysIn(view: AccountView): Html {
  const { passkeys } = view.factors;
  return html`<section aria-labelledby="ways">
<h2 id="ways">How you sign in</h2>
<ul class="list">
<li class="item"><div><p class="name">Password</p><p class="quiet">${view.person.passwordHash === undefined ? "None. Your IT team can set one." : "Set by your IT team, who can change it."}</p></div></li>
${passkeys.map((passkey) => passkeyItem(view, passkey))}
${passkeyOffer(view)}
${authenticator(view)}
</ul>
</section>`;
}

function passkeyOffer(view: AccountView): Html | "" {
  if (view.full) return "";
  const what = view.passkeysWork
    ? html`<p class="quiet">${view.factors.passkeys.length > 0 ? "Another device, or a spare." : "Your fingerprint, face or a security key, in place of the password."}</p>`
    : html`<p class="quiet">Not here: passkeys need a server with a name, and this one has only an address.</p>`;
  const link = view.passkeysWork ? html`<a class="act" href="${view.path}/passkeys/new">Add a passkey</a>` : "";
  return html`<li class="item"><div><p class="name">${view.factors.passkeys.length > 0 ? "One more passkey" : "Passkey"}</p>${what}</div>${link}</li>`;
}

function passkeyItem(view: AccountView, passkey: Passkey): Html {
  const { key, name, deviceBound, createdAt, usedAt } = passkey;
  return html`<li class="item">
<div><p class="name">${name}</p>
<p class="quiet">Passkey${deviceBound ? ", on one device" : ""}, since ${day(createdAt)}; ${usedAt === undefined ? "not used yet" : html`used ${day(usedAt)}`}</p></div>
<details class="change"><summary>Change<span class="unseen"> ${name}</span></summary>
${form(
  view,
  "/passkeys/rename",
  html`<input type="hidden" name="key" value="${key}">
<div class="field"><label for="name-${key}">Name</label><input id="name-${key}" name="name" maxlength="${PASSKEY_NAME_MAX}" required value="${name}"></div>
<button class="button second lined" type="submit">Rename</button>`,
)}
${form(
  view,
  "/passkeys/remove",
  html`<input type="hidden" name="key" value="${key}">
<button class="button second lined" type="submit">Remove this passkey</button>`,
)}
</details></li>`;
}

function authenticator(view: AccountView): Html {
  const { totp, recoveryCodes } = view.factors;
  if (totp === undefined) {
    return html`<li class="item"><div><p class="name">Authenticator app</p>
<p class="quiet">A code from your phone, after the password.</p></div>
<a class="act" href="${view.path}/authenticator">Set it up</a></li>`;
  }
  const left = recoveryCodes === 1 ? "1 recovery code is left" : `${recoveryCodes} recovery codes are left`;
  return html`<li class="item">
<div><p class="name">Authenticator app</p><p class="quiet">Since ${day(totp.createdAt)}; ${left}</p></div>
<details class="change"><summary>Change<span class="unseen"> the authenticator app</span></summary>
${form(view, "/recovery-codes", html`<button class="button second lined" type="submit">Make new recovery codes</button>`)}
${form(view, "/authenticator/remove", html`<button class="button second lined" type="submit">Remove the app</button>`)}
</details></li>`;
}

function sessions(view: AccountView): Html {
  return html`<section aria-labelledby="sessions">
<h2 id="sessions">Where you are signed in</h2>
<ul class="list">${view.sessions.map((session) => sessionItem(view, session))}</ul>
</section>`;
}

function sessionItem(view: AccountView, { key, since, clients, device }: OwnSession): Html {
  const here = key === view.here;
  const browser = device?.browser || "A browser";
  const used = clients.map((id) => view.names.get(id) ?? id).join(", ");
  return html`<li class="item">
<div><p class="name">${browser}${here ? html` <span class="badge">this one</span>` : ""}</p>
<p class="quiet">Since ${moment(since)}${device === undefined ? "" : lastUse(since, device)}</p>
${used === "" ? "" : html`<p class="quiet">For ${used}</p>`}</div>
${form(view, "/sessions/end", html`<input type="hidden" name="key" value="${key}"><button class="act" type="submit">End<span class="unseen"> the sign-in of ${browser}, ${moment(since)}</span></button>`)}
</li>`;
}

function lastUse(since: number, { lastUsed, source }: Device): Html {
  return lastUsed - since < 60 ? html`, from ${source}` : html`; last used ${moment(lastUsed)}, from ${source}`;
}

function grants(view: AccountView): Html {
  const none = html`<p class="quiet">No agent. Each acts for you only while you are signed in.</p>`;
  return html`<section aria-labelledby="grants">
<h2 id="grants">What may act for you without you</h2>
${view.grants.length === 0 ? none : html`<ul class="list">${view.grants.map((grant) => grantItem(view, grant))}</ul>`}
</section>`;
}

function grantItem(view: AccountView, { key, client, since, renewed }: OwnGrant): Html {
  const name = view.names.get(client) ?? client;
  return html`<li class="item">
<div><p class="name">${name}</p><p class="quiet">Since ${moment(since)}${renewed > since ? html`; renewed ${moment(renewed)}` : ""}</p></div>
${form(view, "/grants/end", html`<input type="hidden" name="key" value="${key}"><button class="act" type="submit">Take it back<span class="unseen"> from ${name}</span></button>`)}
</li>`;
}

function form({ path, token }: AccountView, to: string, inside: Html): Html {
  return html`<form method="post" action="${path}${to}"><input type="hidden" name="token" value="${token}">${inside}</form>`;
}

const DAY = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

function day(seconds: number): Html {
  const date = new Date(seconds * 1_000);
  return html`<time datetime="${date.toISOString()}">${DAY.format(date)}</time>`;
}

function moment(seconds: number): Html {
  const date = new Date(seconds * 1_000);
  return html`<time datetime="${date.toISOString()}">${MOMENT.format(date)} UTC</time>`;
}

/** Who was asked to sign in for a change, and did not. */
export function nothingChangedPage(path: string): Page {
  return {
    title: "Nothing was changed",
    body: html`<h1 class="title" id="title">Nothing was changed</h1>
<hr class="rule">
<div class="notice">${cautionIcon()}<p>You did not sign in, or not as strongly as your account asks for.</p></div>
<p>If a passkey or your authenticator app is lost, your IT team can remove it from your account.</p>
<div class="actions"><a class="button first" href="${path}">Back to your account</a></div>`,
  };
}
