import { expect, test } from "vitest";
import { checkFunctions, checkIssuer } from "./configuration.ts";
import type { Issuer } from "./exchange/exchange.ts";

const port = async (): Promise<never> => Promise.reject(new Error("not asked"));
const ports = { authenticate: port, verifySubject: port, decide: port, record: port, sign: port };
const dpop = { url: "https://idp.acme.example/token", markUsed: port };
const good = { issuer: "https://idp.acme.example", ports };

test.each([
  ["an issuer with all its ports", good],
  ["one that takes DPoP proofs", { ...good, dpop }],
  ["one on this machine", { ...good, issuer: "http://127.0.0.1:8787" }],
])("%s", (_, options) => {
  expect(() => checkIssuer(options)).not.toThrow();
});

test.each<[string, object, RegExp]>([
  ["no issuer", { issuer: undefined }, /issuer is not a URL: undefined/],
  ["an issuer that is no URL", { issuer: "acme" }, /issuer is not a URL: acme/],
  ["an issuer with a query", { issuer: "https://idp.acme.example?a" }, /query or a fragment/],
  ["an issuer with an empty fragment", { issuer: "https://idp.acme.example#" }, /query or a fragment/],
  ["no ports", { ports: undefined }, /ports\.authenticate is not a function/],
  ...Object.keys(ports).map((name): [string, object, RegExp] => [
    `without ${name}`,
    { ports: { ...ports, [name]: undefined } },
    new RegExp(`ports\\.${name} is not a function`),
  ]),
  ["DPoP without a URL", { dpop: { markUsed: port } }, /dpop\.url is not the URL of the token endpoint: undefined/],
  ["DPoP for a path", { dpop: { ...dpop, url: "/token" } }, /dpop\.url is not the URL of the token endpoint: \/token/],
  ["DPoP without marks", { dpop: { url: dpop.url } }, /dpop\.markUsed is not a function/],
])("%s is refused at the start", (_, change, message) => {
  // As JavaScript would give it.
  const options = { ...good, ...change } as Issuer<unknown, unknown>;
  expect(() => checkIssuer(options)).toThrow(message);
  expect(() => checkIssuer(options)).toThrow(expect.objectContaining({ code: "configuration" }));
});

test("a function that is missing is named as the options name it", () => {
  expect(() => checkFunctions({ decide: 1 }, ["decide"])).toThrow(
    "The options of the issuer: decide is not a function",
  );
});
