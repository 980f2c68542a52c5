import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CredenceError } from "@credence/protocol";

const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;
const OTHERS = 0o077;

/** Where the store of a data directory is. */
export function storePath(dataDir: string): string {
  return join(dataDir, "credence.sqlite");
}

/**
 * Makes a data directory that only its owner may enter: creates it, or narrows one that is empty or already ours.
 * @throws CredenceError `configuration` for a directory that others may enter and that holds something else: narrowing it could
 *   lock others out of their files.
 */
export function prepareDataDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
    if ((statSync(dataDir).mode & OTHERS) === 0) return;
    if (readdirSync(dataDir).length === 0 || existsSync(storePath(dataDir))) {
      chmodSync(dataDir, OWNER_ONLY_DIRECTORY);
      return;
    }
  } catch (cause) {
    throw new CredenceError(`The data directory ${dataDir} can not be used.`, { code: "configuration", cause });
  }
  throw new CredenceError(
    `Others may enter the data directory ${dataDir}, and it holds other files. Use a directory of its own, or: chmod 700 ${dataDir}`,
    { code: "configuration" },
  );
}

/**
 * Sees to it that a file exists and that only its owner may read it. SQLite gives its side files the same mode.
 *
 * An existing file is never opened here: to close any descriptor of a file drops this process' POSIX locks on it, and
 * with them SQLite's.
 */
export function ensurePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: OWNER_ONLY_DIRECTORY });
  try {
    closeSync(openSync(path, "wx", OWNER_ONLY_FILE));
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    if ((statSync(path).mode & OTHERS) !== 0) chmodSync(path, OWNER_ONLY_FILE);
  }
}

/** @throws CredenceError `configuration` when there is no such file. */
export function requireFile(path: string): void {
  if (existsSync(path)) return;
  throw new CredenceError(`There is no Credence store in ${dirname(path)} (no file ${basename(path)}).`, {
    code: "configuration",
  });
}

/** Whether an error is the operating system's, with this code. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
