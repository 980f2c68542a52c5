/** A transit engine on loopback, as Vault and OpenBao have one: it holds the keys, and really encrypts and signs. */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How it may go wrong. */
export type TransitFault =
  | "down"
  | "silent"
  | "500"
  | "403"
  | "no JSON"
  | "no data"
  | "huge"
  | "redirect"
  | "wrong signature";

/** The engine at work. */
export interface TransitEngine {
  readonly url: string;
  readonly token: string;
  /** What goes wrong from now on. */
  fault: TransitFault | undefined;
  /** Names of the signing keys that it has. */
  readonly keys: ReadonlyMap<string, unknown>;
  /** How often each operation was asked for: `sign`, `encrypt`, … */
  readonly asked: Map<string, number>;
  close(): Promise<void>;
}

const TYPES = {
  "ecdsa-p256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "ecdsa-p384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "rsa-2048": () => generateKeyPairSync("rsa", { modulusLength: 2_048 }),
  ed25519: () => generateKeyPairSync("ed25519"),
} as const;

interface SigningPair {
  readonly type: keyof typeof TYPES;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export async function startTransit(): Promise<TransitEngine> {
  const token = "a token of this test";
  const kek = randomBytes(32);
  const pairs = new Map<string, SigningPair>();
  const asked = new Map<string, number>();
  const server = createServer((req, res) => void answer(req, res).catch(() => res.destroy()));
  const engine = { fault: undefined as TransitFault | undefined };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const [operation = "", name = "", ...rest] = (req.url ?? "").replace("/v1/transit/", "").split("/");
    asked.set(operation, (asked.get(operation) ?? 0) + 1);
    const { fault } = engine;
    const send = (status: number, body: string) =>
      res.writeHead(status, { "content-type": "application/json" }).end(body);
    if (fault === "silent") return;
    if (fault === "down") return void req.socket.destroy();
    if (fault === "500" || fault === "403") return void send(Number(fault), '{"errors":["no"]}');
    if (fault === "no JSON") return void send(200, "<html>");
    if (fault === "no data") return void send(200, '{"data":{}}');
    if (fault === "huge") return void send(200, JSON.stringify({ data: { plaintext: "A".repeat(100_000) } }));
    if (fault === "redirect")
      return void res.writeHead(307, { location: `http://127.0.0.1:${port()}/elsewhere` }).end();
    if (req.headers["x-vault-token"] !== token) return void send(403, '{"errors":["permission denied"]}');
    const data = perform(operation, name, rest, text === "" ? {} : JSON.parse(text), req.method);
    if (data === undefined) return void send(404, '{"errors":[]}');
    send(200, JSON.stringify({ data }));
  }

  function perform(operation: string, name: string, rest: string[], body: Record<string, string>, method?: string) {
    if (operation === "encrypt") return { ciphertext: encrypt(kek, name, body) };
    if (operation === "decrypt") return { plaintext: decrypt(kek, name, body) };
    if (operation === "keys" && method === "DELETE") return { deleted: pairs.delete(name) };
    if (operation === "keys" && method === "POST" && rest[0] === "config") return {};
    if (operation === "keys" && method === "POST") {
      const type = body.type as keyof typeof TYPES;
      pairs.set(name, { type, ...TYPES[type]() });
      return {};
    }
    const pair = pairs.get(name);
    if (pair === undefined) return undefined;
    if (operation === "keys") return { latest_version: 1, keys: { "1": { public_key: published(pair) } } };
    const other = engine.fault === "wrong signature" ? TYPES[pair.type]() : pair;
    const signature = signWith(pair.type, other.privateKey, Buffer.from(body.input ?? "", "base64"), body);
    return {
      signature: `vault:v1:${signature.toString(body.marshaling_algorithm === "jws" ? "base64url" : "base64")}`,
    };
  }

  const port = () => (server.address() as AddressInfo).port;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(engine, {
    url: `http://127.0.0.1:${port()}/v1/transit`,
    token,
    keys: pairs,
    asked,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function published({ type, publicKey }: SigningPair): string {
  if (type !== "ed25519") return publicKey.export({ format: "pem", type: "spki" }).toString();
  return Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
}

function signWith(type: string, key: KeyObject, data: Buffer, { signature_algorithm }: Record<string, string>): Buffer {
  if (type === "ed25519") return sign(null, data, key);
  if (type === "ecdsa-p256") return sign("sha256", data, { key, dsaEncoding: "ieee-p1363" });
  if (type === "ecdsa-p384") return sign("sha384", data, { key, dsaEncoding: "ieee-p1363" });
  if (signature_algorithm !== "pss") return sign("sha256", data, key);
  return sign("sha256", data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
}

function encrypt(kek: Buffer, name: string, { plaintext = "", associated_data = "" }: Record<string, string>): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", kek, nonce).setAAD(Buffer.from(name + associated_data));
  const ciphertext = Buffer.concat([cipher.update(Buffer.from(plaintext, "base64")), cipher.final()]);
  return `vault:v1:${Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString("base64")}`;
}

function decrypt(kek: Buffer, name: string, { ciphertext = "", associated_data = "" }: Record<string, string>): string {
  const bytes = Buffer.from(ciphertext.split(":")[2] ?? "", "base64");
  const decipher = createDecipheriv("aes-256-gcm", kek, bytes.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(name + associated_data)).setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("base64");
}
