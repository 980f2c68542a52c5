/** For Express 4 and 5. What Express hands to middleware is Node's, so this is the middleware of `./node`. */
export type { CertificateOptions } from "./certificate.ts";
export { accessOf } from "./node/access.ts";
export { authorizationServer, type Next, protect } from "./node/middleware.ts";
export type { NodeIncoming, NodeOutgoing } from "./node/request.ts";
