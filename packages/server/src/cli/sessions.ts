import { Command } from "commander";
import { z } from "zod";
import { ask, type Options, understood, writeJson } from "./ask.ts";
import { counted, dataOption, peopleOf, type World } from "./world.ts";

/** `credence sessions list | end`: what a person is signed in by at the running server. */
export function sessionsCommand(world: World): Command {
  return new Command("sessions")
    .description("show or end what a person is signed in by: sessions in browsers, and what agents hold for them")
    .addCommand(listCommand(world))
    .addCommand(endCommand(world))
    .addHelpText("after", "\nExample:\n  credence sessions end alice --data ./data");
}

const time = z.number();
const listAnswer = z.object({
  sessions: z.array(z.object({ since: time, until: time, clients: z.array(z.string()) })),
  grants: z.array(z.object({ client: z.string(), since: time, renewed: time })),
});

function listCommand(world: World): Command {
  return subcommand(world, "list")
    .description("show a person's sessions, and which agents may go on without one")
    .action(async (person: string, options: Options) => {
      const answer = await ask(world, options, { method: "GET", path: pathOf(person) });
      const listed = answer && understood(world, listAnswer, answer, person, options);
      if (!listed) return;
      if (options.json) return writeJson(world, { ok: true, ...listed });
      const { sessions, grants } = listed;
      for (const { since, until, clients } of sessions) {
        world.stdout.write(`session  ${day(since)} to ${day(until)}  ${clients.join(", ")}\n`);
      }
      for (const { client, since, renewed } of grants) {
        world.stdout.write(`grant    ${day(since)}, renewed ${day(renewed)}  ${client}\n`);
      }
      if (sessions.length + grants.length === 0) world.stdout.write(`${person} is not signed in.\n`);
    });
}

function endCommand(world: World): Command {
  return subcommand(world, "end")
    .description("end all of it at once; the person can sign in again")
    .action(async (person: string, options: Options) => {
      const answer = await ask(world, options, { method: "DELETE", path: pathOf(person) });
      const schema = z.object({ sessions: z.number(), grants: z.number() });
      const ended = answer && understood(world, schema, answer, person, options);
      if (!ended) return;
      if (options.json) writeJson(world, { ok: true, ...ended });
      const what = `${counted(ended.sessions, "session")} and ${counted(ended.grants, "grant")} of agents`;
      peopleOf(world, options.json).write(`${person}: ${what} ended.\n`);
    });
}

function subcommand(world: World, name: "list" | "end"): Command {
  return new Command(name)
    .argument("<person>", "id of the person")
    .addOption(dataOption(world))
    .option("--json", "one JSON document on stdout; everything for people on stderr")
    .addHelpText("after", `\nExample:\n  credence sessions ${name} alice --data ./data`);
}

function pathOf(person: string): string {
  return `/v1/sessions/${encodeURIComponent(person)}`;
}

function day(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace(/\.\d+Z$/, "Z");
}
