export {
  type TokenAnswer,
  type TokenExchangeEndpoint,
  type TokenExchangeOptions,
  type TokenRequest,
  tokenExchangeEndpoint,
} from "./endpoint.ts";
export { type ExchangeInput, exchange, type Issuer } from "./exchange/exchange.ts";
export type { ProofOptions } from "./exchange/proof.ts";
export { type RequestContext, type TokenExchangeHandler, tokenExchangeHandler } from "./handler.ts";
export type {
  Actor,
  AuthenticationRequest,
  DecisionBasis,
  DecisionReason,
  ExchangeEvent,
  IssuerDecision,
  IssuerPorts,
  Permit,
  Question,
  SubjectRequest,
} from "./ports.ts";
