import { asObject } from "@credence/protocol";
import { AgentError } from "./errors.ts";
import { SingleFlight } from "./flight.ts";
import type { AgentContext } from "./options.ts";
import {
  endSignIn,
  type HeldSignIn,
  readSignIn,
  renewSignIn,
  type SignIn,
  signInRequired,
  subjectOf,
} from "./sign-in.ts";
import type { TokenStore } from "./token-store.ts";

/** A person's sign-in over its life: renewed while the IdP renews it, then over. */
export interface Identity {
  /** The sign-in as it is now, to be kept. @throws AgentError `sign_in_required` after its end. */
  current(): SignIn;
  /**
   * An ID token that has not expired.
   * @param refused - One that the IdP did not take: anything but this.
   * @throws AgentError `sign_in_required`.
   */
  idToken(refused?: string): Promise<string>;
  /** Whether there is anything to renew it with. */
  renewable(): boolean;
  /** @throws AgentError `sign_in_required` after the end. */
  assertAlive(): void;
  /** Forgets everything at once, then tells the IdP. */
  end(postLogoutRedirectUri?: string): Promise<{ readonly url: string | undefined }>;
}

/** Keeps a sign-in, before anything is done with it; awaited. */
export type SaveSignIn = (signIn: SignIn) => void | Promise<void>;

/** How a session is kept beyond this process. */
export interface SessionOptions {
  /** Called with every renewed sign-in before it is used; awaited. */
  readonly save?: SaveSignIn;
  /** Where the sign-in is kept: at once, at each renewal, until the person signs out. `agent.restore` finds it again. */
  readonly store?: TokenStore;
  /** Under which name; `sign-in` by default. One person, one name. */
  readonly key?: string;
}

/** Where a single person's sign-in is kept. */
export const DEFAULT_KEY = "sign-in";

/**
 * The sign-in that a store keeps.
 *
 * @returns it; `undefined` where there is none, or one that can not be read: the person then signs in again.
 */
export async function readKept(
  context: AgentContext,
  { store, key = DEFAULT_KEY }: SessionOptions & { readonly store: TokenStore },
): Promise<HeldSignIn | undefined> {
  const text = await store.get(key);
  const kept = text === undefined ? undefined : asObject(parse(text));
  if (kept === undefined || typeof kept.idToken !== "string") return undefined;
  const { idToken, refreshToken, expiresAt } = kept;
  const signIn = {
    idToken,
    ...(typeof refreshToken === "string" ? { refreshToken } : {}),
    ...(typeof expiresAt === "number" ? { expiresAt } : {}),
  };
  return readSignIn(context, signIn);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Takes a sign-in into care. */
export function createIdentity(context: AgentContext, signIn: SignIn, keeping: SessionOptions = {}): Identity {
  const { save, store, key = DEFAULT_KEY } = keeping;
  const where = { leg: "sign-in", party: context.idp.issuer } as const;
  let held = readSignIn(context, signIn);
  let over = false;
  const renewals = new SingleFlight<void>();

  function assertAlive(): void {
    if (over) throw signInRequired(where, "This session was signed out");
  }

  /** Without a refresh token it counts to its last second; with one it is renewed a little before. */
  function usable(): boolean {
    const life = held.expiresAt - held.issuedAt;
    const margin = held.refreshToken ? Math.min(context.renewBefore, Math.max(0, life) / 5) : 0;
    return held.expiresAt - margin > context.now();
  }

  /** Of the processes that share a store, one renews; the others find what it brought. */
  async function renew(): Promise<void> {
    if (store === undefined) return renewHere();
    await store.lock(key, async () => {
      const changed = await adopt(store);
      if (!changed || !usable()) await renewHere();
    });
  }

  /** Takes over what another process has kept since. @returns whether there was anything. */
  async function adopt(from: TokenStore): Promise<boolean> {
    const kept = await readKept(context, { store: from, key });
    if (kept === undefined || kept.idToken === held.idToken) return false;
    // An older one is what could not be replaced when ours was to be kept: its refresh token is used up.
    if (kept.issuedAt < held.issuedAt) return false;
    if (subjectOf(kept.idToken) !== subjectOf(held.idToken)) {
      throw signInRequired(where, "Somebody else has signed in under this session's key");
    }
    held = kept;
    return true;
  }

  async function renewHere(): Promise<void> {
    const { refreshToken } = held;
    if (!refreshToken) throw signInRequired(where, "The sign-in has expired, and there is no refresh token");
    // Kept at once: a rotated token that got lost would end the whole grant (RFC 9700 §4.14.2).
    held = await renewSignIn(context, held, refreshToken);
    context.watch({ type: "renewed", expiresAt: held.expiresAt });
    // Signed out meanwhile: held only to be revoked.
    if (!over) await keep();
  }

  /** As it is kept, and handed out. */
  function signInNow(): SignIn {
    const { idToken, refreshToken, expiresAt } = held;
    return { idToken, expiresAt, ...(refreshToken === undefined ? {} : { refreshToken }) };
  }

  async function keep(): Promise<void> {
    const kept = signInNow();
    try {
      await store?.set(key, JSON.stringify(kept));
      await save?.(kept);
    } catch (cause) {
      throw new AgentError("The renewed sign-in could not be kept. The next start may need a new sign-in.", {
        ...where,
        code: "configuration",
        reason: "save-failed",
        cause,
      });
    }
  }

  return {
    assertAlive,
    renewable: () => held.refreshToken !== undefined,
    current() {
      assertAlive();
      return signInNow();
    },
    async idToken(refused) {
      assertAlive();
      // Whoever was refused an older one finds the renewed one here already.
      if (!usable() || held.idToken === refused) await renewals.run("renew", renew);
      assertAlive();
      return held.idToken;
    },
    async end(postLogoutRedirectUri) {
      assertAlive();
      over = true;
      // A renewal that is under way brings a new refresh token: that one is to be revoked, not the old one.
      await renewals.run("renew", async () => {}).catch(() => {});
      await store?.lock(key, async () => {
        await adopt(store).catch(() => {});
        await store.delete(key);
      });
      return endSignIn(context, held, postLogoutRedirectUri);
    },
  };
}
