import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isoCBOR } from "@simplewebauthn/server/helpers";

/** How an authenticator may misbehave, or simply be. */
export interface Behaviour {
  readonly origin?: string;
  readonly rpId?: string;
  readonly challenge?: string;
  readonly counter?: number;
  /** Whether it may be backed up; true by default. */
  readonly backupEligible?: boolean;
  readonly userVerified?: boolean;
  readonly userHandle?: string | undefined;
  readonly type?: string;
  readonly crossOrigin?: boolean;
  /** Signs something else. */
  readonly forged?: boolean;
}

/** What a page asks for, as far as an authenticator looks. */
export interface AskedOptions {
  readonly challenge: string;
  readonly rpId?: string;
  readonly rp?: { readonly id: string };
  readonly user?: { readonly id: string };
}

/** An authenticator in software: it makes one passkey, and signs with it. @see WebAuthn L3 §6 */
export interface SoftAuthenticator {
  readonly id: string;
  /** What `navigator.credentials.create` gives, as JSON. */
  create(options: AskedOptions, behaviour?: Behaviour): string;
  /** What `navigator.credentials.get` gives, as JSON. */
  get(options: AskedOptions, behaviour?: Behaviour): string;
}

/** Makes an authenticator at a browser that is at this origin. */
export function softAuthenticator(origin: string): SoftAuthenticator {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rawId = randomBytes(16);
  const id = rawId.toString("base64url");
  let handle: string | undefined;
  const clientData = (type: string, options: AskedOptions, { challenge, ...behaviour }: Behaviour) =>
    Buffer.from(
      JSON.stringify({
        type: behaviour.type ?? type,
        challenge: challenge ?? options.challenge,
        origin: behaviour.origin ?? origin,
        crossOrigin: behaviour.crossOrigin ?? false,
      }),
    );
  return {
    id,
    create(options, behaviour = {}) {
      handle = options.user?.id;
      const credential = Buffer.concat([Buffer.alloc(16), uint16(rawId.length), rawId, coseKey(publicKey)]);
      const authData = Buffer.concat([authenticatorData(options.rp?.id ?? "", behaviour, true), credential]);
      const attestation = new Map<string, unknown>([
        ["fmt", "none"],
        ["attStmt", new Map()],
        ["authData", new Uint8Array(authData)],
      ]);
      return JSON.stringify({
        id,
        rawId: id,
        type: "public-key",
        clientExtensionResults: {},
        response: {
          // The library's own type names fewer shapes than CBOR has.
          attestationObject: Buffer.from(isoCBOR.encode(attestation as never)).toString("base64url"),
          clientDataJSON: clientData("webauthn.create", options, behaviour).toString("base64url"),
          transports: ["internal"],
        },
      });
    },
    get(options, behaviour = {}) {
      const data = clientData("webauthn.get", options, behaviour);
      const authData = authenticatorData(options.rpId ?? "", behaviour, false);
      const hash = createHash("sha256").update(data).digest();
      const signed = behaviour.forged ? Buffer.from("something else") : Buffer.concat([authData, hash]);
      const userHandle = "userHandle" in behaviour ? behaviour.userHandle : handle;
      return JSON.stringify({
        id,
        rawId: id,
        type: "public-key",
        clientExtensionResults: {},
        response: {
          authenticatorData: authData.toString("base64url"),
          clientDataJSON: data.toString("base64url"),
          signature: sign("sha256", signed, privateKey).toString("base64url"),
          ...(userHandle === undefined ? {} : { userHandle }),
        },
      });
    },
  };
}

function authenticatorData(rpId: string, behaviour: Behaviour, attested: boolean): Buffer {
  const { backupEligible = true, userVerified = true, counter = 0 } = behaviour;
  const flags = 0x01 | (userVerified ? 0x04 : 0) | (backupEligible ? 0x18 : 0) | (attested ? 0x40 : 0);
  const hash = createHash("sha256")
    .update(behaviour.rpId ?? rpId)
    .digest();
  const count = Buffer.alloc(4);
  count.writeUInt32BE(counter);
  return Buffer.concat([hash, Buffer.of(flags), count]);
}

/** @see RFC 9053 §7.1.1 */
function coseKey(publicKey: KeyObject): Buffer {
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const key = new Map<number, unknown>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, new Uint8Array(Buffer.from(x, "base64url"))],
    [-3, new Uint8Array(Buffer.from(y, "base64url"))],
  ]);
  return Buffer.from(isoCBOR.encode(key as never));
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
