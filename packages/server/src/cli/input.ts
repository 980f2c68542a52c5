import { CredenceError } from "@credence/protocol";
import type { World } from "./world.ts";

/** Bytes of a file that comes over stdin; a little more than the server takes, so that the server says it. */
const STDIN_LIMIT = 5 * 1024 * 1024;

/** All of a stream as text, up to 5 MiB. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > STDIN_LIMIT) throw new CredenceError("The input is too large.", { code: "configuration" });
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** One line as it is typed, without its end. */
export function readLine(stdin: World["stdin"]): Promise<string> {
  return typed(stdin, (text) => {
    const end = text.search(/[\r\n]/);
    return end < 0 ? undefined : text.slice(0, end);
  });
}

/** Enter, or Ctrl-D. */
const END = ["\r", "\n", "\u0004"];
/** Ctrl-C: in raw mode the terminal makes no signal of it. */
const INTERRUPT = "\u0003";

/**
 * A password typed at a terminal, which shows nothing of it.
 *
 * @throws CredenceError `configuration` when it is interrupted (Ctrl-C).
 */
export async function readHidden(world: World, prompt: string): Promise<string> {
  world.stderr.write(prompt);
  world.stdin.setRawMode?.(true);
  try {
    return await typed(world.stdin, (text) => {
      if (text.includes(INTERRUPT)) throw new CredenceError("Interrupted.", { code: "configuration" });
      const characters = [...text];
      const end = characters.findIndex((character) => END.includes(character));
      return end < 0 ? undefined : withoutErased(characters.slice(0, end));
    });
  } finally {
    world.stdin.setRawMode?.(false);
    world.stderr.write("\n");
  }
}

/** In raw mode the terminal erases nothing itself. */
function withoutErased(characters: readonly string[]): string {
  const kept: string[] = [];
  for (const character of characters) {
    if (character === "\u007f" || character === "\b") kept.pop();
    else if (character === "\u0015") kept.length = 0;
    else if (character >= " ") kept.push(character);
  }
  return kept.join("");
}

function typed(stdin: World["stdin"], done: (text: string) => string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const decoder = new TextDecoder();
    const settle = (act: () => void) => {
      stdin.removeListener("data", read);
      stdin.removeListener("end", ended);
      stdin.pause();
      act();
    };
    const ended = () => settle(() => resolve(done(`${text}\n`) ?? text));
    const read = (chunk: Buffer | string) => {
      text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
      try {
        const line = done(text);
        if (line !== undefined) settle(() => resolve(line));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    stdin.on("data", read);
    stdin.once("end", ended);
    stdin.resume();
  });
}
