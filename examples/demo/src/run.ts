/** What the examples' commands have in common: flags, signals, and a clean end. */
import { parseArgs } from "node:util";
import { AgentError } from "@credence/client";

/** What an example starts, ended in reverse order. */
export interface Scene {
  /** Ends with the example, however it ends. */
  onEnd(stop: () => unknown): void;
  /** Says something to people: to stderr, so that stdout has only the outcome. */
  say(line: string): void;
  /** The outcome of a step: one line of JSON on stdout. */
  show(step: string, outcome: unknown): void;
}

/**
 * Runs an example: starts what it needs, plays it once, and stays up until Ctrl-C, or ends with `--once`.
 *
 * @param about - One sentence for `--help`.
 * @param play - Starts and plays the example.
 */
export async function runExample(about: string, play: (scene: Scene) => Promise<void>): Promise<never> {
  const once = readFlags(about);
  const stops: (() => unknown)[] = [];
  let leaving = false;
  const leave = async (code: number): Promise<never> => {
    if (!leaving) {
      leaving = true;
      for (const stop of stops.splice(0).reverse()) await stop();
    }
    process.exit(code);
  };
  process.on("SIGINT", () => void leave(130));
  process.on("SIGTERM", () => void leave(143));
  try {
    await play({
      onEnd: (stop) => stops.push(stop),
      say: (line) => process.stderr.write(`${line}\n`),
      show: (step, outcome) => process.stdout.write(`${JSON.stringify({ step, outcome })}\n`),
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return leave(1);
  }
  if (once) return leave(0);
  process.stderr.write("Everything stays up until Ctrl-C.\n");
  return new Promise<never>(() => {});
}

/**
 * What an agent hears when the organization, or the app, says no.
 *
 * @param asking - What must be refused.
 * @throws what was thrown, where that is no refusal; Error where nothing was.
 */
export async function denialOf(asking: Promise<unknown>): Promise<{ error: string; decision: string | undefined }> {
  const thrown = await asking.then(
    () => new Error("It was not refused."),
    (error: unknown) => error,
  );
  // An SDK between us and the agent wraps what it heard.
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if (error instanceof AgentError) return { error: error.code, decision: error.decisionId };
  }
  throw thrown;
}

function readFlags(about: string): boolean {
  const usage = `${about}\n\n  --once   end after it has been played\n  --help\n`;
  try {
    const boolean = { type: "boolean", default: false } as const;
    const { once, help } = parseArgs({ options: { once: boolean, help: boolean } }).values;
    if (help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    return once;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : "The flags can not be read."}\n\n${usage}`);
    process.exit(2);
  }
}
