import { CredenceError } from "@credence/protocol";
import { Command, CommanderError } from "commander";
import type { Config } from "../config/config.ts";
import { version } from "../config/version.ts";
import { auditCommand } from "./audit.ts";
import { completionCommand } from "./completion.ts";
import { keysCommand } from "./keys.ts";
import { organizationCommands, switchCommands } from "./organization.ts";
import { passwordHashCommand } from "./password-hash.ts";
import { serveCommand } from "./serve.ts";
import { sessionsCommand } from "./sessions.ts";
import { type ExitCode, inWorld, processWorld, type World } from "./world.ts";

/** What the commands do that the composition root alone can. */
export interface Actions {
  /** Runs the server until it ends. */
  readonly serve: (config: Config) => Promise<void>;
}

/** The `credence` command. */
function buildProgram(actions: Actions, world: World): Command {
  const program = new Command("credence")
    .description("Decides, for an organization, which agent may reach which app on whose behalf (ID-JAG).")
    .version(version())
    .addHelpText("after", "\nExample:\n  credence serve --organization acme.yaml --data ./data");
  const commands = [
    serveCommand(world, actions.serve),
    ...organizationCommands(world),
    ...switchCommands(world),
    auditCommand(world),
    keysCommand(world),
    sessionsCommand(world),
    passwordHashCommand(world),
    completionCommand(world),
  ];
  for (const command of commands) program.addCommand(command);
  return inWorld(program, world);
}

/**
 * Runs the command and tells every failure in a sentence.
 *
 * @param args - Without the program's own name.
 * @returns the exit code: 0 as told, 1 not as told, 2 usage.
 */
export async function runProgram(
  args: readonly string[],
  actions: Actions,
  world: World = processWorld(),
): Promise<ExitCode> {
  let code: ExitCode = 0;
  const remember = (next: ExitCode) => {
    code = next;
  };
  try {
    await buildProgram(actions, { ...world, exit: remember }).parseAsync(args, { from: "user" });
  } catch (error) {
    // Commander has told it already: help and version with 0, wrong usage with 2.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const message = error instanceof CredenceError ? error.message : "Something failed that should not have.";
    world.stderr.write(`error: ${message}\n`);
    if (!(error instanceof CredenceError) && error instanceof Error) world.stderr.write(`${error.stack}\n`);
    return 1;
  }
  return code;
}
