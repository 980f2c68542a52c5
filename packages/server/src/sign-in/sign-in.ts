import type { RequestListener } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import type { Provider } from "oidc-provider";
import type { ArtifactPorts } from "./artifacts.ts";
import { DEFAULT_LIFETIMES, type Lifetimes } from "./configuration.ts";
import { createCredentialCheck } from "./credentials.ts";
import { currentProvider } from "./current-provider.ts";
import { createFactorChecks } from "./factors/factor-checks.ts";
import type { FactorPorts } from "./factors/factors.ts";
import { passkeyPlace } from "./factors/passkeys.ts";
import { type SessionAlive, sessionAlive } from "./liveness.ts";
import { rememberingOpener } from "./opened.ts";
import { createPages } from "./pages/app.ts";
import { type Assets, loadAssets } from "./pages/assets.ts";
import { errorPage, errorWords } from "./pages/error-page.ts";
import { type House, type RenderedPage, render } from "./pages/page.ts";
import { basePath } from "./paths.ts";
import type { ProviderOptions } from "./provider.ts";
import { type LiveRefreshToken, refreshTokenAlive } from "./refresh-tokens.ts";

/** What a deployment says of its sign-in. */
export interface SignInOptions extends Omit<ProviderOptions, "house" | "lifetimes"> {
  readonly lifetimes?: Partial<Lifetimes>;
  /** The organization's name, asked for at most every few seconds. */
  readonly organizationName: () => string | Promise<string>;
  /** Whom people tell when something looks wrong: an email address, or the URL of a page. */
  readonly support?: string;
}

/** The sign-in half of the house. */
export interface SignIn {
  /** oidc-provider as it is now: another one after each change of the keys. */
  readonly provider: () => Provider;
  /** What oidc-provider answers. */
  readonly handle: RequestListener;
  readonly pages: Hono<{ Bindings: HttpBindings }>;
  /** Whether the session of an ID token's `sid` lives. `now` in seconds since the epoch. */
  readonly alive: SessionAlive;
  /** What a refresh token stands for, where a refresh with it would succeed; it is left as it is. */
  readonly refreshTokenAlive: (token: string) => Promise<LiveRefreshToken | undefined>;
  /** What people are shown from whose address too much comes. */
  readonly tooManyPage: () => Promise<RenderedPage>;
}

/** Seconds for which the organization's name is remembered. */
const NAME_AGE = 5;

/** Puts provider and pages together. */
export function createSignIn(options: SignInOptions): SignIn {
  const { issuer, store, sealing, now, report } = options;
  const lifetimes = { ...DEFAULT_LIFETIMES, ...options.lifetimes };
  const artifacts: ArtifactPorts = { store, sealing, now };
  const assets = loadAssets(basePath(issuer));
  const house = createHouse(options, assets);
  const current = currentProvider({ ...options, lifetimes, house });
  // What it can not use, it shall say at the start.
  current();
  const provider = () => current().provider;
  const check = createCredentialCheck(options);
  const place = passkeyPlace(issuer);
  const factors: FactorPorts = { store, sealing, now };
  const pages = createPages({
    issuer,
    provider,
    artifacts,
    factors,
    people: store,
    place,
    check,
    checks: createFactorChecks({ ...options, place }),
    record: options.record,
    sessionLifetime: lifetimes.session,
    belongings: { ...artifacts, sessionLifetime: lifetimes.session, grantLifetime: lifetimes.grant },
    nameOf: (clientId) => clientName(store, clientId),
    organization: async () => (await house()).organization,
    house,
    assets,
    report,
  });
  return {
    provider,
    handle: (req, res) => current().handle(req, res),
    pages,
    alive: sessionAlive({ store, open: rememberingOpener(sealing) }),
    refreshTokenAlive: (token) => refreshTokenAlive(provider(), token),
    async tooManyPage() {
      const ours = await house();
      return render(ours, errorPage(ours, { ...errorWords("slow_down", 429), code: "slow_down" }));
    },
  };
}

/** What an agent or an app that signs people in is called here; its id, once it is gone. */
async function clientName(store: SignInOptions["store"], clientId: string): Promise<string> {
  const named = (await store.agent(clientId)) ?? (await store.appByRelyingParty(clientId));
  return named?.name ?? clientId;
}

function createHouse({ issuer, now, organizationName, support }: SignInOptions, { stylesheet, script }: Assets) {
  let known: { readonly name: string; readonly at: number } | undefined;
  return async (): Promise<House> => {
    const at = now();
    if (known === undefined || at - known.at >= NAME_AGE) known = { name: await organizationName(), at };
    return { organization: known.name || "this organization", issuer, stylesheet, script, support };
  };
}
