import { asObject } from "@credence/protocol";
import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import { addClientAuth, type ClientIdentity } from "@credence/protocol/client-auth";
import { createDpopProof, type DpopKey, type DpopProofParameters } from "@credence/protocol/dpop";
import { buildJwtBearerRequest } from "@credence/protocol/jwt-bearer";
import { systemTime } from "../clock.ts";
import { endpointsOf } from "../endpoints/metadata.ts";
import type { ResourceServer } from "../server.ts";
import type { BadIdJag } from "./bad-id-jags.ts";

/** What a redemption asks for beside the ID-JAG. */
export interface RedeemOptions {
  /** Narrows the ID-JAG's scope. */
  readonly scope?: string;
  readonly resource?: string;
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** Proves this key. */
  readonly dpop?: DpopKey;
  /** The nonce that the server gave last. */
  readonly nonce?: string;
  /** The client's certificate, in DER, as a TLS listener would hand it on. */
  readonly certificate?: Uint8Array;
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: number;
}

/** What the token endpoint answered. */
export interface RedeemAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
  /** The access token, where one was issued. */
  readonly accessToken: string | undefined;
  /** The OAuth error, where none was. */
  readonly error: string | undefined;
  /** Under which id the exact reason is on record. */
  readonly decisionId: string | undefined;
}

/**
 * Redeems an ID-JAG at a server's token endpoint, without a network in between.
 *
 * @param client - How the client proves itself.
 * @param idJag - A bad one is redeemed as often, and with the proof, that it needs to be refused.
 * @returns the last answer.
 * @see ID-JAG draft §4.4
 */
export async function redeem(
  server: Pick<ResourceServer, "issuer" | "fetch">,
  client: ClientIdentity,
  idJag: string | BadIdJag,
  options: RedeemOptions = {},
): Promise<RedeemAnswer> {
  if (typeof idJag === "string") return redeemOnce(server, client, idJag, options);
  const { assertion, times, dpop } = idJag;
  const used = dpop === undefined ? options : { ...options, dpop };
  if (times > 1) await redeemOnce(server, client, assertion, used);
  return redeemOnce(server, client, assertion, used);
}

async function redeemOnce(
  server: Pick<ResourceServer, "issuer" | "fetch">,
  client: ClientIdentity,
  assertion: string,
  { dpop, nonce, certificate, now = systemTime(), ...narrowed }: RedeemOptions,
): Promise<RedeemAnswer> {
  const { token: url } = endpointsOf(server.issuer);
  const form = buildJwtBearerRequest({ assertion, ...narrowed });
  const headers = new Headers(await addClientAuth(form, client, server.issuer, now));
  if (dpop !== undefined) headers.set("dpop", await dpopProof(dpop, { method: "POST", url, nonce, now }));
  const request = new Request(url, { method: "POST", headers, body: form });
  const answer = await server.fetch(request, certificate === undefined ? {} : { certificate });
  const body = asObject(await answer.json()) ?? {};
  return {
    status: answer.status,
    headers: answer.headers,
    body,
    accessToken: textOf(body.access_token),
    error: textOf(body.error),
    decisionId: textOf(body.decision_id),
  };
}

/**
 * Makes a DPoP proof, for a redemption or for a call to a resource.
 *
 * @param proof.now - Seconds since the epoch; the system's clock by default.
 * @returns the value of the `DPoP` header.
 * @see RFC 9449 §4.2
 */
export function dpopProof(
  key: DpopKey,
  proof: Omit<DpopProofParameters, "now"> & { readonly now?: number },
): Promise<string> {
  return createDpopProof(key, { now: systemTime(), ...proof });
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
