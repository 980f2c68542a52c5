/** (b) What many would take instead: oidc-provider with a grant of one's own, which does a bare exchange. */
import { generateSigningKey } from "@credence/protocol/jws";
import { es256Key, signJwt } from "./es256.ts";
import { startServerProcess } from "./harness/child.ts";
import type { Subject } from "./harness/subject.ts";
import { exchangeForm, idTokenClaims } from "./requests.ts";

export async function startProvider(folder: string): Promise<Subject> {
  const { privateJwk: jwk } = await generateSigningKey("ES256");
  const key = es256Key(jwk);
  const server = await startServerProcess<{ url: string }>("provider.server.ts", { jwk }, folder);
  return {
    name: "oidc-provider",
    pid: server.pid,
    url: `${server.ready.url}/token`,
    stop: server.stop,
    async posts(count) {
      return Array.from({ length: count }, () => exchangeForm(signJwt("JWT", idTokenClaims(server.ready.url), key)));
    },
  };
}
