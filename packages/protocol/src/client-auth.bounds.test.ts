/** Client authentication at its bounds, and which detail the record has of a refusal. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { authenticateClient, CLIENT_ASSERTION_TYPE, parseBasic, readClientAuth } from "./client-auth.ts";
import { parseForm } from "./form.ts";
import { generateSigningKey, importSigner, jwksKeys, type KeySource, type Signer, signJwt } from "./jws.ts";

const ISSUER = "https://idp.acme.example";
const NOW = 1_800_000_000;
let signer: Signer;
let keys: KeySource;
beforeAll(async () => {
  const key = await generateSigningKey("ES256");
  signer = await importSigner(key.privateJwk);
  keys = jwksKeys({ keys: [key.publicJwk] });
});

function read(authorization: string | null, form: Record<string, string>) {
  const parsed = parseForm(new TextEncoder().encode(new URLSearchParams(form).toString()));
  if (!parsed.ok) throw new Error("The form is none");
  return readClientAuth(authorization, parsed.value);
}

/** The client's id; or the reason against it, with its detail. And the marks that were left. */
async function outcome(authorization: string | null, form: Record<string, string>) {
  const presented = read(authorization, form);
  if (!presented.ok) return [presented.refusal.reason, presented.refusal.detail];
  const marks: unknown[] = [];
  const client = await authenticateClient(presented.value, {
    issuer: ISSUER,
    now: NOW,
    find: async (clientId) =>
      ["keyed", "other"].includes(clientId)
        ? { client: { clientId, marks }, credential: { method: "private_key_jwt", keys } }
        : undefined,
    markUsed: async (...mark) => {
      marks.push(mark);
      return "first";
    },
  });
  return client.ok ? client.value : [client.refusal.reason, client.refusal.detail];
}

describe("a client assertion", () => {
  const good = { iss: "keyed", sub: "keyed", aud: ISSUER, exp: NOW + 60, iat: NOW, jti: "a" };
  const send = async (change: object, form: Record<string, string> = {}, typ = "jwt") => {
    const client_assertion = await signJwt(typ, { ...good, ...change }, signer);
    return outcome(null, { client_assertion_type: CLIENT_ASSERTION_TYPE, client_assertion, ...form });
  };

  test.each<[string, object, readonly unknown[]]>([
    ["an empty sub", { sub: "" }, ["client-assertion-malformed", "sub"]],
    ["an empty jti", { jti: "" }, ["client-assertion-malformed", "exp or jti"]],
    ["a jti of 513 characters", { jti: "x".repeat(513) }, ["client-assertion-malformed", "exp or jti"]],
    [
      "an expiry 30 seconds ago",
      { exp: NOW - 30 },
      ["client-assertion-expired", "exp: too old, or the client's clock is behind"],
    ],
    [
      "an expiry in 601 seconds",
      { exp: NOW + 601 },
      ["client-assertion-expired", "exp: it lives too long, or the client's clock is ahead"],
    ],
    [
      "an iat in 31 seconds",
      { iat: NOW + 31 },
      ["client-assertion-expired", "iat or nbf: the client's clock is ahead"],
    ],
  ])("with %s is refused", async (_, change, refusal) => {
    expect(await send(change)).toEqual(refusal);
  });

  test.each<[string, object]>([
    ["a jti of 512 characters", { jti: "x".repeat(512) }],
    ["an expiry 29 seconds ago, which clocks may differ by", { exp: NOW - 29 }],
    ["an expiry in 600 seconds", { exp: NOW + 600 }],
    ["iat and nbf in 30 seconds", { iat: NOW + 30, nbf: NOW + 30 }],
    ["an iat that is no time: it is not wanted", { iat: "soon" }],
  ])("with %s is good", async (_, change) => {
    expect(await send(change)).toMatchObject({ clientId: "keyed" });
  });

  test("is its client's by iss and by sub: neither may name another than the request does", async () => {
    const refused = ["client-assertion-issuer", undefined];
    expect(await send({ sub: "other" })).toEqual(refused);
    expect(await send({ sub: "other" }, { client_id: "keyed" })).toEqual(refused);
    expect(await send({ iss: "other" }, { client_id: "keyed" })).toEqual(refused);
    expect(await send({}, { client_id: "other" })).toEqual(refused);
  });

  test.each(["jwt", "JWT", "client-authentication+jwt"])("may say that it is a %s", async (typ) => {
    expect(await send({}, {}, typ)).toMatchObject({ clientId: "keyed" });
  });

  test("that says it is something else is nothing to authenticate by", async () => {
    expect(await send({}, {}, "oauth-id-jag+jwt")).toEqual(["client-assertion-malformed", "typ"]);
  });

  test("leaves a mark under its client and its id that outlasts the skew", async () => {
    expect(await send({})).toEqual({ clientId: "keyed", marks: [["keyed a", NOW + 90]] });
  });

  test("comes whole: its type, itself, and that it can be read", async () => {
    const of = (form: Record<string, string>) => outcome(null, form);
    const untyped = ["client-assertion-malformed", "client_assertion_type"];
    expect(await of({ client_assertion: "a.b.c" })).toEqual(untyped);
    expect(await of({ client_assertion: "a.b.c", client_assertion_type: "urn:other" })).toEqual(untyped);
    const unread = ["client-assertion-malformed", "sub"];
    expect(await of({ client_assertion_type: CLIENT_ASSERTION_TYPE })).toEqual(unread);
    expect(await of({ client_assertion_type: CLIENT_ASSERTION_TYPE, client_assertion: "no JWT" })).toEqual(unread);
  });
});

describe("a Basic header", () => {
  test.each([
    ["in small letters", `basic ${btoa("a:b")}`, [{ clientId: "a", secret: "b" }]],
    ["with several spaces", `Basic   ${btoa("a:b")}`, [{ clientId: "a", secret: "b" }]],
    ["with something before it", `x Basic ${btoa("a:b")}`, undefined],
    ["with something behind it", `Basic ${btoa("a:bc")} x`, undefined],
    ["that is not one", "Digest abc", undefined],
    ["whose text is no UTF-8", `Basic ${btoa("a:\xff")}`, undefined],
    // The same secret under two ids are two readings: a raw id may be a URL.
    [
      "of a client whose id is a URL",
      `Basic ${btoa("https://a:b")}`,
      [
        { clientId: "https", secret: "//a:b" },
        { clientId: "https://a", secret: "b" },
      ],
    ],
    [
      "whose id needs decoding and whose secret does not",
      `Basic ${btoa("a%20b:c")}`,
      [
        { clientId: "a b", secret: "c" },
        { clientId: "a%20b", secret: "c" },
      ],
    ],
  ])("%s", (_, header, pairs) => {
    expect(parseBasic(header)).toEqual(pairs);
  });

  /** Every reading that RFC 6749 §2.3.1 and forgetful peers allow, in their order, each once. */
  function readingsOf(text: string): unknown {
    const decode = (part: string): string => new URLSearchParams(`x=${part.replaceAll("&", "%26")}`).get("x") ?? "";
    const isEncoded = (part: string): boolean => {
      try {
        return decodeURIComponent(part) !== undefined;
      } catch {
        return false;
      }
    };
    const colons = [...text].flatMap((sign, at) => (sign === ":" ? [at] : []));
    const divided = [...colons.slice(0, 1), ...colons.slice(-1)].map((at) => [text.slice(0, at), text.slice(at + 1)]);
    const decoded = divided.slice(0, 1).filter((parts) => parts.every(isEncoded));
    const pairs = [...decoded.map((parts) => parts.map(decode)), ...divided];
    const named = pairs.flatMap(([clientId = "", secret = ""]) => (clientId === "" ? [] : [{ clientId, secret }]));
    const once = [...new Map(named.map((pair) => [JSON.stringify(pair), pair])).values()];
    return once.length === 0 ? undefined : once;
  }

  test("means the same, whichever signs it has: one that can be read in one way alone, too", () => {
    const plain = fc.constantFrom("a", "b", "é", " ", "/", "=", "&");
    const any = fc.oneof(plain, fc.constantFrom(":", "%", "+", "%41", "%3A", "%2B", "%ff"));
    const text = (sign: fc.Arbitrary<string>) => fc.array(sign, { maxLength: 5 }).map((signs) => signs.join(""));
    const oneWay = fc.tuple(text(plain), text(plain)).map((parts) => parts.join(":"));
    const texts = fc.oneof(
      text(any),
      fc.tuple(text(any), text(any)).map((parts) => parts.join(":")),
      oneWay,
    );
    fc.assert(
      fc.property(texts, (sent) => {
        expect(parseBasic(`Basic ${Buffer.from(sent).toString("base64")}`)).toEqual(readingsOf(sent));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, readonly object[] | undefined]>([
    ["a:b", [{ clientId: "a", secret: "b" }]],
    ["a:", [{ clientId: "a", secret: "" }]],
    ["a:é /=", [{ clientId: "a", secret: "é /=" }]],
    [":b", undefined],
    [":", undefined],
    ["ab", undefined],
    ["a+b", undefined],
  ])("of %j can be read in one way, or in none", (text, pairs) => {
    expect(parseBasic(`Basic ${Buffer.from(text).toString("base64")}`)).toEqual(pairs);
  });

  test("that can not be read, or names another client than the body, is told apart in the record", async () => {
    expect(await outcome("Basic ???", {})).toEqual(["client-auth-malformed", "Basic"]);
    expect(await outcome(`Basic ${btoa("a:b")}`, { client_id: "other" })).toEqual(["client-auth-several", "client_id"]);
  });
});

test("a header or a parameter that is empty is no second way to authenticate", async () => {
  expect(read("", { client_id: "a", client_secret: "b" })).toMatchObject({ ok: true });
  expect(read(`Basic ${btoa("a:b")}`, { client_secret: "" })).toMatchObject({ ok: true });
});

test("a wrong secret is not hidden by other readings of the header that name nobody", async () => {
  const presented = read(`Basic ${btoa("a%20b:c:d")}`, {});
  if (!presented.ok) throw new Error("It can not be read");
  const known = (id: string) => async (clientId: string) =>
    clientId === id
      ? { client: { clientId }, credential: { method: "client_secret_basic" as const, secret: "x" } }
      : undefined;
  for (const id of ["a b", "a%20b", "a%20b:c"]) {
    const context = { issuer: ISSUER, now: NOW, find: known(id), markUsed: async () => "first" as const };
    expect(await authenticateClient(presented.value, context)).toMatchObject({
      refusal: { reason: "client-secret-wrong" },
    });
  }
  const nobody = { issuer: ISSUER, now: NOW, find: async () => undefined, markUsed: async () => "first" as const };
  expect(await authenticateClient(presented.value, nobody)).toMatchObject({ refusal: { reason: "client-unknown" } });
});
