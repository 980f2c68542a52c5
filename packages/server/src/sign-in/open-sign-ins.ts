import type { Store } from "../store/store.ts";

/**
 * Sign-ins that were begun, and in which nobody has typed anything yet. Anybody may begin one, as often as they like, and each is a row
 * in the store: so they live shorter than those that somebody has begun to answer, and there are so many of them at the most.
 */
export interface OpenSignIns {
  /** Until when a sign-in is kept that nobody has answered yet; seconds since the epoch. */
  until(now: number, expiresAt: number): number;
  /** Notes that one was begun; when there are too many, the oldest of them gives way, unless somebody has answered it meanwhile. */
  begun(key: string, expiresAt: number): Promise<void>;
}

/** Seconds to type an email, or to show a passkey. */
const UNANSWERED = 900;

/** What oidc-provider calls them. */
export const SIGN_IN_MODEL = "Interaction";

/**
 * Makes the list of this process: a name and a time each, in the order in which they were begun.
 *
 * @param most - 0 is no limit.
 */
export function createOpenSignIns(store: Pick<Store, "artifact" | "deleteArtifact">, most: number): OpenSignIns {
  const open = new Map<string, number>();
  return {
    until: (now, expiresAt) => Math.min(now + UNANSWERED, expiresAt),
    async begun(key, expiresAt) {
      if (most === 0) return;
      open.set(key, expiresAt);
      const [oldest] = open.size > most ? open : [];
      if (oldest === undefined) return;
      const [name, until] = oldest;
      open.delete(name);
      // Who has typed something, here or at another process, has been given more time by that.
      if ((await store.artifact(SIGN_IN_MODEL, name))?.expiresAt !== until) return;
      await store.deleteArtifact(SIGN_IN_MODEL, name);
    },
  };
}
