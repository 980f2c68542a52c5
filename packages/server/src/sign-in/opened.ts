import { createGenerations } from "../store/generations.ts";
import type { Artifact } from "../store/store.ts";
import { contentOf, isExpired, type Sealing } from "./artifacts.ts";

/** What an artifact holds. Whoever reads it must not change it. */
type Content = Readonly<Record<string, unknown>>;

/** Opens an artifact. @returns what it holds; `undefined` when there is none, or when it has expired at `now`, in seconds. */
export type OpenArtifact = (artifact: Artifact | undefined, now: number) => Promise<Content | undefined>;

/** Artifacts that are remembered in each of two generations: as many as a busy minute asks for, some kilobytes each. */
const REMEMBERED = 5_000;

interface Opened extends Pick<Artifact, "model" | "payload"> {
  readonly content: Content;
}

/**
 * Opens artifacts, and remembers what they hold: a session is asked for with each token exchange, and to open what is sealed costs more
 * than to look it up. It is known by its place and its sealed text there, which is another one after each change: moved to another
 * place, a sealed text opens no more, and what is remembered does not count either. Whether it is there, and its time, is
 * asked each time.
 */
export function rememberingOpener(sealing: Sealing): OpenArtifact {
  const opened = createGenerations<string, Opened>(REMEMBERED);
  return async (artifact, now) => {
    if (artifact === undefined || isExpired(artifact, now)) return undefined;
    const { payload, model, key } = artifact;
    const before = opened.get(key);
    if (before !== undefined && before.model === model && before.payload === payload) return before.content;
    const content = await contentOf(sealing, artifact);
    if (content !== undefined) opened.set(key, { model, payload, content });
    return content;
  };
}
