export { asObject, asStrings, decodeBase64url, encodeBase64url, isObject, randomId } from "./encoding.ts";
export { CredenceError, type CredenceErrorOptions, type LocalErrorCode } from "./errors.ts";
export { FORM_LIMITS, type Form, formOf, isFormContentType, parseForm, readForm } from "./form.ts";
export { type ErrorAnswer, errorAnswer, type OAuthErrorBody, ok, type Refusal, type Result, refuse } from "./result.ts";
export { parseResource, parseScope } from "./scope.ts";
