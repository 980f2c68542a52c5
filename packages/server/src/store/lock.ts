import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CredenceError } from "@credence/protocol";
import { ensurePrivateFile, prepareDataDirectory } from "./files.ts";

/** A data directory held by this process. */
export interface DataDirectoryLock {
  release(): void;
}

/**
 * Takes a data directory for this process alone. The lock is SQLite's on a file of its own, so the operating system
 * releases it however the process ends. Who only reads does not need it.
 *
 * @param dataDir - Created with mode 0700 when it is missing.
 * @throws CredenceError `configuration` when another server holds the directory, or it can not be used.
 */
export function lockDataDirectory(dataDir: string): DataDirectoryLock {
  prepareDataDirectory(dataDir);
  const path = join(dataDir, "server.lock");
  ensurePrivateFile(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("begin exclusive");
  } catch (cause) {
    database.close();
    throw new CredenceError(
      `Another Credence server runs on ${dataDir}. Stop it first, or give this one a data directory of its own (--data).`,
      { code: "configuration", reason: "data-directory-in-use", cause },
    );
  }
  return { release: () => database.close() };
}
