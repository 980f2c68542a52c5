import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { asObject } from "@credence/protocol";
import { AgentError } from "./errors.ts";
import { memoryTokenStore, type TokenStore } from "./token-store.ts";

/** Seconds: how long somebody else's lock is waited for by default; after how long without a sign of life it is a dead process's. */
const LOCK = { wait: 30, stale: 10, beat: 2 } as const;

/**
 * Keeps sign-ins in a file that only this user can read (mode 0600, its directory 0700 where it is made). A change replaces
 * the whole file at once; processes that share it wait for each other.
 *
 * @param path - Of the file, made at the first write.
 * @param options.wait - Seconds that another process is waited for; 30 by default.
 * @returns a store whose methods throw AgentError `configuration`: `token-store-open` where others may read the file,
 * `token-store-malformed` where it is not one of ours, `token-store-locked` where another process holds it for too long.
 */
export function fileTokenStore(path: string, options: { readonly wait?: number } = {}): TokenStore {
  const { wait = LOCK.wait } = options;
  const inProcess = memoryTokenStore();
  const change = (edit: (entries: Record<string, string>) => void): Promise<void> =>
    inProcess.lock("write", () =>
      locked(`${path}.write.lock`, wait, async () => {
        const entries = await read(path);
        edit(entries);
        await write(path, entries);
      }),
    );
  return {
    get: async (key) => (await read(path))[key],
    set: (key, value) => change((entries) => Object.assign(entries, { [key]: value })),
    delete: (key) => change((entries) => void delete entries[key]),
    lock: (key, work) => inProcess.lock(`key ${key}`, () => locked(`${path}.${fileName(key)}.lock`, wait, work)),
  };
}

function fileName(key: string): string {
  return Buffer.from(key, "utf8").toString("base64url").slice(0, 100);
}

async function read(path: string): Promise<Record<string, string>> {
  const file = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw wrong("token-store-open", `${path} can not be read (${cause.code}). Make it yours alone: chmod 600`);
  });
  if (file === undefined) return Object.create(null);
  let text: string;
  try {
    // Of the file that is open, whatever its path leads to meanwhile.
    const { mode, uid } = await file.stat();
    // Windows has other rights than these; there the user's own profile protects the file.
    if (process.platform !== "win32" && ((mode & 0o077) !== 0 || uid !== process.getuid?.())) {
      throw wrong(
        "token-store-open",
        `${path} is not yours alone: others can read it, or could have written it. Make it yours: chmod 600, then sign in again`,
      );
    }
    text = await file.readFile("utf8");
  } finally {
    await file.close();
  }
  const entries = asObject(parse(text));
  if (entries === undefined || !Object.values(entries).every((value) => typeof value === "string")) {
    throw wrong("token-store-malformed", `${path} is no token store. Remove it, then sign in again`);
  }
  return Object.assign(Object.create(null), entries);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function write(path: string, entries: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(next, "wx", 0o600);
    try {
      await file.writeFile(JSON.stringify(entries));
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(next, 0o600);
    await rename(next, path);
  } catch (cause) {
    await rm(next, { force: true });
    throw cause;
  }
}

/** A file is made by one process alone; its age shows whether that one still lives, what stands in it whose it is. */
async function locked<T>(path: string, wait: number, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const owner = randomBytes(12).toString("hex");
  for (const until = Date.now() + wait * 1_000; !(await take(path, owner)); ) {
    if (Date.now() > until)
      throw wrong("token-store-locked", `Another process holds ${path}. End it, or remove that file`);
    await delay(20);
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, LOCK.beat * 1_000);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    // Whoever slept for too long has lost it: somebody else's stays.
    if ((await readFile(path, "utf8").catch(() => "")) === owner) await rm(path, { force: true });
  }
}

async function take(path: string, owner: string): Promise<boolean> {
  try {
    await writeFile(path, owner, { flag: "wx", mode: 0o600 });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    const since = (await stat(path).catch(() => undefined))?.mtimeMs;
    if (since !== undefined && Date.now() - since > LOCK.stale * 1_000) await bury(path, since);
    return false;
  }
}

/** Removes the lock of a dead process. One that was renewed, or taken by another, meanwhile goes back to its place. */
async function bury(path: string, since: number): Promise<void> {
  const grave = `${path}.${randomBytes(6).toString("hex")}`;
  const moved = await rename(path, grave).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  if ((await stat(grave)).mtimeMs !== since) await link(grave, path).catch(() => {});
  await rm(grave, { force: true });
}

function wrong(reason: string, message: string): AgentError {
  return new AgentError(`${message}.`, { leg: "sign-in", party: "the agent itself", code: "configuration", reason });
}
