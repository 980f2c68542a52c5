/** A command that calls an API for whoever runs it: signed in once by their browser, then by what it keeps. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { AgentError, type AgentOptions, createAgent, type Session, type SignIn } from "@credence/client";
import { nodeFetch, signInWithBrowser } from "@credence/client/node";

/** What the command is given. */
export interface CliOptions {
  readonly agent: Pick<AgentOptions, "idp" | "apps" | "development" | "watch">;
  /** Where the sign-in is kept: a file of this user alone. */
  readonly keep: string;
  /** Opens a URL in the person's browser; the desktop's own by default. */
  readonly open?: (url: string) => unknown;
  /** Takes what is said to the person. */
  readonly say: (line: string) => void;
}

/**
 * Gets a URL on behalf of the person.
 *
 * @returns the answer's body. A sign-in is asked for when there is none, or when the kept one is over; and once more when
 * the organization wants a fresher or stronger one.
 * @throws AgentError when the organization says no, or something is out of order: its message is for people.
 */
export async function get(url: string, options: CliOptions): Promise<string> {
  const development = options.agent.development ?? false;
  const agent = createAgent({ ...options.agent, fetch: nodeFetch({ allowLoopback: development }) });
  const save = (signIn: SignIn) => write(options.keep, signIn);
  const ask = async (again: { maxAge?: number | undefined; acrValues?: string | undefined } = {}): Promise<Session> => {
    options.say("Sign in in your browser …");
    const session = await signInWithBrowser(agent, { ...again, save, ...(options.open ? { open: options.open } : {}) });
    await save(session.signIn());
    return session;
  };
  const kept = await read(options.keep);
  const session = kept === undefined ? await ask() : agent.session(kept, { save });
  try {
    return await (await session.fetch(url)).text();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const { code, maxAge, acrValues } = error;
    if (code !== "sign_in_required" && code !== "insufficient_user_authentication") throw error;
    return (await (await ask({ maxAge, acrValues })).fetch(url)).text();
  }
}

async function read(path: string): Promise<SignIn | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as SignIn);
}

async function write(path: string, signIn: SignIn): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, JSON.stringify(signIn), { mode: 0o600 });
  await chmod(path, 0o600);
}
