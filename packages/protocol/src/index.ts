export { CredenceError, type CredenceErrorOptions, type LocalErrorCode } from "./errors.ts";
export { errorAnswer, type OAuthErrorBody, ok, type Refusal, type Result, refuse } from "./result.ts";
