import { readFileSync, statSync } from "node:fs";
import { CredenceError } from "@credence/protocol";
import type { TlsOptions } from "./listener.ts";

/** Anybody on the machine, whatever their group. */
const ANYBODY = 0o007;

/**
 * Reads certificate, key and the CA for clients.
 *
 * @param paths - Where they are.
 * @throws CredenceError `configuration`, naming the file and never what it holds: it can not be read, or anybody on the
 * machine may open the key.
 */
export function readTlsFiles(paths: { certificate: string; key: string; clientCa?: string }): TlsOptions {
  const { certificate, key, clientCa } = paths;
  if ((reading(key, () => statSync(key).mode) & ANYBODY) !== 0) {
    throw problem(`Anybody on this machine may open the TLS key ${key}. Mend it: chmod o= ${key}`, "tls-key-open");
  }
  return {
    certificate: text(certificate),
    key: text(key),
    ...(clientCa === undefined ? {} : { clientCa: text(clientCa) }),
  };
}

function text(path: string): string {
  return reading(path, () => readFileSync(path, "utf8"));
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw problem(
      `The file ${path} can not be read. Check that it exists and that the server's user may read it.`,
      "tls-unreadable",
      cause,
    );
  }
}

function problem(message: string, reason: string, cause?: unknown): CredenceError {
  return new CredenceError(message, { code: "configuration", reason, cause });
}
