export { type ExchangeInput, exchange, type Issuer } from "./exchange/exchange.ts";
export {
  type RequestContext,
  type TokenExchangeHandler,
  type TokenExchangeOptions,
  tokenExchangeHandler,
} from "./handler.ts";
export type {
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
