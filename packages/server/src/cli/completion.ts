import { Argument, Command } from "commander";
import type { World } from "./world.ts";

/** `credence completion bash|zsh`: a script for the shell, made from the commands themselves. */
export function completionCommand(world: World): Command {
  return new Command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh"]))
    .addHelpText("after", '\nExample:\n  eval "$(credence completion bash)"')
    .action((shell: string, _options: unknown, command: Command) => {
      const script = bashScript(command.parent ?? command);
      world.stdout.write(shell === "zsh" ? `autoload -U +X bashcompinit && bashcompinit\n${script}` : script);
    });
}

function bashScript(program: Command): string {
  const cases = wordsByPath(program, "").map(([path, words]) => `    "${path}") words="${words.join(" ")}" ;;`);
  return `_credence() {
  local path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in -*) break ;; *) path="\${path:+$path }\${COMP_WORDS[i]}" ;; esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _credence credence
`;
}

/** What may follow each path of commands: the commands below it, and its options. */
function wordsByPath(command: Command, path: string): [string, string[]][] {
  const options = command.options.flatMap(({ long }) => long ?? []);
  const names = command.commands.map((one) => one.name());
  const below = command.commands.flatMap((one) => wordsByPath(one, path === "" ? one.name() : `${path} ${one.name()}`));
  return [[path, [...names, ...options, "--help"]], ...below];
}
