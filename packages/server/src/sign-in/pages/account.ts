import type { Hono } from "hono";
import { hashed } from "../artifacts.ts";
import { type BelongingPorts, endOwnGrant, endOwnSession, grantsOf, sessionsOf } from "../belongings.ts";
import type { RecordSignIn, SignInEvent } from "../events.ts";
import { type FactorKind, renamePasskey } from "../factors/factors.ts";
import { keepPasskey, PASSKEY_NAME_MAX, PASSKEYS_MAX, registrationOptions } from "../factors/passkeys.ts";
import { checkTotp, keepTotp, newTotpSecret, removeTotp, renewRecoveryCodes, totpUri } from "../factors/totp.ts";
import { newReference, type Report } from "../fault.ts";
import { readNote, writeNote } from "../notes.ts";
import { basePath, PATHS } from "../paths.ts";
import { sourceOf } from "../source.ts";
import { type AccountNotice, accountPage, nothingChangedPage } from "./account-page.ts";
import {
  type AccountSessionPorts,
  type AccountTarget,
  formToken,
  isOwnForm,
  type SignedIn,
  signedIn,
  signInUrl,
} from "./account-session.ts";
import type { Answers, Ctx, Env } from "./answers.ts";
import { authenticatorPage, newPasskeyPage, recoveryCodesPage } from "./enrolment-pages.ts";
import { formGuards, formOf } from "./forms.ts";

/** What the pages of one's own account need. */
export interface AccountPorts extends AccountSessionPorts {
  readonly belongings: BelongingPorts;
  /** The name of an agent or app, by its client id here. */
  readonly nameOf: (clientId: string) => Promise<string>;
  /** What an authenticator app calls us. */
  readonly organization: () => Promise<string>;
  readonly record: RecordSignIn;
  /** Told of ends that could not be put on record. */
  readonly report: Report;
}

/** Seconds to scan a QR code and type what the app shows. */
const SECRET_LIFETIME = 1_800;

/**
 * The page of one's own account: how one signs in, where one is signed in, and what agents may do meanwhile. Looking changes
 * nothing; each change is a form of our own, in the session that it was made for. What changes how one signs in asks for a
 * sign-in of the last five minutes, as strong as the person can.
 */
export function addAccount(app: Hono<Env>, ports: AccountPorts, answers: Answers): void {
  const { factors, place, belongings, issuer } = ports;
  const { show, refuse } = answers;
  const base = `${basePath(issuer)}${PATHS.account}`;
  const { limit, fromHere } = formGuards(issuer, answers);

  // --- Looking ----------------------------------------------------------------------------------------------------------

  app.get(base, async (c) => {
    const who = await signedIn(ports, c);
    if (who === undefined) return c.redirect(signInUrl(issuer, "account"), 303);
    return showAccount(c, who, c.req.query("notice"));
  });

  app.get(`${base}/signed-in`, async (c) => {
    if (c.req.query("error") !== undefined) return show(c, 200, () => nothingChangedPage(base));
    return c.redirect(`${base}${AFTER_SIGN_IN.get(c.req.query("state") ?? "") ?? ""}`, 303);
  });

  /** For those who signed in a moment ago, as strongly as they can. Others are sent to do so, and come back. */
  async function freshly(
    c: Ctx,
    target: AccountTarget,
    run: (who: SignedIn) => Promise<Response> | Response,
  ): Promise<Response> {
    const who = await signedIn(ports, c);
    if (who === undefined) return c.redirect(signInUrl(issuer, target), 303);
    return who.fresh ? run(who) : c.redirect(signInUrl(issuer, target, who.strongest), 303);
  }

  app.get(`${base}/passkeys/new`, (c) => freshly(c, "passkey", (who) => showNewPasskey(c, who)));

  app.get(`${base}/authenticator`, (c) => freshly(c, "authenticator", (who) => showAuthenticator(c, who)));

  async function showAccount(c: Ctx, who: SignedIn, notice: string | undefined): Promise<Response> {
    const { person, uid } = who;
    const sessions = await sessionsOf(belongings, person.id);
    const grants = await grantsOf(belongings, person.id);
    const ids = [...new Set([...sessions.flatMap(({ clients }) => clients), ...grants.map(({ client }) => client)])];
    const names = new Map(await Promise.all(ids.map(async (id) => [id, await ports.nameOf(id)] as const)));
    const [token, here] = [await formToken(ports, who), hashed(uid)];
    return show(c, 200, (house) =>
      accountPage(house, {
        ...who,
        sessions,
        grants,
        names,
        token,
        here,
        path: base,
        passkeysWork: place !== undefined,
        full: who.factors.passkeys.length >= PASSKEYS_MAX,
        notice: isNotice(notice) ? notice : undefined,
      }),
    );
  }

  async function showNewPasskey(c: Ctx, who: SignedIn, problem?: "exists" | "refused" | "name"): Promise<Response> {
    const { person, factors: has, uid } = who;
    if (has.passkeys.length >= PASSKEYS_MAX) return c.redirect(base, 303);
    const organization = await ports.organization();
    const asked = { person, organization, passkeys: has.passkeys };
    const options = place === undefined ? undefined : await registrationOptions(factors, place, uid, asked);
    const token = await formToken(ports, who);
    return show(c, problem === undefined ? 200 : 422, (house) =>
      newPasskeyPage(house, { path: base, token, options, problem }),
    );
  }

  async function showAuthenticator(c: Ctx, who: SignedIn, again?: string): Promise<Response> {
    if (who.factors.totp !== undefined) return c.redirect(base, 303);
    const secret = again ?? newTotpSecret();
    const note = await writeNote(factors, "totp-secret", who.uid, SECRET_LIFETIME, secret);
    const uri = totpUri(secret, { issuer: await ports.organization(), label: who.person.email });
    const token = await formToken(ports, who);
    return show(c, again === undefined ? 200 : 422, (house) =>
      authenticatorPage(house, { path: base, token, note, secret, uri, wrong: again !== undefined }),
    );
  }

  // --- Changing ---------------------------------------------------------------------------------------------------------

  type Change = (c: Ctx, who: SignedIn, form: URLSearchParams) => Promise<Response>;

  /** A form of ours, from this session; and, where that is asked for, soon after a strong sign-in. */
  const change = (path: string, demands: "fresh" | "any", run: Change): void => {
    app.post(`${base}${path}`, limit, fromHere, async (c) => {
      const who = await signedIn(ports, c);
      if (who === undefined) return c.redirect(signInUrl(issuer, "again"), 303);
      const form = await formOf(c);
      if (!(await isOwnForm(ports, who, form))) return refuse(c, 403, "form_refused", "form without its token");
      if (demands === "fresh" && !who.fresh) return c.redirect(signInUrl(issuer, "again", who.strongest), 303);
      return run(c, who, form);
    });
  };
  const back = (c: Ctx, notice: AccountNotice) => c.redirect(`${base}?notice=${notice}`, 303);
  /** How somebody signs in changes once that is on record. */
  const note = (
    c: Ctx,
    who: SignedIn,
    type: "factor-added" | "factor-changed" | "factor-removed",
    factor: FactorKind,
  ): Promise<void> => ports.record({ type, factor, ...common(c, who) });
  /** What has ended has ended: a record that fails must not tell the person otherwise. */
  const noteEnd = async (event: SignInEvent): Promise<void> => {
    try {
      await ports.record(event);
    } catch (error) {
      ports.report({ reference: newReference(), code: "record_failed", error });
    }
  };
  const common = (c: Ctx, { person }: SignedIn) => ({
    personId: person.id,
    source: sourceOf(c.env.incoming),
    at: factors.now(),
  });

  change("/passkeys", "fresh", async (c, who, form) => {
    const name = nameIn(form);
    if (name === "") return showNewPasskey(c, who, "name");
    if (place === undefined || who.factors.passkeys.length >= PASSKEYS_MAX) return c.redirect(base, 303);
    const made = { person: who.person.id, name, text: form.get("answer") ?? "" };
    const kept = await keepPasskey(factors, place, who.uid, made, () => note(c, who, "factor-added", "passkey"));
    return kept.ok ? back(c, "passkey-added") : showNewPasskey(c, who, kept.why);
  });

  change("/passkeys/rename", "fresh", async (c, who, form) => {
    const passkey = who.factors.passkeys.find(({ key }) => key === form.get("key"));
    const name = nameIn(form);
    if (passkey === undefined || name === "") return c.redirect(base, 303);
    await note(c, who, "factor-changed", "passkey");
    await renamePasskey(factors, passkey, name);
    return back(c, "passkey-renamed");
  });

  change("/passkeys/remove", "fresh", async (c, who, form) => {
    const passkey = who.factors.passkeys.find(({ key }) => key === form.get("key"));
    if (passkey === undefined) return c.redirect(base, 303);
    await note(c, who, "factor-removed", "passkey");
    await factors.store.removeFactors(who.person.id, "passkey", passkey.key);
    return back(c, "passkey-removed");
  });

  change("/authenticator", "fresh", async (c, who, form) => {
    const secret = (await readNote(factors, "totp-secret", who.uid, form.get("note") ?? ""))?.content;
    if (secret === undefined || who.factors.totp !== undefined) return c.redirect(base, 303);
    const outcome = await checkTotp(factors, who.person.id, secret, form.get("code") ?? "");
    if (outcome !== "fits") return showAuthenticator(c, who, secret);
    await note(c, who, "factor-added", "totp");
    const codes = await keepTotp(factors, who.person.id, secret);
    if (codes === "exists") return c.redirect(base, 303);
    return show(c, 200, (house) => recoveryCodesPage(house, { path: base, codes, first: true }));
  });

  change("/authenticator/remove", "fresh", async (c, who) => {
    if (who.factors.totp === undefined) return c.redirect(base, 303);
    await note(c, who, "factor-removed", "totp");
    await removeTotp(factors, who.person.id);
    return back(c, "authenticator-removed");
  });

  change("/recovery-codes", "fresh", async (c, who) => {
    if (who.factors.totp === undefined) return c.redirect(base, 303);
    await note(c, who, "factor-changed", "recovery-code");
    const codes = await renewRecoveryCodes(factors, who.person.id);
    return show(c, 200, (house) => recoveryCodesPage(house, { path: base, codes, first: false }));
  });

  change("/sessions/end", "any", async (c, who, form) => {
    if (!(await endOwnSession(belongings, who.person.id, form.get("key") ?? ""))) return c.redirect(base, 303);
    await noteEnd({ type: "session-ended", ...common(c, who) });
    return back(c, "session-ended");
  });

  change("/grants/end", "any", async (c, who, form) => {
    const ended = await endOwnGrant(belongings, who.person.id, form.get("key") ?? "");
    if (ended === undefined) return c.redirect(base, 303);
    await noteEnd({ type: "grant-ended", agentId: ended.client, ...common(c, who) });
    return back(c, "grant-ended");
  });

  change("/end-all", "any", async (c, who) => {
    const { id } = who.person;
    const events: SignInEvent[] = [];
    // Sessions first: a session that still lives could give an agent a new grant, behind the one that was looked at.
    for (const { key } of await sessionsOf(belongings, id)) {
      await endOwnSession(belongings, id, key);
      events.push({ type: "session-ended", ...common(c, who) });
    }
    for (const { key, client: agentId } of await grantsOf(belongings, id)) {
      await endOwnGrant(belongings, id, key);
      events.push({ type: "grant-ended", agentId, ...common(c, who) });
    }
    for (const event of events) await noteEnd(event);
    return back(c, "all-ended");
  });
}

/** Below the account's path, by the `state` of the sign-in. */
const AFTER_SIGN_IN: ReadonlyMap<string, string> = new Map<AccountTarget, string>([
  ["again", "?notice=again"],
  ["passkey", "/passkeys/new"],
  ["authenticator", "/authenticator"],
]);

const NOTICES: ReadonlySet<string> = new Set<AccountNotice>([
  "again",
  "passkey-added",
  "passkey-renamed",
  "passkey-removed",
  "authenticator-removed",
  "session-ended",
  "grant-ended",
  "all-ended",
]);

function isNotice(text: string | undefined): text is AccountNotice {
  return text !== undefined && NOTICES.has(text);
}

function nameIn(form: URLSearchParams): string {
  return (form.get("name") ?? "").trim().slice(0, PASSKEY_NAME_MAX);
}
