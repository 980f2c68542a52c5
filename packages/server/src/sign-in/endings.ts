import { ENDED_GRANT, ENDED_SESSION } from "../store/sign-ins.ts";
import { type ArtifactPorts, hashed } from "./artifacts.ts";

/**
 * What has ended stays ended: sessions and grants leave a tombstone.
 *
 * A request in flight may write after the end (the winner of a race stores its refresh token after a loser revoked the
 * grant; an authorization saves the session that a sign-out just removed). Whoever ends puts the tombstone first and
 * deletes then; whoever writes looks for the tombstone afterwards and takes back what it wrote. In every order of these
 * four steps, nothing is left.
 */

/** Seconds that a tombstone outlives anything that could still name what ended. */
const MARGIN = 3600;

/**
 * Revokes a grant with all its codes and tokens, for good.
 *
 * @param grant - The hashed id of the grant.
 * @param lifetime - Seconds that a grant lives at most.
 */
export async function endGrant(ports: ArtifactPorts, grant: string, lifetime: number): Promise<void> {
  if (await isGrantEnded(ports, grant)) return;
  await putTombstone(ports, ENDED_GRANT, grant, lifetime);
  await ports.store.deleteGrant(grant);
}

/** Whether a grant, named by its hashed id, has been revoked. */
export async function isGrantEnded({ store }: ArtifactPorts, grant: string): Promise<boolean> {
  return (await store.artifact(ENDED_GRANT, grant)) !== undefined;
}

/**
 * Ends a session, for good.
 *
 * @param uid - The session's uid.
 * @param lifetime - Seconds that a session lives at most.
 */
export async function endSession(ports: ArtifactPorts, uid: string, lifetime: number): Promise<void> {
  const session = hashed(uid);
  await putTombstone(ports, ENDED_SESSION, session, lifetime);
  // While a session changes its id there are two rows for a moment.
  for (;;) {
    const artifact = await ports.store.artifactByUid("Session", session);
    if (artifact === undefined) return;
    await ports.store.deleteArtifact("Session", artifact.key);
  }
}

/** Whether a session, named by its hashed uid, has ended. */
export async function isSessionEnded({ store }: ArtifactPorts, session: string): Promise<boolean> {
  return (await store.artifact(ENDED_SESSION, session)) !== undefined;
}

async function putTombstone(ports: ArtifactPorts, model: string, key: string, lifetime: number): Promise<void> {
  await ports.store.putArtifact({ model, key, payload: "", expiresAt: ports.now() + lifetime + MARGIN });
}
