import { isObject } from "@credence/protocol";
import type { AdapterPayload } from "oidc-provider";
import { createGenerations } from "../store/generations.ts";
import { type ArtifactPorts, hashed, putSealed } from "./artifacts.ts";
import type { OpenArtifact } from "./opened.ts";

/**
 * Is the sign-in behind an ID token still alive? Its `sid` points to the session, and the session says.
 */

const POINTER = "SessionPointer";
const SID_MAX = 128;

/** What is known of a sign-in. Times in seconds since the epoch. */
export type SessionLiveness =
  | {
      readonly alive: true;
      /** Whose session it is: the ID token's `sub` must be this. */
      readonly personId: string;
      readonly authTime: number;
      readonly acr?: string;
      readonly amr?: readonly string[];
      readonly expiresAt: number;
    }
  | { readonly alive: false };

const OVER: SessionLiveness = { alive: false };

/** What the look-up needs: no request, so that any part of the house may ask. */
export interface LivenessPorts {
  readonly store: Pick<ArtifactPorts["store"], "artifact" | "artifactByUid">;
  readonly open: OpenArtifact;
}

/**
 * Tells whether the session of an ID token still lives.
 *
 * @param sid - The ID token's `sid`.
 * @param agentId - The agent that the ID token was issued to: a `sid` is that agent's alone.
 * @param now - Seconds since the epoch.
 * @returns whose session it is and since when, or that it is over: signed out, expired, or never there.
 * @see OpenID Connect Front-Channel Logout 1.0 §3 (`sid`)
 */
export type SessionAlive = (sid: string, agentId: string, now: number) => Promise<SessionLiveness>;

/** Sessions whose name is remembered, in each of two generations. */
const REMEMBERED = 10_000;

/**
 * Looks sessions up, by an index: the one that a `sid` stands for, and that session. Which one it is never changes, and is looked
 * up once; whether it is there, and knows the `sid` as that agent's, each time.
 */
export function sessionAlive({ store, open }: LivenessPorts): SessionAlive {
  const named = createGenerations<string, string>(REMEMBERED);

  async function nameOfSession(sid: string, agentId: string, now: number): Promise<string | undefined> {
    const place = placeOf(agentId, sid);
    const known = named.get(place);
    if (known !== undefined) return known;
    const pointer = await open(await store.artifact(POINTER, hashed(place)), now);
    if (typeof pointer?.session !== "string") return undefined;
    named.set(place, pointer.session);
    return pointer.session;
  }

  return async (sid, agentId, now) => {
    if (sid === "" || sid.length > SID_MAX) return OVER;
    const name = await nameOfSession(sid, agentId, now);
    if (name === undefined) return OVER;
    const session = await open(await store.artifactByUid("Session", name), now);
    return session === undefined ? OVER : describe(session, sid, agentId, now);
  };
}

function describe(
  session: Readonly<Record<string, unknown>>,
  sid: string,
  agentId: string,
  now: number,
): SessionLiveness {
  const { accountId, loginTs, exp, acr, amr, authorizations } = session;
  const authorization = isObject(authorizations) && Object.hasOwn(authorizations, agentId) && authorizations[agentId];
  if (!isObject(authorization) || authorization.sid !== sid) return OVER;
  if (typeof accountId !== "string" || typeof loginTs !== "number" || typeof exp !== "number") return OVER;
  if (exp <= now) return OVER;
  return {
    alive: true,
    personId: accountId,
    authTime: loginTs,
    expiresAt: exp,
    ...(typeof acr === "string" ? { acr } : {}),
    ...(Array.isArray(amr) ? { amr: amr.filter((method) => typeof method === "string") } : {}),
  };
}

/**
 * Writes, beside a session, where each agent's `sid` leads.
 *
 * @param session - As oidc-provider saves it.
 * @param expiresAt - Seconds since the epoch.
 */
export async function putSessionPointers(
  ports: ArtifactPorts,
  session: AdapterPayload,
  expiresAt: number | undefined,
): Promise<void> {
  if (session.uid === undefined) return;
  for (const [agentId, { sid }] of Object.entries(session.authorizations ?? {})) {
    if (sid === undefined) continue;
    const key = hashed(placeOf(agentId, sid));
    await putSealed(ports, { model: POINTER, key, expiresAt }, { session: hashed(session.uid) });
  }
}

function placeOf(agentId: string, sid: string): string {
  return JSON.stringify([agentId, sid]);
}
