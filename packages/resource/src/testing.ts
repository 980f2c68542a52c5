/**
 * For tests of an app: an IdP with keys that makes good and bad ID-JAGs, and a client that redeems them. It needs no network, no
 * test runner, and nothing of Node.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { createResourceServer, generateSigningKey } from "@credence/resource";
 * import { createTestIdp, redeem } from "@credence/resource/testing";
 *
 * const idp = await createTestIdp();
 * const client = { clientId: "agent", method: "client_secret_basic", clientSecret: "s3cret" } as const;
 * const server = createResourceServer({
 *   issuer: "https://ledger.example",
 *   resources: { "https://ledger.example/mcp": { scopes: { read: "Read entries" } } },
 *   customers: [idp.customer()],
 *   clients: [client],
 *   resolveSubject: ({ sub }) => (sub === "alice" ? { id: "alice" } : undefined),
 *   signingKey: (await generateSigningKey("ES256")).privateJwk,
 *   record: () => undefined,
 * });
 * const target = { server, clientId: client.clientId, scope: "read" };
 *
 * const { accessToken = "" } = await redeem(server, client, await idp.idJag(target));
 * assert.ok((await server.check(accessToken, { scopes: ["read"] })).ok);
 * for (const bad of await idp.badIdJags(target)) {
 *   assert.equal((await redeem(server, client, bad)).error, bad.error, bad.name);
 * }
 * ```
 *
 * With your own options in place of those of `createResourceServer`, the last six lines try your server.
 *
 * @module
 */

export { type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
export type { BadIdJag } from "./test-idp/bad-id-jags.ts";
export { createTestIdp, type GoodIdJag, type TestIdp, type TestIdpOptions } from "./test-idp/idp.ts";
export { dpopProof, type RedeemAnswer, type RedeemOptions, redeem } from "./test-idp/redeem.ts";
export type { ClaimChanges, IdJagTarget } from "./test-idp/target.ts";
