import { CredenceError } from "@credence/protocol";
import type { SecretRef } from "../directory/types.ts";
import { describeError } from "../log.ts";
import type { Credential } from "../sign-in/clients.ts";
import type { Store } from "../store/store.ts";
import type { ServerOptions } from "./options.ts";

/** A secret that can not be had is told at the start, not when the client first calls. The client is refused until then. */
export async function checkSecrets(
  { resolveSecret, log }: Pick<ServerOptions, "resolveSecret" | "log">,
  store: Pick<Store, "organization">,
): Promise<void> {
  const { agents, apps } = (await store.organization()).document;
  for (const { id, auth } of [...agents, ...apps.flatMap(({ sso }) => (sso ? [{ id: sso.clientId, ...sso }] : []))]) {
    for (const ref of secretRefs(auth)) {
      try {
        await resolveSecret(ref);
      } catch (error) {
        log.warn({ client: id, ...describeError(error) }, "the secret of a client can not be had");
      }
    }
  }
}

/** The client's secret, and the one before it where that still counts: one that can not be had does not take the other along. */
export async function secretsOf({ id, auth }: Credential, resolve: ServerOptions["resolveSecret"]): Promise<string[]> {
  const refs = secretRefs(auth);
  const [only] = refs;
  if (only !== undefined && refs.length === 1) return [await resolve(only)];
  const outcomes = await Promise.allSettled(refs.map(async (ref) => resolve(ref)));
  const secrets = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const [failure] = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (secrets.length === 0) {
    throw failure ?? new CredenceError(`The client ${id} has no secret.`, { code: "configuration" });
  }
  return secrets;
}

function secretRefs(auth: Credential["auth"]): readonly SecretRef[] {
  if (!("secret" in auth)) return [];
  return [auth.secret, ...(auth.formerSecret === undefined ? [] : [auth.formerSecret])];
}
