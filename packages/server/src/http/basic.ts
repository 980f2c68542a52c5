import { Buffer } from "node:buffer";
import { isClientSecret, parseBasic } from "@credence/protocol/client-auth";
import type { Agent } from "../directory/types.ts";
import type { ClientSecrets } from "../sign-in/clients.ts";

/** What tells one reading of a Basic header from another. */
export interface BasicPorts {
  readonly store: { agent(id: string): Promise<Agent | undefined> };
  readonly clientSecrets: ClientSecrets;
}

/**
 * Writes a Basic header as RFC 6749 §2.3.1 says, whichever way the client wrote it: peers send id and secret raw, and a
 * client id that is a URL then has colons. Of the possible readings the one whose secret fits is taken; when none does, the
 * first, which whoever authenticates then refuses. This authenticates nobody.
 *
 * @param authorization - The `Authorization` header.
 * @returns the header to pass on.
 */
export async function normalizeBasic(authorization: string, ports: BasicPorts): Promise<string> {
  const candidates = parseBasic(authorization);
  if (candidates === undefined || candidates.length < 2) return rewrite(candidates?.[0]) ?? authorization;
  for (const candidate of candidates) {
    if (await fits(candidate, ports)) return rewrite(candidate) ?? authorization;
  }
  return rewrite(candidates[0]) ?? authorization;
}

interface Pair {
  readonly clientId: string;
  readonly secret: string;
}

async function fits({ clientId, secret }: Pair, { store, clientSecrets }: BasicPorts): Promise<boolean> {
  const agent = await store.agent(clientId);
  if (agent === undefined || !("secret" in agent.auth)) return false;
  return isClientSecret(secret, await clientSecrets(agent));
}

function rewrite(pair: Pair | undefined): string | undefined {
  if (pair === undefined) return undefined;
  const text = `${encodeURIComponent(pair.clientId)}:${encodeURIComponent(pair.secret)}`;
  return `Basic ${Buffer.from(text, "utf8").toString("base64")}`;
}
