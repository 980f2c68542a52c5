import { decodeJws } from "@credence/protocol/jws";
import type { Store } from "../store/store.ts";
import type { ClientDocuments } from "./client-documents.ts";

/**
 * Has an agent's document read again, where a client assertion names a key that the one we know lacks: oidc-provider only
 * looks a client up, and would learn of a new key when the document is next fetched.
 *
 * @returns to be told of each form before oidc-provider reads it. It authenticates nobody, and does not reject.
 * @see draft-ietf-oauth-client-id-metadata-document §8.3
 */
export function lookForAssertionKey(ports: {
  readonly store: Pick<Store, "agent">;
  readonly keysOf: ClientDocuments["keysOf"];
}): (form: URLSearchParams) => Promise<void> {
  return async (form) => {
    const assertion = form.get("client_assertion");
    const jws = assertion === null ? undefined : decodeJws(assertion);
    const agentId = jws?.payload.sub;
    if (jws === undefined || typeof agentId !== "string") return;
    try {
      const agent = await ports.store.agent(agentId);
      if (!agent?.enabled || agent.auth.method !== "client_id_metadata_document") return;
      await (await ports.keysOf(agent))?.(jws.header);
    } catch {
      // Whoever authenticates the client says what is wrong.
    }
  };
}
