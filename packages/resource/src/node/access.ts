import { CredenceError } from "@credence/protocol";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import type { NodeIncoming } from "./request.ts";

/** Kept beside the requests and not on them: nobody else writes here, and no framework's types have to be widened. */
const admitted = new WeakMap<NodeIncoming, AccessTokenClaims>();

/** Keeps the claims of a request that was let through. */
export function admit(req: NodeIncoming, access: AccessTokenClaims): void {
  admitted.set(req, access);
}

/**
 * The claims of a request's access token.
 *
 * @throws CredenceError `configuration` when `protect` did not let the request through: an access check that is missing.
 */
export function accessOf(req: NodeIncoming): AccessTokenClaims {
  const access = admitted.get(req);
  if (access !== undefined) return access;
  throw new CredenceError("accessOf: put protect before this handler", { code: "configuration" });
}
