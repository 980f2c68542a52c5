/** Certificates for tests, made as they are needed: so that none is kept in the repository and expires there. */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A certificate with its key. */
export interface TestCertificate {
  /** PEM, for TLS. */
  readonly cert: string;
  readonly key: string;
  /** The certificate in DER. */
  readonly der: Buffer;
}

const ECDSA_SHA256 = der(0x30, der(0x06, Buffer.from("2a8648ce3d040302", "hex")));
const VERSION_3 = der(0xa0, der(0x02, Buffer.from([2])));
/** subjectAltName: 127.0.0.1. */
const LOOPBACK = der(
  0xa3,
  der(
    0x30,
    der(0x30, der(0x06, Buffer.from("551d11", "hex")), der(0x04, der(0x30, der(0x87, Buffer.from([127, 0, 0, 1]))))),
  ),
);

/** Makes a certificate for 127.0.0.1 that vouches for itself, good for a day. @see RFC 5280 §4.1 */
export function newCertificate(commonName: string): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const day = 86_400_000;
  const name = der(
    0x30,
    der(0x31, der(0x30, der(0x06, Buffer.from("550403", "hex")), der(0x0c, Buffer.from(commonName)))),
  );
  const tbs = der(
    0x30,
    VERSION_3,
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_SHA256,
    name,
    der(0x30, utcTime(Date.now() - day), utcTime(Date.now() + day)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    LOOPBACK,
  );
  const signature = Buffer.concat([Buffer.from([0]), sign("sha256", tbs, privateKey)]);
  const certificate = der(0x30, tbs, ECDSA_SHA256, der(0x03, signature));
  const lines = certificate
    .toString("base64")
    .match(/.{1,64}/g)
    ?.join("\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    der: certificate,
  };
}

/** One element: tag, length, content. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), body]);
}

function utcTime(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replaceAll(/\D/g, "");
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}
