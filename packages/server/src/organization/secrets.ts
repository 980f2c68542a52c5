import { readFileSync, statSync } from "node:fs";
import { CredenceError } from "@credence/protocol";
import type { SecretRef } from "../directory/types.ts";

/** Where secrets are read from. */
export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file and its mode; throws when it can not be read. */
  readonly readFile: (path: string) => { readonly text: string; readonly mode: number };
}

/** This process' environment and files. */
export const processSecrets: SecretSources = {
  env: process.env,
  readFile: (path) => ({ mode: statSync(path).mode, text: readFileSync(path, "utf8") }),
};

const OTHERS = 0o077;

/**
 * The secret that a reference means. A file's trailing line break is not part of it.
 *
 * @throws CredenceError `configuration`, naming the variable or file and never what it holds.
 */
export function resolveSecret(ref: SecretRef, { env, readFile }: SecretSources = processSecrets): string {
  if ("literal" in ref) return ref.literal;
  if ("env" in ref) return fromEnvironment(ref.env, env);
  return fromFile(ref.file, readFile);
}

/** Seconds for which a variable or file is not read again. */
const AGE = 1;

/**
 * Resolves secrets for a server, which asks for one with each request of a client: a variable or file is read once a second at the most,
 * so that what is written into it counts as soon. One that can not be read is asked for each time.
 *
 * @param now - Seconds of a clock that never goes back.
 */
export function secretResolver(
  sources: SecretSources = processSecrets,
  now: () => number = () => performance.now() / 1_000,
): (ref: SecretRef) => string {
  const read = new Map<string, { readonly secret: string; readonly at: number }>();
  return (ref) => {
    if ("literal" in ref) return ref.literal;
    const place = "env" in ref ? `env ${ref.env}` : `file ${ref.file}`;
    const known = read.get(place);
    if (known !== undefined && now() - known.at < AGE) return known.secret;
    read.delete(place);
    const secret = resolveSecret(ref, sources);
    read.set(place, { secret, at: now() });
    return secret;
  };
}

function fromEnvironment(name: string, env: SecretSources["env"]): string {
  const secret = Object.hasOwn(env, name) ? env[name] : undefined;
  if (secret) return secret;
  throw problem(
    `The environment variable ${name} is not set, or empty. Set it before the server starts.`,
    "secret-missing",
  );
}

function fromFile(path: string, readFile: SecretSources["readFile"]): string {
  const { text, mode } = reading(path, readFile);
  if ((mode & OTHERS) !== 0) {
    throw problem(
      `Others than its owner may open the secret file ${path}. Mend it: chmod 600 ${path}`,
      "secret-file-open",
    );
  }
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") throw problem(`The secret file ${path} is empty.`, "secret-missing");
  return secret;
}

function reading(path: string, readFile: SecretSources["readFile"]): { text: string; mode: number } {
  try {
    return readFile(path);
  } catch (cause) {
    throw problem(
      `The secret file ${path} can not be read. Check that it exists and that the server's user may read it.`,
      "secret-missing",
      cause,
    );
  }
}

function problem(message: string, reason: string, cause?: unknown): CredenceError {
  return new CredenceError(message, { code: "configuration", reason, cause });
}
