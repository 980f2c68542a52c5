/** `@credence/protocol`: what both sides of the wire have to agree on to the last bit. */
import {
  decodeBase64url,
  encodeBase64url,
  errorAnswer,
  parseForm,
  parseResource,
  parseScope,
} from "@credence/protocol";
import { parseAuthorizationDetails } from "@credence/protocol/authorization-details";
import { addClientAuth, authenticateClient, parseBasic, readClientAuth } from "@credence/protocol/client-auth";
import { createDpopProof, type DpopExpectations, generateDpopKey, verifyDpopProof } from "@credence/protocol/dpop";
import { checkUrl, guardedFetch } from "@credence/protocol/fetch";
import {
  checkSignature,
  decodeJws,
  generateSigningKey,
  importSigner,
  JWS_ALGORITHMS,
  jwksKeys,
  signJwt,
  thumbprint,
} from "@credence/protocol/jws";
import { buildChallenge, parseChallenges } from "@credence/protocol/metadata";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { ERRORS, REASONS } from "@credence/protocol/reasons";
import { type Case, has, same, thrown, yes } from "./case.ts";

const NOW = 1_800_000_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const signatures: readonly Case[] = JWS_ALGORITHMS.map((alg) => ({
  name: `protocol: a JWT signed with ${alg} verifies with the published key, and not after a change`,
  async run() {
    const [pair, other] = await Promise.all([generateSigningKey(alg), generateSigningKey(alg)]);
    const token = await signJwt("test+jwt", { sub: "alice", ü: "\u{1f511}" }, await importSigner(pair.privateJwk));
    const jws = decodeJws(token);
    if (jws === undefined) throw new Error("a token that we signed can not be read");
    same(jws.payload, { sub: "alice", ü: "\u{1f511}" });
    const keys = jwksKeys({ keys: [pair.publicJwk] });
    same(await checkSignature(jws, [alg], keys), undefined, "fault");
    const signature = jws.signature.slice();
    signature[7] = (signature[7] ?? 0) ^ 1;
    same(await checkSignature({ ...jws, signature }, [alg], keys), "signature", "fault after a change");
    const foreign = { keys: [{ ...other.publicJwk, ...(jws.header.kid ? { kid: jws.header.kid } : {}) }] };
    same(await checkSignature(jws, [alg], jwksKeys(foreign)), "signature", "fault with another key");
    const elsewhere = JWS_ALGORITHMS.filter((one) => one !== alg);
    same(await checkSignature(jws, elsewhere, keys), "algorithm", "fault where the algorithm is not allowed");
  },
}));

export const wire: readonly Case[] = [
  {
    name: "protocol: base64url holds for every length, and nothing else is taken for it",
    run() {
      for (let length = 1; length < 70; length++) {
        const data = Uint8Array.from({ length }, (_, i) => (i * 37 + length) % 256);
        same([...(decodeBase64url(encodeBase64url(data)) ?? [])], [...data], `${length} bytes`);
      }
      for (const bad of ["", "a", "ab=", "a+b/", "a b", "ä", "abcde"]) {
        same(decodeBase64url(bad), undefined, JSON.stringify(bad));
      }
    },
  },
  {
    name: "protocol: the thumbprint of RFC 7638 §3.1 is the one that stands there",
    async run() {
      const n =
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs" +
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
      same(await thumbprint({ kty: "RSA", n, e: "AQAB" }), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    },
  },
  ...signatures,
  {
    name: "protocol: what is no JWT is taken apart by nobody",
    run() {
      const e30 = "e30";
      const long = `${e30}.${"A".repeat(20_000)}.AA`;
      const bad = [
        "",
        ".",
        "..",
        "a.b.c",
        `${e30}.${e30}.`,
        `${e30}.${e30}.AA`,
        `${e30}.${e30}.AA.AA.AA`,
        long,
        "\0.\0.\0",
      ];
      for (const token of bad) same(decodeJws(token), undefined, JSON.stringify(token.slice(0, 40)));
      const deep = encodeBase64url(`${"[".repeat(5_000)}${"]".repeat(5_000)}`);
      same(decodeJws(`${deep}.${deep}.AA`), undefined, "arrays without end");
      const notUtf8 = encodeBase64url(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]));
      same(decodeJws(`${encodeBase64url('{"alg":"ES256"}')}.${notUtf8}.AA`), undefined, "not UTF-8");
    },
  },
  {
    name: "protocol: a form is read strictly: UTF-8, no control characters, each parameter once, within its limits",
    run() {
      const good = parseForm(bytes("grant_type=a&resource=x&resource=y&scope=caf%C3%A9+%E2%82%AC"));
      if (!good.ok) throw new Error(good.refusal.reason);
      same(good.value.all("resource"), ["x", "y"]);
      same(good.value.get("scope"), "café €");
      const bad: readonly (readonly [string, Uint8Array])[] = [
        ["form-malformed", Uint8Array.from([0x61, 0x3d, 0xc3, 0x28])],
        ["form-malformed", bytes("a=%ff%fe")],
        ["form-malformed", bytes("a=%zz")],
        ["form-malformed", bytes("a=%00")],
        ["form-malformed", bytes("a=\0")],
        ["form-malformed", bytes("a=%ED%A0%80")],
        ["parameter-doubled", bytes("scope=a&sc%6Fpe=b")],
        ["form-too-large", bytes(Array.from({ length: 101 }, (_, i) => `a${i}=b`).join("&"))],
        ["form-too-large", bytes(`a=${"x".repeat(65_536)}`)],
      ];
      for (const [reason, body] of bad) {
        const read = parseForm(body);
        same(read.ok ? "read" : read.refusal.reason, reason, new TextDecoder().decode(body.slice(0, 20)));
      }
    },
  },
  {
    name: "protocol: scopes, resources and authorization details are read strictly",
    run() {
      same(parseScope("a b"), { ok: true, value: ["a", "b"] });
      for (const bad of ['"', "a\\b", "ä", "a\tb"]) yes(!parseScope(bad).ok, `scope ${JSON.stringify(bad)} is refused`);
      for (const bad of ["/mcp", "https://a.example#x", "https://a b", ""]) {
        yes(!parseResource(bad).ok, `resource ${JSON.stringify(bad)} is refused`);
      }
      for (const bad of ["[", "{}", "null", "[]", "[{}]", `${"[".repeat(9_000)}`, '[{"type":1}]']) {
        yes(!parseAuthorizationDetails(bad).ok, `details ${bad.slice(0, 20)} are refused`);
      }
    },
  },
  {
    name: "protocol: a client with a secret of any characters is known by Basic, and by nothing near it",
    async run() {
      const secret = "s: /+%&=ä€\u{1f511}";
      const client = {
        method: "client_secret_basic",
        clientId: "https://a.example/client",
        clientSecret: secret,
      } as const;
      const form = new URLSearchParams();
      const { authorization } = await addClientAuth(form, client, "https://idp.example", NOW);
      const authenticate = async (header: string | undefined) => {
        const read = parseForm(bytes(form.toString()));
        const presented = read.ok ? readClientAuth(header, read.value) : read;
        if (!presented.ok) return presented.refusal.reason;
        const known = await authenticateClient(presented.value, {
          issuer: "https://idp.example",
          now: NOW,
          markUsed: async () => "first",
          find: async (clientId) =>
            clientId === client.clientId
              ? { client: { clientId }, credential: { method: "client_secret_basic", secret } }
              : undefined,
        });
        return known.ok ? "known" : known.refusal.reason;
      };
      same(await authenticate(authorization), "known");
      const [first] = parseBasic(authorization ?? "") ?? [];
      same(first, { clientId: client.clientId, secret });
      for (const bad of ["Basic", "Basic !", "Basic YQ==", "Bearer x", `${authorization}x`, "Basic gICAgA=="]) {
        yes((await authenticate(bad)) !== "known", `${bad} is nobody`);
      }
    },
  },
  {
    name: "protocol: an assertion authenticates its client once, for its audience, in its time",
    async run() {
      const pair = await generateSigningKey("ES256");
      const identity = {
        method: "private_key_jwt",
        clientId: "agent",
        signer: await importSigner(pair.privateJwk),
      } as const;
      const used = new Set<string>();
      const authenticate = async (form: URLSearchParams, issuer: string, now: number) => {
        const read = parseForm(bytes(form.toString()));
        const presented = read.ok ? readClientAuth(undefined, read.value) : read;
        if (!presented.ok) return presented.refusal.reason;
        const known = await authenticateClient(presented.value, {
          issuer,
          now,
          markUsed: async (mark) => {
            if (used.has(mark)) return "again";
            used.add(mark);
            return "first";
          },
          find: async (clientId) => ({
            client: { clientId },
            credential: {
              method: "private_key_jwt",
              keys: jwksKeys({ keys: [pair.publicJwk] }),
              algorithms: ["ES256"],
            },
          }),
        });
        return known.ok ? known.value.clientId : known.refusal.reason;
      };
      const issuer = "https://as.example";
      const form = new URLSearchParams();
      await addClientAuth(form, identity, issuer, NOW);
      yes(
        (await authenticate(form, "https://other.example", NOW)).startsWith("client-"),
        "another audience is refused",
      );
      yes((await authenticate(form, issuer, NOW + 3_600)).startsWith("client-"), "an old one is refused");
      same(await authenticate(form, issuer, NOW), "agent");
      yes((await authenticate(form, issuer, NOW)).startsWith("client-"), "a second use is refused");
    },
  },
  {
    name: "protocol: a DPoP proof proves its key for one method, one URL, one token, in its time",
    async run() {
      for (const alg of ["ES256", "EdDSA", "RS256"] as const) {
        const key = await generateDpopKey(alg);
        const url = "https://as.example/token?x=1";
        const proof = await createDpopProof(key, { method: "POST", url, now: NOW, accessToken: "token" });
        const expected = { method: "POST", url, now: NOW, accessToken: "token" };
        const verify = async (changes: Partial<DpopExpectations>, sent = proof) => {
          const outcome = await verifyDpopProof(sent, { ...expected, ...changes });
          return outcome.ok ? outcome.value.jkt : outcome.refusal.reason;
        };
        same(await verify({}), key.jkt, alg);
        same(await verify({ method: "GET" }), "dpop-method");
        same(await verify({ url: "https://as.example/other" }), "dpop-url");
        same(await verify({ accessToken: "other" }), "dpop-token");
        same(await verify({ now: NOW + 600 }), "dpop-time");
        same(await verify({ now: NOW - 600 }), "dpop-time");
        const cut = `${proof.slice(0, -8)}${proof.endsWith("AAAAAAAA") ? "BBBBBBBB" : "AAAAAAAA"}`;
        same(await verify({}, cut), "dpop-signature");
        same(await verify({}, `${proof}, ${proof}`), "dpop-malformed");
        const nonces = { accepts: async (nonce: string) => nonce === "n", lifetime: 60 };
        same(await verify({ nonces }), "dpop-nonce-wanted");
      }
    },
  },
  {
    name: "protocol: a proof with a key that is none is refused",
    async run() {
      const key = await generateDpopKey();
      const made = (jwk: unknown): string => {
        const header = encodeBase64url(JSON.stringify({ alg: "ES256", typ: "dpop+jwt", jwk }));
        return `${header}.${encodeBase64url(JSON.stringify({ jti: "a", htm: "POST", htu: "https://a.example", iat: NOW }))}.AAAA`;
      };
      const { y: _, ...half } = key.publicJwk;
      const bad = [
        undefined,
        null,
        "x",
        [],
        {},
        { kty: "oct", k: "AAAA" },
        half,
        { ...key.publicJwk, x: key.publicJwk.y },
      ];
      for (const jwk of [
        ...bad,
        { ...key.publicJwk, d: "AAAA" },
        { ...key.publicJwk, crv: "P-521" },
        { kty: "RSA", n: "AQAB", e: "AQAB" },
      ]) {
        const outcome = await verifyDpopProof(made(jwk), { method: "POST", url: "https://a.example", now: NOW });
        yes(!outcome.ok, `the key ${JSON.stringify(jwk)} is refused`);
        if (!outcome.ok) yes(outcome.refusal.reason.startsWith("dpop-"), outcome.refusal.reason);
      }
    },
  },
  {
    name: "protocol: a certificate's thumbprint is the SHA-256 of its DER",
    async run() {
      // What stands in it is nobody's business here: an ASN.1 SEQUENCE, as every certificate is.
      const der = Uint8Array.from({ length: 300 }, (_, i) => [0x30, 0x82, 0x01, 0x28][i] ?? i % 256);
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", der));
      same(await certificateConfirmation(der), { ok: true, value: { "x5t#S256": encodeBase64url(hash) } });
      yes(!(await certificateConfirmation(bytes("certificate"))).ok, "what is no certificate is refused");
    },
  },
  {
    name: "protocol: every reason has an error of the table, and its answer is one of OAuth's",
    run() {
      for (const [reason, { error }] of Object.entries(REASONS)) {
        if (error !== null) yes(Object.hasOwn(ERRORS, error), `${reason} has the unknown error ${error}`);
      }
      const { status, body } = errorAnswer({ reason: "parameter-missing" }, "id");
      same([status, body.error, body.decision_id], [400, "invalid_request", "id"]);
    },
  },
  {
    name: "protocol: a challenge that was built is read back as it was",
    run() {
      const parameters = { error: "invalid_token", scope: 'a "b" \\' };
      same(parseChallenges(buildChallenge("DPoP", parameters)), [{ scheme: "dpop", parameters }]);
    },
  },
  {
    name: "protocol: guarded fetch refuses private addresses, plain http, redirects, and answers without end or in no time",
    async run() {
      const private_ = [
        "http://10.0.0.1/",
        "https://192.168.1.1/",
        "https://[fd00::1]/",
        "https://169.254.169.254/",
        "https://0x7f.1/",
      ];
      for (const url of [
        ...private_,
        "http://a.example/",
        "https://u:p@a.example/",
        "file:///etc/passwd",
        "x",
        "https://localhost/",
      ]) {
        has(await thrown(() => checkUrl(url)), { code: "fetch_refused" });
      }
      const answering = (make: () => Response | Promise<Response>, options = {}) =>
        guardedFetch({ fetch: async () => make(), ...options });
      const redirect = answering(() => new Response(null, { status: 302, headers: { location: "https://10.0.0.1/" } }));
      has(await thrown(() => redirect("https://a.example/")), { code: "fetch_refused", reason: "redirect" });
      const endless = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
      });
      has(await thrown(() => answering(() => new Response(endless))("https://a.example/")), { reason: "too-large" });
      const never = guardedFetch({
        timeout: 0.2,
        fetch: (_, init) =>
          new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason))),
      });
      has(await thrown(() => never("https://a.example/")), { code: "network", reason: "timeout" });
      const down = guardedFetch({ fetch: () => Promise.reject(new TypeError("down")) });
      has(await thrown(() => down("https://a.example/")), { code: "network", reason: "unreachable" });
      const json = await answering(() => new Response('{"a":1}'))("https://a.example/");
      same(json.json(), { a: 1 });
      const bad = await answering(() => new Response("{"))("https://a.example/");
      has(await thrown(() => bad.json()), { code: "response_invalid" });
    },
  },
];
