export { CredenceError, type Refusal, type Result } from "@credence/protocol";
export type { IdJagClaims } from "@credence/protocol/id-jag";
export {
  generateSigningKey,
  type JwkSet,
  type JwsAlgorithm,
  type PrivateJwk,
  type PublicJwk,
  type Signer,
} from "@credence/protocol/jws";
export {
  ACCESS_TOKEN_TYP,
  type AccessTokenExpectations,
  checkAccessToken,
  checkAccessTokenClaims,
  signAccessToken,
} from "./access-token/access-token.ts";
export { type AccessTokenClaims, type Root, rootOf, scopesOf } from "./access-token/claims.ts";
export { tokenEndpoint } from "./endpoints/token.ts";
export { issuerKeys } from "./issuer-keys/issuer-keys.ts";
export type {
  AccessTokenOptions,
  LivenessInput,
  NarrowInput,
  ResourceDefinition,
  ResourceServerOptions,
} from "./options.ts";
export { type CheckedToken, type CheckPorts, type TokenChecker, tokenChecker } from "./protect/check.ts";
export { authorize, type Guard, type ProtectedHandler, protect } from "./protect/protect.ts";
export type { Facts, ReceiverEvent, Recorder } from "./record.ts";
export type { Client, ClientAuthentication, ClientPorts } from "./redeem/client.ts";
export {
  type Customer,
  type Customers,
  type FindTrust,
  type Trust,
  type TrustedIssuer,
  trustFinder,
} from "./redeem/customers.ts";
export type { Resources } from "./redeem/offer.ts";
export { type Receiver, type Redeemed, type Redemption, redeem } from "./redeem/redeem.ts";
export type { Account, AccountPorts, SubjectHints, SubjectKey } from "./redeem/subject.ts";
export { memoryReplayStore, type ReplayStore } from "./replay.ts";
export { createResourceServer, type ProtectOptions, type ResourceServer } from "./server.ts";
