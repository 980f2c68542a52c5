/**
 * Is the sign-in behind an ID token alive? oidc-provider finds sessions by their own ids, and an ID token has only its
 * client's `sid`: so each `sid` has a pointer to its session beside it.
 */
import { encodeBase64url } from "@credence/protocol";
import type { Client, KoaContextWithOIDC, Provider, Session } from "oidc-provider";

/** The kind of a pointer: oidc-provider takes nothing for a session that is of another kind. */
const KIND = "SessionPointer";

/**
 * Gives the ID tokens of some clients a `sid`, as oidc-provider does for clients with back-channel logout.
 *
 * @param concerned - Whether a client is one of them.
 */
export function includeSid(provider: Provider, concerned: (client: Client) => boolean): void {
  const { prototype } = provider.Client;
  const before: unknown = Reflect.get(prototype, "includeSid");
  if (typeof before !== "function") {
    throw new TypeError("oidc-provider has no includeSid any more: this version is not the one we know");
  }
  const value = function (this: Client): unknown {
    return concerned(this) || Reflect.apply(before, this, []);
  };
  Object.defineProperty(prototype, "includeSid", { value, configurable: true, writable: true });
}

/** Writes, once oidc-provider has saved a session, where the `sid` of the client at hand leads. */
export async function pointToSession(
  { session, client }: Pick<KoaContextWithOIDC["oidc"], "session" | "client">,
  provider: Provider,
  now: number,
): Promise<void> {
  if (session?.accountId === undefined || client === undefined) return;
  const sid = session.sidFor(client.clientId);
  // A session that was not saved is not one to point at.
  if (sid === undefined || typeof session.exp !== "number" || session.exp <= now) return;
  const pointer = { kind: KIND, sessionUid: session.uid, exp: session.exp };
  await provider.Session.adapter.upsert(await pointerId(client.clientId, sid), pointer, session.exp - now);
}

/**
 * Finds the session of an ID token's `sid`.
 *
 * @param clientId - The client that the ID token was issued to: a `sid` is that client's alone.
 * @param now - Seconds since the epoch.
 * @returns the session; `undefined` where it is over: signed out, expired, or never there.
 */
export async function sessionOf(
  provider: Provider,
  sid: string,
  clientId: string,
  now: number,
): Promise<Session | undefined> {
  const pointer = await provider.Session.adapter.find(await pointerId(clientId, sid));
  if (!pointer || pointer.kind !== KIND || pointer.sessionUid === undefined) return undefined;
  const session = await provider.Session.findByUid(pointer.sessionUid);
  return session !== undefined && session.exp > now && session.sidFor(clientId) === sid ? session : undefined;
}

/** One size, whatever the client's id is. */
async function pointerId(clientId: string, sid: string): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify([clientId, sid]));
  return `id-jag-${encodeBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", text)))}`;
}
