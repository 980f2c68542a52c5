import { CredenceError, randomId } from "@credence/protocol";
import type { IdJagClaims } from "@credence/protocol/id-jag";
import type { ResourceServer } from "../server.ts";

/** What an ID-JAG is made for. */
export interface IdJagTarget {
  /** The server that is to redeem it. */
  readonly server: Pick<ResourceServer, "issuer" | "resources">;
  /** The client's id there. */
  readonly clientId: string;
  /** One of the server's resources; may be left out where it has one only. */
  readonly resource?: string;
  /** Scopes, divided by one space; none by default. */
  readonly scope?: string;
  /** The person; `alice` by default. */
  readonly sub?: string;
}

/** Claims as a test wants them: `undefined` takes one away, and a wrong form stays wrong. */
export type ClaimChanges = { readonly [Name in keyof IdJagClaims]?: unknown } & Readonly<Record<string, unknown>>;

/**
 * The claims of a good ID-JAG.
 *
 * @param now - Seconds since the epoch.
 * @throws CredenceError `configuration` where the server has several resources and none is named.
 * @see ID-JAG draft §3.1
 */
export function goodClaims(
  idp: { readonly issuer: string; readonly tenant: string | undefined },
  target: IdJagTarget,
  now: number,
): IdJagClaims {
  const { server, clientId, scope, sub = "alice" } = target;
  const [only] = server.resources;
  const resource = target.resource ?? (server.resources.length === 1 ? only : undefined);
  if (resource === undefined) throw new CredenceError("Name one of the server's resources", { code: "configuration" });
  return {
    iss: idp.issuer,
    ...(idp.tenant === undefined ? {} : { tenant: idp.tenant }),
    sub,
    aud: server.issuer,
    client_id: clientId,
    jti: randomId(),
    iat: now,
    exp: now + 300,
    resource,
    ...(scope === undefined ? {} : { scope }),
  };
}
