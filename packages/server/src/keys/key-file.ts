import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, resolve, sep } from "node:path";
import { CredenceError } from "@credence/protocol";
import { isErrno } from "../store/files.ts";
import { KEY_BYTES } from "./seal.ts";

const ENCODED_KEY = /^[A-Za-z0-9_-]{43}$/;
const LARGEST_FILE = 1_024;
// Nobody else may read or write it. A group may read: that is how container platforms hand a secret to a process.
const TOO_OPEN = 0o027;

/** The default place of the key-encryption key: beside the data directory, so that a copy of the one lacks the other. */
export function defaultKeyFile(dataDir: string): string {
  return `${resolve(dataDir)}.key`;
}

/**
 * Refuses a key file inside the data directory, however the paths are written: a backup of the directory would hold the
 * key to its own secrets.
 * @throws CredenceError `configuration`
 */
export function requireKeyFileOutside(dataDir: string, keyFile: string): void {
  const directory = realPath(dataDir);
  if (!`${realPath(keyFile)}${sep}`.startsWith(directory.endsWith(sep) ? directory : `${directory}${sep}`)) return;
  throw new CredenceError(
    `The key file ${keyFile} is inside the data directory, where a backup would copy it with what it protects. Put it elsewhere (--key-file).`,
    { code: "configuration", reason: "key-file-inside-data" },
  );
}

/**
 * Reads the key-encryption key: 32 bytes as base64url.
 * @param mayCreate - Only while nothing is sealed yet; a missing file then is made, with mode 0600.
 * @throws CredenceError `configuration` when the file is missing, too open, or holds no key.
 */
export function readKeyFile(keyFile: string, mayCreate: boolean): Buffer {
  try {
    if (!existsSync(keyFile) && mayCreate) createKeyFile(keyFile);
    return parseKeyFile(keyFile);
  } catch (cause) {
    if (cause instanceof CredenceError) throw cause;
    throw new CredenceError(
      `The key file ${keyFile} can not be ${existsSync(keyFile) ? "read" : "found"}. It holds the key to the store's secrets: restore it from where you keep it, or name its path (--key-file).`,
      { code: "configuration", reason: "key-file-unreadable", cause },
    );
  }
}

function parseKeyFile(keyFile: string): Buffer {
  const { mode, size } = statSync(keyFile);
  if (process.platform !== "win32" && (mode & TOO_OPEN) !== 0) {
    throw new CredenceError(`Others may read or change the key file ${keyFile}. Narrow it: chmod 600 ${keyFile}`, {
      code: "configuration",
      reason: "key-file-too-open",
    });
  }
  const text = size <= LARGEST_FILE ? readFileSync(keyFile, "utf8").trim() : "";
  const key = ENCODED_KEY.test(text) ? Buffer.from(text, "base64url") : Buffer.alloc(0);
  if (key.length === KEY_BYTES) return key;
  throw new CredenceError(`The key file ${keyFile} does not hold a key: 32 bytes as base64url are expected.`, {
    code: "configuration",
    reason: "key-file-malformed",
  });
}

/**
 * On disk before anything is sealed with it: a key lost in a power cut would take all that it sealed with it. It appears whole, and
 * of several processes that make it at once, the first one's stays.
 */
function createKeyFile(keyFile: string): void {
  const temporary = `${keyFile}.${randomBytes(6).toString("hex")}`;
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeSync(file, `${randomBytes(KEY_BYTES).toString("base64url")}\n`);
    fsyncSync(file);
    linkSync(temporary, keyFile);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  } finally {
    closeSync(file);
    rmSync(temporary, { force: true });
  }
  const directory = openSync(dirname(keyFile), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** The path without symbolic links, also where its last parts do not exist yet. */
function realPath(path: string): string {
  const absolute = resolve(path);
  if (existsSync(absolute)) return realpathSync(absolute);
  const parent = dirname(absolute);
  return parent === absolute ? absolute : resolve(realPath(parent), basename(absolute));
}
