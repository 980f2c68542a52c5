/**
 * Certificates for tests, made as they are needed by the `openssl` command, so that none is kept in the repository and expires
 * there: of a CA of the test's own, or such as vouch for themselves.
 */
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate with its key. */
export interface TestCertificate {
  /** PEM, by the names of `node:tls`. */
  readonly cert: string;
  readonly key: string;
  /** The certificate in DER. */
  readonly der: Buffer;
}

/** A certificate that is also in files. */
export interface IssuedCertificate extends TestCertificate {
  readonly files: { readonly certificate: string; readonly key: string };
}

/** A certification authority. */
export interface TestCa extends IssuedCertificate, Disposable {
  /** Issues a certificate for this machine as a server, or for a client. */
  issue(name: string, use?: "server" | "client", days?: number): IssuedCertificate;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const USES = {
  server: "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
  client: "extendedKeyUsage=clientAuth\n",
} as const;

const subject = (of: string) => ["-subj", `/CN=${of}`];
const withDer = (cert: string, key: string) => ({ cert, key, der: new X509Certificate(cert).raw });

/** Makes a certificate for 127.0.0.1 that vouches for itself. */
export function newCertificate(name: string): TestCertificate {
  const loopback = ["-addext", "subjectAltName=IP:127.0.0.1"];
  const asked = ["req", "-x509", ...NEW_KEY, "-keyout", "-", "-days", "2", ...subject(name), ...loopback];
  const made = execFileSync("openssl", asked, { encoding: "utf8", stdio: "pipe" });
  // Which of both comes first is the version's choice.
  const [key = "", cert = ""] = [/-+BEGIN PRIVATE.+KEY-+\n/s, /-+BEGIN CERT.+CERTIFICATE-+\n/s].map(
    (one) => one.exec(made)?.[0],
  );
  return withDer(cert, key);
}

/** Makes a CA in a directory of its own, which goes with it. */
export function testCa(name: string): TestCa {
  const folder = mkdtempSync(join(tmpdir(), "credence-ca-"));
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const read = (id: string): IssuedCertificate => {
    const files = { certificate: join(folder, `${id}.pem`), key: join(folder, `${id}.key`) };
    return { ...withDer(readFileSync(files.certificate, "utf8"), readFileSync(files.key, "utf8")), files };
  };
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
        ca: ca.cert,
        agent,
        ...(shown === undefined ? {} : { cert: shown.cert, key: shown.key }),
      });
      sent.on("error", reject);
      sent.on("response", async (answer) => {
        const headers = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
          values.map((value): [string, string] => [name, value]),
        );
        const status = answer.statusCode ?? 502;
        const content = Buffer.concat(await answer.toArray());
        resolve(new Response(status === 204 ? null : content, { status, headers }));
      });
      sent.end(body);
    });
  };
}
