import { AgentError } from "./errors.ts";
import { SingleFlight } from "./flight.ts";
import type { AgentContext } from "./options.ts";
import { endSignIn, readSignIn, renewSignIn, type SignIn, signInRequired } from "./sign-in.ts";

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

/** Takes a sign-in into care. */
export function createIdentity(context: AgentContext, signIn: SignIn, save: SaveSignIn | undefined): Identity {
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

  async function renew(): Promise<void> {
    const { refreshToken } = held;
    if (!refreshToken) throw signInRequired(where, "The sign-in has expired, and there is no refresh token");
    // Kept at once: a rotated token that got lost would end the whole grant (RFC 9700 §4.14.2).
    held = readSignIn(context, await renewSignIn(context, held, refreshToken));
    context.watch({ type: "renewed", expiresAt: held.expiresAt });
    // Signed out meanwhile: held only to be revoked.
    if (!over) await keep();
  }

  async function keep(): Promise<void> {
    const { idToken, refreshToken, expiresAt } = held;
    try {
      await save?.({ idToken, expiresAt, ...(refreshToken === undefined ? {} : { refreshToken }) });
    } catch (cause) {
      throw new AgentError(
        "The renewed sign-in could not be kept: save failed. The next start may need a new sign-in.",
        {
          ...where,
          code: "configuration",
          reason: "save-failed",
          cause,
        },
      );
    }
  }

  return {
    assertAlive,
    renewable: () => held.refreshToken !== undefined,
    current() {
      assertAlive();
      const { idToken, refreshToken, expiresAt } = held;
      return { idToken, expiresAt, ...(refreshToken === undefined ? {} : { refreshToken }) };
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
      return endSignIn(context, held, postLogoutRedirectUri);
    },
  };
}
