import { CredenceError } from "@credence/protocol";
import type { Issuer } from "./exchange/exchange.ts";

const PORTS = ["authenticate", "verifySubject", "decide", "record", "sign"] as const;

/**
 * Checks at the start who issues, and through what: what is wrong there would otherwise show at the first exchange.
 *
 * @throws CredenceError `configuration`, whose message says what is wrong.
 */
export function checkIssuer<Client, Subject>({ issuer, ports, dpop }: Issuer<Client, Subject>): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (url === undefined) throw wrong(`issuer is not a URL: ${issuer}`);
  // RFC 8414 §2
  if (url.search || issuer.includes("#")) throw wrong("issuer has a query or a fragment");
  checkFunctions(ports, PORTS, "ports.");
  if (dpop === undefined) return;
  if (!URL.canParse(dpop.url)) throw wrong(`dpop.url is not the URL of the token endpoint: ${dpop.url}`);
  checkFunctions(dpop, ["markUsed"], "dpop.");
}

/**
 * Checks that functions are there.
 *
 * @param of - What has them; `undefined` as JavaScript may give it.
 * @param prefix - Before each name, in the message.
 * @throws CredenceError `configuration`, which names the one that is missing.
 */
export function checkFunctions<Of extends object>(
  of: Of | undefined,
  names: readonly (keyof Of & string)[],
  prefix = "",
): void {
  const missing = names.find((name) => typeof of?.[name] !== "function");
  if (missing !== undefined) throw wrong(`${prefix}${missing} is not a function`);
}

function wrong(message: string): CredenceError {
  return new CredenceError(`The options of the issuer: ${message}`, { code: "configuration" });
}
