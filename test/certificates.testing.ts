/** A CA of the test's own, and certificates for servers and clients, by the `openssl` command. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate with its key, in PEM, and where they are. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly files: { readonly certificate: string; readonly key: string };
}

/** A certification authority. */
export interface TestCa extends TestCertificate, Disposable {
  /** Issues a certificate for this machine as a server, or for a client. */
  issue(name: string, use?: "server" | "client", days?: number): TestCertificate;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const USES = {
  server: "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
  client: "extendedKeyUsage=clientAuth\n",
} as const;

/** Makes a CA in a directory of its own, which goes with it. */
export function testCa(name: string): TestCa {
  const folder = mkdtempSync(join(tmpdir(), "credence-ca-"));
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const read = (id: string): TestCertificate => {
    const files = { certificate: join(folder, `${id}.pem`), key: join(folder, `${id}.key`) };
    return { certificate: readFileSync(files.certificate, "utf8"), key: readFileSync(files.key, "utf8"), files };
  };
  const subject = (of: string) => ["-subj", `/CN=${of}`];
  openssl("req", "-x509", ...NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", ...subject(name));
  let issued = 0;
  return {
    ...read("ca"),
    issue(of, use = "client", days = 2) {
      issued += 1;
      const id = `c${issued}`;
      writeFileSync(join(folder, `${id}.ext`), USES[use]);
      openssl("req", "-new", ...NEW_KEY, "-keyout", `${id}.key`, "-out", `${id}.csr`, ...subject(of));
      const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", `${id}.ext`];
      openssl("x509", "-req", "-in", `${id}.csr`, ...signed, "-days", String(days), "-out", `${id}.pem`);
      return read(id);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * A fetch that trusts one CA, and shows a client certificate: each request on a connection of its own.
 *
 * @param shown - None where it is left out.
 * @param agent - Keeps TLS sessions, so that a later handshake resumes an earlier one; by default each is whole.
 */
export function tlsFetch(ca: TestCertificate, shown?: TestCertificate, agent: Agent | false = false): typeof fetch {
  return async (input, init) => {
    const asked = new Request(input, init);
    const body = Buffer.from(await asked.arrayBuffer());
    return new Promise<Response>((resolve, reject) => {
      const sent = request(asked.url, {
        method: asked.method,
        headers: { ...Object.fromEntries(asked.headers), "content-length": body.length },
        ca: ca.certificate,
        agent,
        ...(shown === undefined ? {} : { cert: shown.certificate, key: shown.key }),
      });
      sent.on("error", reject);
      sent.on("response", async (answer) => {
        const headers = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
          values.map((value): [string, string] => [name, value]),
        );
        resolve(new Response(Buffer.concat(await answer.toArray()), { status: answer.statusCode ?? 502, headers }));
      });
      sent.end(body);
    });
  };
}
