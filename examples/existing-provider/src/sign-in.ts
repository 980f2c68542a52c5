/** What every oidc-provider has somewhere: accounts, a page to sign in with, no consent screen. Nothing here is of ID-JAG. */
import type { IncomingMessage } from "node:http";
import { type Account, interactionPolicy, type KoaContextWithOIDC, type Provider } from "oidc-provider";

export interface Person {
  readonly id: string;
  readonly email: string;
  /** A real IdP keeps a hash. */
  readonly password: string;
}

/** Finds accounts by their id. */
export function accountsOf(people: readonly Person[]): (ctx: unknown, id: string) => Promise<Account | undefined> {
  return async (_ctx, id) => {
    const person = people.find((one) => one.id === id);
    return person && { accountId: id, claims: async () => ({ sub: id, email: person.email }) };
  };
}

/** The organization has decided which agents there are: nobody is asked for consent. */
export function withoutConsent() {
  const policy = interactionPolicy.base();
  policy.get("consent")?.checks.clear();
  return policy;
}

export async function loadExistingGrant({ oidc }: KoaContextWithOIDC) {
  const { client, account, provider } = oidc;
  if (client === undefined || account === undefined) return undefined;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: account.accountId });
  grant.addOIDCScope([...oidc.requestParamOIDCScopes].join(" "));
  await grant.save();
  return grant;
}

/** A form at `/sign-in/…`, where the configuration's `interactions.url` leads. */
export function addSignInPage(provider: Provider, people: readonly Person[]): void {
  provider.use(async (ctx, next) => {
    // OpenID Connect Core §11: offline access wants consent, which the organization has given for all.
    const offline = ctx.path === "/auth" && String(ctx.query.scope).split(" ").includes("offline_access");
    if (offline && ctx.query.prompt === undefined) ctx.query = { ...ctx.query, prompt: "consent" };
    if (!ctx.path.startsWith("/sign-in/")) return next();
    if (ctx.method !== "POST") {
      ctx.type = "html";
      ctx.body = page(ctx.path);
      return;
    }
    const form = new URLSearchParams(await readText(ctx.req));
    const person = people.find(
      ({ email, password }) => email === form.get("email") && password === form.get("password"),
    );
    if (person === undefined) return ctx.throw(403, "Email or password is wrong.");
    const result = { login: { accountId: person.id, amr: ["pwd"] }, consent: {} };
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
  });
}

function page(action: string): string {
  return `<!doctype html>
<html lang="en">
<title>Sign in</title>
<form method="post" action="${action}">
<label>Email <input name="email" type="email" required autofocus></label>
<label>Password <input name="password" type="password" required></label>
<button>Sign in</button>
</form>
</html>`;
}

async function readText(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
