import { createDpopProof, type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { describe, expect, test } from "vitest";
import { NOON } from "../house.testing.ts";
import { memoryStore } from "../store.ts";
import { checkPossession, type PresentedToken } from "./possession.ts";

const aud = "https://ledger.example/mcp";
const token = "token-1";
const key = await generateDpopKey();
const other = await generateDpopKey();
const certificate = new Uint8Array([0x30, 0x82, ...Array.from({ length: 300 }, (_, i) => i % 251)]);
const shown = await certificateConfirmation(certificate);
if (!shown.ok) throw new Error("the certificate is one");

const toKey = { aud, cnf: { jkt: key.jkt } };
const toCertificate = { aud, cnf: shown.value };
const toNothing = { aud };
const GOOD = { ok: true, value: true };
const refused = (reason: string, detail?: string) => ({
  ok: false,
  refusal: expect.objectContaining({ reason, ...(detail === undefined ? {} : { detail }) }),
});

/** Checks on a store of its own, and takes the marks that it got. */
function checker() {
  const marks: string[] = [];
  const store = memoryStore({ now: () => NOON });
  const consume = (mark: string, expiresAt: number) => {
    marks.push(mark);
    return store.consume(mark, expiresAt);
  };
  const check = (
    claims: Parameters<typeof checkPossession>[0],
    presented: Omit<PresentedToken, "token"> = {},
    requireBound = false,
  ) => checkPossession(claims, { token, ...presented }, { consume }, NOON, requireBound);
  return { marks, check };
}

const proof = (by: DpopKey = key, more: Partial<Parameters<typeof createDpopProof>[1]> = {}) =>
  createDpopProof(by, { method: "GET", url: `${aud}/x`, accessToken: token, now: NOON, ...more });
const called = async (dpop: string | Promise<string> = proof()) => ({
  scheme: "dpop",
  dpop: await dpop,
  url: `${aud}/x?y=1`,
});

describe("a token that is bound to a key", () => {
  test("is proven by the key for this token, method and URL, and the proof is marked as used", async () => {
    const { marks, check } = checker();
    const presented = await called();
    expect(await check(toKey, presented)).toEqual(GOOD);
    expect(marks).toEqual([expect.stringMatching(/^dpop:[\w-]{43}$/)]);
    expect(await check(toKey, presented)).toEqual(refused("dpop-replayed"));
  });

  test("is proven for the host that clients know, whatever the proxy in front calls this one", async () => {
    const { check } = checker();
    expect(await check(toKey, { ...(await called()), url: "http://10.0.0.7:8080/mcp/x" })).toEqual(GOOD);
  });

  test("is proven for the method of the call, which is GET where nobody says", async () => {
    const { check } = checker();
    expect(await check(toKey, { ...(await called()), method: "POST" })).toEqual(refused("dpop-method"));
    expect(await check(toKey, { ...(await called(proof(key, { method: "POST" }))), method: "POST" })).toEqual(GOOD);
  });

  test.each<[string, () => Promise<Omit<PresentedToken, "token">>]>([
    ["as a bearer token, though a good proof comes with it", async () => ({ ...(await called()), scheme: "bearer" })],
    ["without a scheme", async () => ({ dpop: await proof(), url: `${aud}/x` })],
    ["without a proof", async () => ({ scheme: "dpop", url: `${aud}/x` })],
    ["with a header that is not there", async () => ({ ...(await called()), dpop: null })],
    ["at no URL", async () => ({ scheme: "dpop", dpop: await proof() })],
    ["with the certificate of somebody", async () => ({ certificate })],
  ])("is refused %s", async (_, presented) => {
    expect(await checker().check(toKey, await presented())).toEqual(refused("access-token-proof", "missing"));
  });

  test.each<[string, () => Promise<string>, string]>([
    ["of another key", () => proof(other), "access-token-proof"],
    ["for another token", () => proof(key, { accessToken: "token-2" }), "dpop-token"],
    ["for another URL", () => proof(key, { url: aud }), "dpop-url"],
    ["that is old", () => proof(key, { now: NOON - 300 }), "dpop-time"],
    ["that is none", async () => "x.y.z", "dpop-malformed"],
  ])("is refused with a proof %s, which is not marked", async (_, made, reason) => {
    const { marks, check } = checker();
    expect(await check(toKey, await called(made()))).toEqual(refused(reason));
    expect(marks).toEqual([]);
  });

  test("is refused with another key's proof for that", async () => {
    expect(await checker().check(toKey, await called(proof(other)))).toEqual(
      refused("access-token-proof", "another key"),
    );
  });
});

describe("a token that is bound to a certificate", () => {
  test("is proven by the certificate", async () => {
    expect(await checker().check(toCertificate, { scheme: "bearer", certificate }, true)).toEqual(GOOD);
  });

  test.each<[string, Omit<PresentedToken, "token">, string]>([
    ["without one", {}, "no certificate"],
    ["with what is none", { certificate: new Uint8Array(10) }, "the certificate can not be read"],
    [
      "with another",
      { certificate: certificate.map((byte, i) => (i === 100 ? byte ^ 1 : byte)) },
      "another certificate",
    ],
    ["as a DPoP token", { certificate, scheme: "dpop" }, "the token is not bound to a key"],
  ])("is refused %s", async (_, presented, detail) => {
    expect(await checker().check(toCertificate, presented)).toEqual(refused("access-token-proof", detail));
  });
});

describe("a token that is bound to nothing", () => {
  test("is a bearer token, with or without a scheme", async () => {
    expect(await checker().check(toNothing, { scheme: "bearer" })).toEqual(GOOD);
    expect(await checker().check(toNothing)).toEqual(GOOD);
  });

  test("is refused as a DPoP token, whatever proof comes with it", async () => {
    const { marks, check } = checker();
    expect(await check(toNothing, await called())).toEqual(
      refused("access-token-proof", "the token is not bound to a key"),
    );
    expect(marks).toEqual([]);
  });

  test("is refused where the resource takes bound tokens only", async () => {
    expect(await checker().check(toNothing, {}, true)).toEqual(refused("access-token-proof", "the token is not bound"));
  });
});
