/** A command that calls an API for whoever runs it: signed in once by their browser, then by what it keeps. */
import { AgentError, type AgentOptions, createAgent, type Session } from "@credence/client";
import { fileTokenStore, nodeFetch, signInWithBrowser } from "@credence/client/node";

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

/** What asks for another sign-in; everything else is final. */
const ASK_AGAIN: ReadonlySet<string> = new Set(["sign_in_required", "insufficient_user_authentication"]);

/**
 * Gets a URL on behalf of the person.
 *
 * @returns the answer's body. A sign-in is asked for when there is none, or when the kept one is over; and once more when
 * the organization or the app wants a fresher or stronger one.
 * @throws AgentError when the organization says no, or something is out of order: its message is for people.
 */
export async function get(url: string, options: CliOptions): Promise<string> {
  const development = options.agent.development ?? false;
  const agent = createAgent({ ...options.agent, fetch: nodeFetch({ allowLoopback: development }) });
  const store = fileTokenStore(options.keep);
  const ask = (stepUp?: AgentError): Promise<Session> => {
    options.say("Sign in in your browser …");
    return signInWithBrowser(agent, { store, stepUp, ...(options.open ? { open: options.open } : {}) });
  };
  const session = (await agent.restore({ store })) ?? (await ask());
  try {
    return await read(session, url);
  } catch (error) {
    if (!(error instanceof AgentError && ASK_AGAIN.has(error.code))) throw error;
    return read(await ask(error), url);
  }
}

async function read(session: Session, url: string): Promise<string> {
  const response = await session.fetch(url);
  if (!response.ok) throw new Error(`${url} answered with status ${response.status}.`);
  return response.text();
}
