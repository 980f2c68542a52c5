import { LRUCache } from "lru-cache";
import type { Artifact } from "../store/store.ts";
import { contentOf, isExpired, type Sealing } from "./artifacts.ts";

/** What an artifact holds. Whoever reads it must not change it. */
type Content = Readonly<Record<string, unknown>>;

/** Opens an artifact. @returns what it holds; `undefined` when there is none, or when it has expired at `now`, in seconds. */
export type OpenArtifact = (artifact: Artifact | undefined, now: number) => Promise<Content | undefined>;

/** Artifacts that are remembered: as many as a busy minute asks for, a kilobyte each. */
const REMEMBERED = 10_000;

/**
 * Opens artifacts, and remembers what they hold: a session is asked for with each token exchange, and to open what is sealed costs more
 * than to look it up. It is known by its sealed text, at its place, and the text is another one after each change. Whether
 * it is there, and its time, is asked each time.
 */
export function rememberingOpener(sealing: Sealing): OpenArtifact {
  const opened = new LRUCache<string, { readonly at: Pick<Artifact, "model" | "key">; readonly content: Content }>({
    max: REMEMBERED,
  });
  return async (artifact, now) => {
    if (artifact === undefined || isExpired(artifact, now)) return undefined;
    const { payload, model, key } = artifact;
    const before = opened.get(payload);
    // Moved to another place a sealed text opens no more, and what is remembered of it does not count there either.
    if (before !== undefined && before.at.model === model && before.at.key === key) return before.content;
    const content = await contentOf(sealing, artifact);
    if (content !== undefined) opened.set(payload, { at: { model, key }, content });
    return content;
  };
}
