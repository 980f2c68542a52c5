import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../http/limits.ts";
import { type ConfigResult, type Flags, parseConfig } from "./config.ts";

function config(result: ConfigResult) {
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

const file = (text: string) => () => text;

const DATABASE = "postgresql://credence:secret@db.example:5432/credence";

describe("the deployment", () => {
  it("has a default for everything", () => {
    expect(config(parseConfig({}, {}))).toEqual({
      issuer: "http://127.0.0.1:8787",
      issuerIsLoopback: true,
      host: "127.0.0.1",
      port: 8787,
      workers: 1,
      drain: 2,
      trustedProxies: [],
      clientCertHeader: false,
      dpopNonces: false,
      dataDir: resolve("credence-data"),
      keyFile: resolve("credence-data.key"),
      logLevel: "info",
      idJagLifetime: 300,
      lifetimes: { session: 43_200, idToken: 3600, accessToken: 600, refreshToken: 1_209_600, grant: 2_592_000 },
      limits: DEFAULT_LIMITS,
      keys: {},
    });
  });

  it("takes a flag before the environment, and the environment before the file", () => {
    const text = "port: 1\nhost: file.example\nid_jag_lifetime: 2m\nissuer: https://idp.example\n";
    const env = { CREDENCE_PORT: "2", CREDENCE_HOST: "env.example", CREDENCE_CONFIG: "credence.yaml" };
    expect(config(parseConfig({ port: "3" }, env, file(text)))).toMatchObject({
      port: 3,
      host: "env.example",
      idJagLifetime: 120,
      issuer: "https://idp.example",
      issuerIsLoopback: false,
    });
  });

  it("takes workers, the time to drain, and where operators look, from wherever they are said", () => {
    const { workers, drain, operations } = config(
      parseConfig({ workers: "4", opsPort: "9090" }, { CREDENCE_DRAIN: "0s", CREDENCE_OPS_HOST: "0.0.0.0" }),
    );
    expect({ workers, drain, operations }).toEqual({
      workers: 4,
      drain: 0,
      operations: { host: "0.0.0.0", port: 9090 },
    });
    expect(config(parseConfig({ config: "c.yaml" }, {}, file("drain: 1m\nops_port: 0\n")))).toMatchObject({
      drain: 60,
      operations: { host: "127.0.0.1", port: 0 },
    });
  });

  it.each([
    ["workers: 0", "is not a number of workers: 1 to 64"],
    ["workers: 65", "is not a number of workers: 1 to 64"],
    ["workers: 1.5", "is not a number of workers: 1 to 64"],
    ["ops_port: 65536", "is not a port: 0 to 65535"],
    ["drain: 11m", "is out of bounds: 1s to 600s"],
    ["drain: 5", "is not a duration"],
  ])("does not take %s", (text, message) => {
    expect(parseConfig({ config: "c.yaml" }, {}, file(text))).toMatchObject({
      ok: false,
      problems: [{ at: "c.yaml:1:1", message: expect.stringContaining(message) }],
    });
  });

  it.each([
    ["a file", { config: "c.yaml" }, {}, "limits:\n  client_requests: 600\n  sign_ins: 0\n"],
    ["a variable", {}, { CREDENCE_LIMITS: "client_requests=600, sign_ins=0" }, ""],
  ])("takes limits from %s, and the others as ever", (_, flags, env, text) => {
    expect(config(parseConfig(flags, env, file(text))).limits).toEqual({
      ...DEFAULT_LIMITS,
      clientRequests: 600,
      signIns: 0,
    });
  });

  it.each([
    ["limits: 5", "is no list of limits"],
    ["limits: [1]", "is no list of limits"],
    ["limits: { client_requests: -1 }", "is no list of limits"],
    ["limits: { client_requests: 1.5 }", "is no list of limits"],
    ["limits: { client_requests: many }", "is no list of limits"],
    ["limits: { client_requests: 1e10 }", "is no list of limits"],
    ["limits: { requests: 5 }", 'names no limit with "requests". There are client_requests, '],
    ["limits: { toString: 5 }", 'names no limit with "toString"'],
  ])("refuses %s, and says where", (text, message) => {
    const result = parseConfig({ config: "c.yaml" }, {}, file(text));
    expect(result).toMatchObject({ ok: false, problems: [{ at: "c.yaml:1:1" }] });
    expect(JSON.stringify(result)).toContain(JSON.stringify(message).slice(1, -1));
  });

  it.each([
    ["a file", { config: "c.yaml" }, {}, "keys: { rotate_every: 30d, overlap: 1d, kek: { env: KEK } }\n"],
    ["a variable", {}, { CREDENCE_KEYS: "{ rotate_every: 30d, overlap: 1d, kek: { env: KEK } }" }, ""],
    ["a variable in JSON", {}, { CREDENCE_KEYS: '{"rotate_every":"30d","overlap":"1d","kek":{"env":"KEK"}}' }, ""],
  ])("takes what it says of keys from %s", (_, flags, env, text) => {
    const keys = { rotateEvery: 30 * 86_400, overlap: 86_400, kek: { env: "KEK" } };
    expect(config(parseConfig(flags, env, file(text))).keys).toEqual(keys);
  });

  it("takes a KMS, a signer and several algorithms", () => {
    const text = `keys:
  algorithms: [EdDSA, ES256]
  rotate_every: never
  jwks_max_age: 5m
  kek: { kms: { url: "https://vault.acme.example/v1/transit", key: credence, token: { file: /run/token } } }
  signer: { url: "http://127.0.0.1:8200/v1/transit", token: { env: VAULT_TOKEN } }
`;
    expect(config(parseConfig({ config: "c.yaml" }, {}, file(text))).keys).toEqual({
      algorithms: ["EdDSA", "ES256"],
      rotateEvery: "never",
      jwksAge: 300,
      kek: { kms: { url: "https://vault.acme.example/v1/transit", key: "credence", token: { file: "/run/token" } } },
      signer: { url: "http://127.0.0.1:8200/v1/transit", token: { env: "VAULT_TOKEN" } },
    });
  });

  it.each([
    ["keys: 5", "is no mapping: rotate_every, overlap, "],
    ["keys: { rotate: 90d }", "is no mapping: rotate_every, overlap, "],
    ["keys: { rotate_every: 90 }", "keys.rotate_every is neither a duration of at least 1d, nor never"],
    ["keys: { rotate_every: 1h }", "keys.rotate_every is out of bounds: 86400s"],
    ["keys: { overlap: forever }", "keys.overlap is not a duration"],
    [
      "keys: { overlap: 1h }",
      "overlap is shorter than what was signed just before a rotation may live: at least 4260s",
    ],
    ["keys: { jwks_max_age: 1d }", "keys.jwks_max_age is out of bounds"],
    ["keys: { algorithms: [HS256] }", "is none of ES256, ES384, RS256, PS256, EdDSA"],
    ["keys: { algorithms: [none] }", "is none of ES256, "],
    ["keys: { algorithms: [] }", "keys.algorithms is empty"],
    ["keys: { algorithms: [ES256, ES256] }", "keys.algorithms names one twice"],
    ["keys: { kek: { literal: AAAA } }", "keys.kek is none of { file: PATH }"],
    ["keys: { kek: { file: /k, env: K } }", "keys.kek is none of { file: PATH }"],
    [
      "keys: { kek: { kms: { url: 'http://kms.acme.example', key: k, token: { env: T } } } }",
      "keys.kek.kms.url is not a URL",
    ],
    [
      "keys: { signer: { url: 'http://10.0.0.7', token: { env: T } } }",
      "keys.signer.url is not a URL to send secrets to",
    ],
    ["keys: { signer: { url: 'https://user@v.example', token: { env: T } } }", "keys.signer.url is not a URL"],
    ["keys: { signer: { url: 'https://v.example', token: secret } }", "keys.signer.token is no secret"],
    ["keys: { kek: { env: K } }\nkey_file: /k", "keys.kek says already where the key-encryption key is"],
  ])("does not take %s", (text, message) => {
    const result = parseConfig({ config: "c.yaml" }, {}, file(text));
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result).replaceAll("\\", "")).toContain(message);
  });

  it.each([
    ["a flag", { store: DATABASE }, {}, ""],
    ["a variable", {}, { CREDENCE_STORE: DATABASE }, ""],
    ["a file", { config: "c.yaml" }, {}, `store: "${DATABASE}"\n`],
  ])("takes a database from %s in place of the data directory's own", (_, flags, env, text) => {
    expect(config(parseConfig(flags, env, file(text))).store).toBe(DATABASE);
  });

  it.each(["postgres//u:hunter2@h/d", "mysql://u:hunter2@h/d", "postgresql://u:hunter2@h", "hunter2"])(
    "repeats nothing of a store that is none: %s",
    (store) => {
      const result = parseConfig({ store }, {});
      expect(result).toMatchObject({ ok: false, problems: [{ at: "--store" }] });
      expect(JSON.stringify(result)).not.toContain("hunter2");
    },
  );

  it("takes JSON, too", () => {
    expect(config(parseConfig({ config: "c.json" }, {}, file('{ "port": 9000 }')))).toMatchObject({ port: 9000 });
  });

  it("keeps the key beside the data directory, or where it is told", () => {
    expect(config(parseConfig({ data: "/srv/credence/" }, {}))).toMatchObject({ keyFile: "/srv/credence.key" });
    expect(config(parseConfig({ data: "/srv/c", keyFile: "/srv/c-keys/k" }, {}))).toMatchObject({
      keyFile: "/srv/c-keys/k",
    });
  });

  it("takes the proxies in front as a list, or as one text", () => {
    const networks = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"];
    const text = JSON.stringify({ trusted_proxies: networks });
    expect(config(parseConfig({ config: "c.json" }, {}, file(text))).trustedProxies).toEqual(networks);
    const env = { CREDENCE_TRUSTED_PROXIES: networks.join(", ") };
    expect(config(parseConfig({}, env)).trustedProxies).toEqual(networks);
  });

  it("ends TLS where it has a certificate: the issuer is https then", () => {
    const env = { CREDENCE_TLS_CERTIFICATE: "/c.pem", CREDENCE_TLS_KEY: "/k.pem", CREDENCE_TLS_CLIENT_CA: "/ca.pem" };
    expect(config(parseConfig({}, env))).toMatchObject({
      issuer: "https://127.0.0.1:8787",
      tls: { certificate: "/c.pem", key: "/k.pem", clientCa: "/ca.pem" },
    });
  });

  it("warns of listening beyond this machine for an issuer on it", () => {
    const warnings = (flags: Flags) => {
      const result = parseConfig(flags, {});
      return result.ok ? result.warnings.map(({ at }) => at) : result.problems;
    };
    expect(warnings({ host: "0.0.0.0" })).toEqual(["--host"]);
    expect(warnings({ host: "0.0.0.0", issuer: "https://idp.acme.example" })).toEqual([]);
    expect(warnings({ host: "127.0.0.1" })).toEqual([]);
  });

  it("takes an empty variable for none", () => {
    expect(config(parseConfig({}, { CREDENCE_PORT: "" }))).toMatchObject({ port: 8787 });
  });
});

type Case = readonly [why: string, flags: Flags, env: Record<string, string>, text: string, at: string, says: RegExp];

const cases: readonly Case[] = [
  ["a proxy by name", {}, { CREDENCE_TRUSTED_PROXIES: "proxy" }, "", "CREDENCE_TRUSTED_PROXIES", /10\.0\.0\.0\/8/],
  ["a network too narrow", {}, { CREDENCE_TRUSTED_PROXIES: "10.0.0.0/33" }, "", "CREDENCE_TRUSTED_PROXIES", /no list/],
  ["a port that is none", { port: "http" }, {}, "", "--port", /0 to 65535/],
  ["a port out of range", { port: "65536" }, {}, "", "--port", /0 to 65535/],
  ["an empty port", { port: "" }, {}, "", "--port", /0 to 65535/],
  ["an issuer in the open", {}, { CREDENCE_ISSUER: "http://idp.example" }, "", "CREDENCE_ISSUER", /https/],
  ["an issuer with a query", { issuer: "https://idp.example?x" }, {}, "", "--issuer", /no query/],
  ["an issuer that ends in a slash", { issuer: "https://idp.example/" }, {}, "", "--issuer", /slash/],
  ["a free port without an issuer", { port: "0" }, {}, "", "--port", /--issuer URL/],
  ["the key in the data directory", { data: "/d", keyFile: "/d/key" }, {}, "", "--key-file", /Keep them apart/],
  ["the key in place of the data directory", { data: "/d", keyFile: "/d" }, {}, "", "--key-file", /apart/],
  ["a lifetime without a unit", {}, { CREDENCE_ID_JAG_LIFETIME: "300" }, "", "CREDENCE_ID_JAG_LIFETIME", /duration/],
  ["an ID-JAG that lives for days", {}, { CREDENCE_ID_JAG_LIFETIME: "2d" }, "", "CREDENCE_ID_JAG_LIFETIME", /bounds/],
  ["a certificate without its key", {}, { CREDENCE_TLS_CERTIFICATE: "/c" }, "", "CREDENCE_TLS_CERTIFICATE", /tls_key/],
  ["a key without its certificate", {}, { CREDENCE_TLS_KEY: "/k" }, "", "CREDENCE_TLS_KEY", /tls_certificate/],
  [
    "a CA for clients where TLS ends elsewhere",
    {},
    { CREDENCE_TLS_CLIENT_CA: "/ca" },
    "",
    "CREDENCE_TLS_CLIENT_CA",
    /client_cert_header/,
  ],
  [
    "a plain issuer beside a certificate",
    { config: "c" },
    {},
    "tls_certificate: /c\ntls_key: /k\nissuer: http://127.0.0.1:8787\n",
    "c:3:1",
    /HTTPS/,
  ],
  ["a log level that is none", { logLevel: "loud" }, {}, "", "--log-level", /debug, info/],
  [
    "a setting nearly right",
    { config: "c" },
    {},
    "port: 1\nisuer: https://x.example\n",
    "c:2:1",
    /Did you mean "issuer"/,
  ],
  ["a setting of another kind", { config: "c" }, {}, "data: [a]\n", "c:1:1", /is not text/],
  ["YAML that can not be read", { config: "c" }, {}, "port: [1", "c:1:9", /YAML/],
  ["a file without settings", { config: "c" }, {}, "- 1\n", "c", /holds no settings/],
];

describe("a deployment is refused", () => {
  it.each(cases)("%s", (_, flags, env, text, at, says) => {
    expect(parseConfig(flags, env, file(text))).toEqual({
      ok: false,
      problems: [{ at, message: expect.stringMatching(says) }],
    });
  });

  it("for a file that can not be read", () => {
    expect(parseConfig({ config: "/nonexistent/c.yaml" }, {})).toMatchObject({
      ok: false,
      problems: [{ at: "/nonexistent/c.yaml", message: expect.stringMatching(/can not be read/) }],
    });
  });

  it("with every problem at once", () => {
    expect(parseConfig({ port: "x", issuer: "y" }, {})).toMatchObject({ ok: false, problems: [{}, {}] });
  });
});

describe("a variable that is nearly a setting", () => {
  it("is warned of; the secret of an agent is not", () => {
    const result = parseConfig({}, { CREDENCE_PROT: "1", CREDENCE_ASSISTANT_SECRET: "s" });
    expect(result).toMatchObject({
      ok: true,
      warnings: [{ at: "CREDENCE_PROT", message: expect.stringMatching(/"PORT"/) }],
    });
  });
});
