/** (b) What many would take instead: oidc-provider with a grant of one's own, which does a bare exchange. */
import { generateSigningKey } from "@credence/protocol/jws";
import { es256Key, signJwt } from "./es256.ts";
import { startServerProcess } from "./harness/child.ts";
import type { Subject } from "./harness/subject.ts";
import { exchangeForm, idTokenClaims } from "./requests.ts";

/** @param crypto - What the grant signs and verifies with. */
export async function startProvider(folder: string, crypto: "jose" | "node" = "jose"): Promise<Subject> {
  const { privateJwk: jwk } = await generateSigningKey("ES256");
  const key = es256Key(jwk);
  const server = await startServerProcess<{ url: string }>("provider.server.ts", { jwk, crypto }, folder);
  return {
    name: crypto === "jose" ? "oidc-provider" : "oidc-provider, node:crypto",
    pid: server.pid,
    url: `${server.ready.url}/token`,
    stop: server.stop,
    async posts(count) {
      return Array.from({ length: count }, () => exchangeForm(signJwt("JWT", idTokenClaims(server.ready.url), key)));
    },
  };
}
