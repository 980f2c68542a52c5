/** (a) The ceiling of every ratio: bare node:http doing one ES256 verification and one signature per form. */
import { generateSigningKey } from "@credence/protocol/jws";
import { es256Key, signJwt } from "./es256.ts";
import { startServerProcess } from "./harness/child.ts";
import type { Subject } from "./harness/subject.ts";
import { exchangeForm, idTokenClaims } from "./requests.ts";

export async function startCeiling(folder: string): Promise<Subject> {
  const { privateJwk: jwk } = await generateSigningKey("ES256");
  const key = es256Key(jwk);
  const server = await startServerProcess<{ url: string }>("ceiling.server.ts", { jwk }, folder);
  return {
    name: "ceiling",
    pid: server.pid,
    url: `${server.ready.url}/token`,
    stop: server.stop,
    async posts(count) {
      return Array.from({ length: count }, () => exchangeForm(signJwt("JWT", idTokenClaims(), key)));
    },
  };
}
