import type { Command } from "commander";
import { CommanderError, Option } from "commander";
import { DEFAULT_DATA } from "../config/schema.ts";

/** The world as the commands see it: everything that a test must be able to stand in for. */
export interface World {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Seconds since the epoch. */
  readonly now: () => number;
  readonly exit: (code: ExitCode) => void;
  /** Ends `audit tail`. */
  readonly interrupted: () => AbortSignal;
}

/** 0 as told, 1 not as told, 2 usage. */
export type ExitCode = 0 | 1 | 2;

/** This process. */
export function processWorld(): World {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    now: () => Date.now() / 1_000,
    exit(code) {
      process.exitCode = code;
    },
    interrupted() {
      const controller = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort());
      // `credence audit tail | head` ends by closing the pipe.
      process.stdout.once("error", () => controller.abort());
      return controller.signal;
    },
  };
}

/** `--data`, the same for every command: the flag, else CREDENCE_DATA, else the directory that `serve` takes by default. */
export function dataOption({ env }: Pick<World, "env">): Option {
  const byDefault = env.CREDENCE_DATA || DEFAULT_DATA;
  return new Option("--data <dir>", "data directory of the server (or CREDENCE_DATA)").default(byDefault);
}

/** Where text for people goes: with `--json`, stdout is the machine's alone. */
export function peopleOf(world: World, json: boolean | undefined): NodeJS.WritableStream {
  return json ? world.stderr : world.stdout;
}

/** Gives a command and all below it the world's streams, and the exit code 2 for wrong usage. */
export function inWorld(command: Command, world: Pick<World, "stdout" | "stderr">): Command {
  command
    .configureOutput({ writeOut: (text) => world.stdout.write(text), writeErr: (text) => world.stderr.write(text) })
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : new CommanderError(2, error.code, error.message);
    });
  for (const one of command.commands) inWorld(one, world);
  return command;
}

/** A count with its noun: `1 event`, `2 events`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Colours text for a terminal that wants it. @see https://no-color.org */
export function painter(world: World, json: boolean | undefined): (colour: number, text: string) => string {
  const wanted = !json && world.stdout.isTTY === true && !world.env.NO_COLOR && world.env.TERM !== "dumb";
  return (colour, text) => (wanted ? `\u001b[${colour}m${text}\u001b[0m` : text);
}
