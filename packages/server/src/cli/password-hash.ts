import { CredenceError } from "@credence/protocol";
import { Command } from "commander";
import { hashPassword } from "../sign-in/password.ts";
import { readAll, readHidden } from "./input.ts";
import type { World } from "./world.ts";

/** `credence password-hash`: a password in, argon2id out, for `password_hash` in the organization file. */
export function passwordHashCommand(world: World): Command {
  return new Command("password-hash")
    .description("read a password (hidden at a terminal, else all of stdin) and print its argon2id hash")
    .addHelpText("after", "\nExample:\n  credence password-hash < password.txt")
    .action(async () => {
      try {
        world.stdout.write(`${await hashPassword(await readPassword(world))}\n`);
      } catch (error) {
        if (!(error instanceof CredenceError)) throw error;
        world.stderr.write(`error: ${error.message}\n`);
        world.exit(1);
      }
    });
}

async function readPassword(world: World): Promise<string> {
  if (!world.stdin.isTTY) return (await readAll(world.stdin)).replace(/\r?\n$/, "");
  const password = await readHidden(world, "Password: ");
  if ((await readHidden(world, "Again: ")) === password) return password;
  throw new CredenceError("The two differ. Try once more.", { code: "configuration" });
}
