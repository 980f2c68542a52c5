import crypto from "node:crypto";
import { nodeKeys, nodeSigner } from "@credence/protocol/node";
import type { ResourceCrypto } from "../crypto.ts";

/**
 * For the option `crypto` of `createResourceServer`: node:crypto, on the calling thread. It does the same as WebCrypto, whose every
 * call goes to another thread and back, and costs several times as much.
 */
export const nodeCrypto: ResourceCrypto = {
  keysOf: nodeKeys,
  signerOf: nodeSigner,
  sha256: sha256(),
};

/** Node 20.12 and later hash in one call. */
function sha256(): (text: string) => string {
  if (typeof crypto.hash === "function") return (text) => crypto.hash("sha256", text, "base64url");
  return (text) => crypto.createHash("sha256").update(text).digest("base64url");
}
