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
export type { RequestContext } from "./context.ts";
export type { ResourceCrypto } from "./crypto.ts";
export type { Answer } from "./endpoints/answer.ts";
export { tokenEndpoint } from "./endpoints/token.ts";
export { issuerKeys } from "./issuer-keys/issuer-keys.ts";
export type {
  AccessTokenOptions,
  AuthorizationDetailType,
  GrantOptions,
  LivenessInput,
  Narrowed,
  NarrowInput,
  ResourceDefinition,
  ResourceServerOptions,
} from "./options.ts";
export { type CheckedToken, type CheckPorts, type Needs, type TokenChecker, tokenChecker } from "./protect/check.ts";
export type { PossessionPorts, PresentedToken } from "./protect/possession.ts";
export { authorize, type CallRequest, type Guard, type ProtectedHandler, protect } from "./protect/protect.ts";
export type { Facts, ReceiverEvent, Recorder } from "./record.ts";
export type { Client, ClientAuthentication, ClientPorts, RegisteredClient } from "./redeem/client.ts";
export {
  type Customer,
  type Customers,
  type FindTrust,
  type Trust,
  type TrustedIssuer,
  trustFinder,
} from "./redeem/customers.ts";
export type { Resources } from "./redeem/offer.ts";
export {
  type Grant,
  type GrantPorts,
  grantFor,
  type Receiver,
  type Redeemed,
  type RedeemingClient,
  type Redemption,
  type RedemptionRequest,
  redeem,
  redeemForm,
} from "./redeem/redeem.ts";
export type { SamlNameId } from "./redeem/sub-id.ts";
export type { Account, AccountPorts, SubjectHints, SubjectKey } from "./redeem/subject.ts";
export { memoryReplayStore, type ReplayStore, type StoreKeyOf, type StoreKeyPorts } from "./replay.ts";
export type { Revocation } from "./revocation.ts";
export {
  createResourceServer,
  type PresentedWith,
  type ProtectOptions,
  type ResourceServer,
  type TokenEndpoint,
} from "./server.ts";
export { memoryStore, type ResourceStore } from "./store.ts";
