import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  addClientAuth,
  authenticateClient,
  CLIENT_ASSERTION_TYPE,
  type ClientCredential,
  type ClientIdentity,
  isClientSecret,
  parseBasic,
  readClientAuth,
} from "./client-auth.ts";
import { parseForm } from "./form.ts";
import { generateSigningKey, importSigner, jwksKeys, type Signer, signJwt } from "./jws.ts";

const ISSUER = "https://idp.acme.example";
const NOW = 1_800_000_000;

let signer: Signer;
const clients = new Map<string, ClientCredential>([
  ["assistant", { method: "client_secret_basic", secret: "s3cret:with%20odd+signs" }],
  ["https://agent.example/client", { method: "client_secret_basic", secret: "rawone" }],
  ["poster", { method: "client_secret_post", secret: "posted" }],
  ["public", { method: "none" }],
  ["unset", { method: "client_secret_basic", secret: "" }],
]);

beforeAll(async () => {
  const key = await generateSigningKey("ES256");
  signer = await importSigner(key.privateJwk);
  clients.set("keyed", { method: "private_key_jwt", keys: jwksKeys({ keys: [key.publicJwk] }) });
});

function context() {
  const used = new Set<string>();
  return {
    issuer: ISSUER,
    now: NOW,
    find: async (clientId: string) => {
      const credential = clients.get(clientId);
      return credential && { client: { clientId }, credential };
    },
    markUsed: async (key: string) => {
      const first = !used.has(key);
      used.add(key);
      return first ? ("first" as const) : ("again" as const);
    },
  };
}

async function outcome(authorization: string | null, form: Record<string, string>, surroundings = context()) {
  const parsed = parseForm(new TextEncoder().encode(new URLSearchParams(form).toString()));
  if (!parsed.ok) throw new Error("form");
  const presented = readClientAuth(authorization, parsed.value);
  if (!presented.ok) return presented.refusal.reason;
  const client = await authenticateClient(presented.value, surroundings);
  return client.ok ? client.value.clientId : client.refusal.reason;
}

async function asIdentity(identity: ClientIdentity, surroundings = context()) {
  const form = new URLSearchParams();
  const headers = await addClientAuth(form, identity, ISSUER, NOW);
  return outcome(headers.authorization ?? null, Object.fromEntries(form), surroundings);
}

describe("a client that authenticates as we build it is known", () => {
  test("client_secret_basic, with every sign that needs encoding", async () => {
    const clientSecret = "s3cret:with%20odd+signs";
    expect(await asIdentity({ method: "client_secret_basic", clientId: "assistant", clientSecret })).toBe("assistant");
  });
  test("client_secret_post", async () => {
    expect(await asIdentity({ method: "client_secret_post", clientId: "poster", clientSecret: "posted" })).toBe(
      "poster",
    );
  });
  test("private_key_jwt", async () => {
    expect(await asIdentity({ method: "private_key_jwt", clientId: "keyed", signer })).toBe("keyed");
  });
  test("none, and is refused: it may sign people in and nothing else", async () => {
    expect(await asIdentity({ method: "none", clientId: "public" })).toBe("client-public");
  });
});

describe("Basic", () => {
  test("is read form-decoded first, then raw, because peers forget to encode", async () => {
    expect(await outcome(`Basic ${btoa("https://agent.example/client:rawone")}`, {})).toBe(
      "https://agent.example/client",
    );
    expect(await outcome(`Basic ${btoa("https%3A%2F%2Fagent.example%2Fclient:rawone")}`, {})).toBe(
      "https://agent.example/client",
    );
    expect(parseBasic(`Basic ${btoa("a:100%")}`)).toEqual([{ clientId: "a", secret: "100%" }]);
    expect(parseBasic(`Basic ${btoa("a:1+1:%41")}`)).toEqual([
      { clientId: "a", secret: "1 1:A" },
      { clientId: "a", secret: "1+1:%41" },
      { clientId: "a:1+1", secret: "%41" },
    ]);
  });

  test.each([
    ["another scheme", "Bearer abc", "client-auth-malformed"],
    ["something that is not base64", "Basic ???", "client-auth-malformed"],
    ["no colon", `Basic ${btoa("assistant")}`, "client-auth-malformed"],
    ["no id", `Basic ${btoa(":secret")}`, "client-auth-malformed"],
    ["an unknown client", `Basic ${btoa("nobody:x")}`, "client-unknown"],
    ["a wrong secret", `Basic ${btoa("assistant:x")}`, "client-secret-wrong"],
    ["an empty secret", `Basic ${btoa("assistant:")}`, "client-secret-wrong"],
    ["an empty secret that was registered so", `Basic ${btoa("unset:")}`, "client-secret-wrong"],
    ["a client of another method", `Basic ${btoa("poster:posted")}`, "client-auth-method-wrong"],
    ["a public client", `Basic ${btoa("public:")}`, "client-auth-method-wrong"],
  ])("with %s is refused", async (_, header, reason) => {
    expect(await outcome(header, {})).toBe(reason);
  });

  test("is refused with a second way beside it, or another client_id in the body", async () => {
    const basic = `Basic ${btoa("assistant:s3cret:with%2520odd%2Bsigns")}`;
    expect(await outcome(basic, { client_id: "assistant" })).toBe("assistant");
    expect(await outcome(basic, { client_id: "poster" })).toBe("client-auth-several");
    expect(await outcome(basic, { client_id: "assistant", client_secret: "x" })).toBe("client-auth-several");
    expect(await outcome(basic, { client_assertion: "x" })).toBe("client-auth-several");
  });
});

describe("a secret is one of a client's", () => {
  test.each<[string, string, string | readonly string[], boolean]>([
    ["the only one", "s3cret", "s3cret", true],
    ["the first of two", "new", ["new", "former"], true],
    ["the second of two", "former", ["new", "former"], true],
    ["with signs beyond ASCII", "geheim-ü-日本", "geheim-ü-日本", true],
    ["not: another of the same length", "s3creT", "s3cret", false],
    ["not: its first letter differs", "S3cret", "s3cret", false],
    ["not: its beginning", "s3cre", "s3cret", false],
    ["not: more than it", "s3crets", "s3cret", false],
    ["not: it, twice", "s3crets3cret", "s3cret", false],
    ["not: nothing", "", "s3cret", false],
    ["not: nothing, which was registered", "", ["", ""], false],
    ["not: something, where nothing was registered", "x", "", false],
    ["not: where there are none", "x", [], false],
    ["not: both of them, joined", "newformer", ["new", "former"], false],
    ["not: a letter whose last bits are the same", "\u0173", "s", false],
  ])("%s", (_, presented, registered, expected) => {
    expect(isClientSecret(presented, registered)).toBe(expected);
  });

  test("whatever they are, only where they are the same", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\u0161"), maxLength: 5 });
    fc.assert(fc.property(text, text, (a, b) => isClientSecret(a, b) === (a !== "" && a === b)));
  });
});

test("a client that proves nothing, though it should, is refused", async () => {
  expect(await outcome(null, {})).toBe("client-auth-missing");
  expect(await outcome(null, { client_id: "assistant" })).toBe("client-auth-missing");
  expect(await outcome(null, { client_id: "nobody" })).toBe("client-unknown");
});

describe("private_key_jwt", () => {
  const good = { iss: "keyed", sub: "keyed", aud: ISSUER, exp: NOW + 60, iat: NOW, jti: "a" };
  const send = async (claims: object, surroundings = context(), by = signer) =>
    outcome(
      null,
      { client_assertion_type: CLIENT_ASSERTION_TYPE, client_assertion: await signJwt("jwt", claims, by) },
      surroundings,
    );

  test("counts once", async () => {
    const surroundings = context();
    expect(await send(good, surroundings)).toBe("keyed");
    expect(await send(good, surroundings)).toBe("client-assertion-replayed");
    expect(await send({ ...good, jti: "b" }, surroundings)).toBe("keyed");
  });

  test("does not burn its jti when it is refused", async () => {
    const surroundings = context();
    expect(await send({ ...good, aud: "https://x.example" }, surroundings)).toBe("client-assertion-audience");
    expect(await send(good, surroundings)).toBe("keyed");
  });

  test.each<[string, object, string]>([
    ["the token endpoint as audience", { aud: `${ISSUER}/token` }, "client-assertion-audience"],
    ["several audiences", { aud: [ISSUER, `${ISSUER}/token`] }, "client-assertion-audience"],
    ["our issuer and a slash", { aud: `${ISSUER}/` }, "client-assertion-audience"],
    ["no audience", { aud: undefined }, "client-assertion-audience"],
    ["another iss", { iss: "assistant" }, "client-assertion-issuer"],
    ["an expiry in the past", { exp: NOW - 30 }, "client-assertion-expired"],
    ["an expiry far away", { exp: NOW + 601 }, "client-assertion-expired"],
    ["nbf to come", { nbf: NOW + 31 }, "client-assertion-expired"],
    ["iat to come", { iat: NOW + 31 }, "client-assertion-expired"],
    ["no exp", { exp: undefined }, "client-assertion-malformed"],
    ["no jti", { jti: undefined }, "client-assertion-malformed"],
    ["no sub", { sub: undefined }, "client-assertion-malformed"],
    ["an unknown client", { iss: "nobody", sub: "nobody" }, "client-unknown"],
    ["a client of another method", { iss: "assistant", sub: "assistant" }, "client-auth-method-wrong"],
  ])("with %s is refused", async (_, change, reason) => {
    expect(await send({ ...good, ...change })).toBe(reason);
  });

  test("signed by another key is refused", async () => {
    const stranger = await generateSigningKey("ES256");
    expect(await send(good, context(), await importSigner(stranger.privateJwk))).toBe("client-assertion-key");
    const disguised = await importSigner({ ...stranger.privateJwk, kid: signer.kid });
    expect(await send(good, context(), disguised)).toBe("client-assertion-signature");
  });

  test.each([
    ["client-authentication+jwt", undefined],
    ["JWT", undefined],
    ["application/JWT", undefined],
    ["actor-token+jwt", "client-assertion-malformed"],
    ["dpop+jwt", "client-assertion-malformed"],
    ["oauth-id-jag+jwt", "client-assertion-malformed"],
  ])("of typ %s: %s", async (typ, reason) => {
    const client_assertion = await signJwt(typ, { ...good, jti: typ }, signer);
    const form = { client_assertion, client_assertion_type: CLIENT_ASSERTION_TYPE };
    expect(await outcome(null, form)).toBe(reason ?? good.sub);
  });

  test("of another assertion type is refused", async () => {
    const client_assertion = await signJwt("jwt", good, signer);
    expect(await outcome(null, { client_assertion, client_assertion_type: "urn:other" })).toBe(
      "client-assertion-malformed",
    );
    expect(await outcome(null, { client_assertion })).toBe("client-assertion-malformed");
  });
});
