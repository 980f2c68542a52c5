/** For Node: middleware for `node:http`, and a fetch that checks addresses at connect time, for `createResourceServer`. */
export { nodeFetch } from "@credence/protocol/node";
export type { CertificateOptions } from "./certificate.ts";
export { accessOf } from "./node/access.ts";
export { socketCertificate } from "./node/certificate.ts";
export { nodeCrypto } from "./node/crypto.ts";
export { authorizationServer, type Next, protect } from "./node/middleware.ts";
export type { NodeIncoming, NodeOutgoing } from "./node/request.ts";
