import { expect, test } from "vitest";
import { newCertificate } from "../../../test/certificates.testing.ts";
import { createDpopProof, generateDpopKey } from "./dpop.ts";
import { useProof, verifyProof } from "./proof-of-possession.ts";

const NOW = 1_800_000_000;
const URL = "https://as.example/token";
const expected = { method: "POST", url: URL, now: NOW };
const key = await generateDpopKey();
const dpop = await createDpopProof(key, expected);
const { cert } = newCertificate("agent");
const certificate = new Uint8Array(Buffer.from(cert.replaceAll(/-----[A-Z ]+-----|\s/g, ""), "base64"));
const print = expect.stringMatching(/^[\w-]{43}$/);

test("a DPoP proof binds to its key, also where a certificate is shown", async () => {
  for (const shown of [{ dpop }, { dpop, certificate }]) {
    expect(await verifyProof(shown, expected)).toMatchObject({ ok: true, value: { binding: { jkt: key.jkt } } });
  }
});

test("a certificate binds where there is no proof", async () => {
  for (const shown of [{ certificate }, { dpop: null, certificate }]) {
    const proof = await verifyProof(shown, expected);
    expect(proof).toEqual({ ok: true, value: { binding: { "x5t#S256": print } } });
  }
});

test("nothing shown proves nothing", async () => {
  expect(await verifyProof({}, expected)).toEqual({ ok: true, value: undefined });
});

test("what is shown and not good is refused: a proof is not passed over for a certificate, nor for being empty", async () => {
  for (const bad of [{ dpop: "x", certificate }, { dpop: "" }]) {
    expect(await verifyProof(bad, expected)).toMatchObject({ ok: false, refusal: { reason: "dpop-malformed" } });
  }
  const odd = await verifyProof({ certificate: new Uint8Array(100) }, expected);
  expect(odd).toMatchObject({ ok: false, refusal: { reason: "certificate-malformed" } });
});

test("a DPoP proof counts once; certificates, and nothing at all, leave no mark", async () => {
  const marks: string[] = [];
  const markUsed = async (mark: string) => {
    marks.push(mark);
    return marks.indexOf(mark) === marks.length - 1 ? ("first" as const) : ("again" as const);
  };
  const proven = async (shown: object) => {
    const proof = await verifyProof(shown, expected);
    if (!proof.ok) throw new Error(proof.refusal.reason);
    return useProof(proof.value, markUsed);
  };
  expect(await proven({})).toEqual({ ok: true, value: true });
  expect(await proven({ certificate })).toEqual({ ok: true, value: true });
  expect(marks).toEqual([]);
  expect(await proven({ dpop })).toEqual({ ok: true, value: true });
  expect(await proven({ dpop })).toMatchObject({ ok: false, refusal: { reason: "dpop-replayed" } });
});
