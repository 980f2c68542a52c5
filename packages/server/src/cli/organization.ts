import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { organizationJsonSchemaText } from "../organization/json-schema.ts";
import { renderPlan, renderProblems } from "../organization/render.ts";
import { ask, type Options, problemsAnswer, understood, writeJson } from "./ask.ts";
import { readAll, readLine } from "./input.ts";
import { counted, dataOption, painter, peopleOf, type World } from "./world.ts";

/** `plan`, `apply`, `export`, `status` and `schema`: the organization file and the running server. */
export function organizationCommands(world: World): Command[] {
  return [planCommand(world), applyCommand(world), exportCommand(world), statusCommand(world), schemaCommand(world)];
}

const planAnswer = z.object({
  revision: z.number(),
  changes: z.array(
    z.object({
      action: z.enum(["add", "change", "remove"]),
      kind: z.enum(["organization", "person", "agent", "app", "connection"]),
      id: z.string(),
      fields: z.array(
        z.object({ field: z.string(), from: z.string().exactOptional(), to: z.string().exactOptional() }),
      ),
    }),
  ),
  warnings: problemsAnswer,
  summary: z.string(),
});
type Plan = z.infer<typeof planAnswer>;

function planCommand(world: World): Command {
  return new Command("plan")
    .description("show what apply would change; change nothing")
    .argument("<file>", "organization file (YAML); - reads it from stdin")
    .addOption(dataOption(world))
    .option("--json", "one JSON document on stdout; everything for people on stderr")
    .option("--expect-empty", "exit 1 when there is anything to change: a check for drift")
    .addHelpText("after", "\nExample:\n  credence plan acme.yaml --data ./data")
    .action(async (file: string, options: Options & { readonly expectEmpty?: boolean }) => {
      const text = await fileText(world, file);
      const plan = text === undefined ? undefined : await askForPlan(world, file, text, options);
      if (text === undefined || plan === undefined) return;
      showPlan(world, plan, file, options);
      if (options.json) writeJson(world, { ok: true, ...plan });
      if (options.expectEmpty && plan.changes.length > 0) world.exit(1);
    });
}

function applyCommand(world: World): Command {
  return new Command("apply")
    .description("make the organization equal to the file, all or nothing; what the file lacks goes")
    .argument("<file>", "organization file (YAML); - reads it from stdin")
    .addOption(dataOption(world))
    .option("--yes", "apply the plan without asking")
    .option("--json", "one JSON document on stdout; everything for people on stderr")
    .addHelpText("after", "\nExample:\n  credence apply acme.yaml --data ./data --yes")
    .action(async (file: string, options: Options & { readonly yes?: boolean }) => {
      const text = await fileText(world, file);
      const plan = text === undefined ? undefined : await askForPlan(world, file, text, options);
      if (text === undefined || plan === undefined) return;
      showPlan(world, plan, file, options);
      if (plan.changes.length > 0 && !options.yes && !(await confirmed(world, file))) return;
      // With the plan's revision: what is applied is what was shown, or nothing.
      const headers = { "if-match": `"${plan.revision}"` };
      const answer = await ask(world, options, { method: "PUT", path: "/v1/organization", headers, body: text });
      const applied = answer && understood(world, planAnswer, answer, file, options);
      if (!applied) return;
      if (options.json) writeJson(world, { ok: true, ...applied });
      if (applied.changes.length > 0) {
        peopleOf(world, options.json).write(`Applied. The organization is at revision ${applied.revision}.\n`);
      }
    });
}

function exportCommand(world: World): Command {
  return new Command("export")
    .description("print the organization as a file; secrets are not in it, and plan then shows nothing")
    .addOption(dataOption(world))
    .option("--json", "the revision, the file's text and its content as one JSON document")
    .addHelpText("after", "\nExample:\n  credence export --data ./data > acme.yaml")
    .action(async (options: Options) => {
      const answer = await ask(world, options, { method: "GET", path: "/v1/organization" });
      const schema = z.looseObject({ revision: z.number(), text: z.string() });
      const exported = answer && understood(world, schema, answer, "", options);
      if (!exported) return;
      if (options.json) writeJson(world, { ok: true, ...exported });
      else world.stdout.write(exported.text);
    });
}

function statusCommand(world: World): Command {
  return new Command("status")
    .description("ask the running server how it is, and what its organization holds")
    .addOption(dataOption(world))
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExample:\n  credence status --data ./data")
    .action(async (options: Options) => {
      const answer = await ask(world, options, { method: "GET", path: "/v1/status" });
      const count = z.number();
      const counts = { revision: count, people: count, agents: count, apps: count, connections: count };
      const schema = z.looseObject({
        status: z.string(),
        organization: z.looseObject({ name: z.string(), ...counts }),
      });
      const status = answer && understood(world, schema, answer, "", options);
      if (!status) return;
      if (options.json) return writeJson(world, { ok: true, ...status });
      const { name, revision, people, agents, apps, connections } = status.organization;
      const has = [
        people === 1 ? "1 person" : `${people} people`,
        counted(agents, "agent"),
        counted(apps, "app"),
        counted(connections, "connection"),
      ].join(", ");
      world.stdout.write(`${name || "The organization"}, revision ${revision}: ${has}.\n`);
    });
}

function schemaCommand(world: World): Command {
  return new Command("schema")
    .description("print the JSON schema of the organization file, for editors")
    .addHelpText("after", "\nExample:\n  credence schema > organization.schema.json")
    .action(() => {
      world.stdout.write(organizationJsonSchemaText());
    });
}

/** `connection on|off ID`, and the same for people, agents and apps; for people also what they have lost. */
export function switchCommands(world: World): Command[] {
  const kinds = { connection: "connections", person: "people", agent: "agents", app: "apps" } as const;
  return Object.entries(kinds).map(([kind, section]) => {
    const command = switchCommand(world, kind, section);
    return section === "people" ? command.addCommand(resetFactorsCommand(world)) : command;
  });
}

function switchCommand(world: World, kind: string, section: keyof typeof EXAMPLES): Command {
  return new Command(kind)
    .description(`switch one ${kind} on or off, at once`)
    .argument("<on|off>", "what it shall be", onOrOff)
    .argument("<id>", `id of the ${kind}`)
    .addOption(dataOption(world))
    .option("--json", "one JSON document on stdout; everything for people on stderr")
    .addHelpText("after", `\nExample:\n  credence ${kind} off ${EXAMPLES[section]} --data ./data`)
    .action(async (enabled: boolean, id: string, options: Options) => {
      const path = `/v1/${section}/${encodeURIComponent(id)}`;
      const answer = await ask(world, options, { method: "PATCH", path, body: JSON.stringify({ enabled }) });
      const changed = answer && understood(world, planAnswer, answer, id, options);
      if (!changed) return;
      if (options.json) writeJson(world, { ok: true, ...changed });
      const now = enabled ? "on" : "off";
      const said = changed.changes.length > 0 ? `is ${now}` : `was ${now} already`;
      peopleOf(world, options.json).write(`${kind} ${id} ${said}.\n`);
    });
}

function resetFactorsCommand(world: World): Command {
  return (
    new Command("reset-factors")
      .description("remove somebody's passkeys, app and recovery codes, and end their sessions; the password stays")
      .argument("<id>", "id of the person")
      .addOption(dataOption(world))
      .option("--json", "one JSON document on stdout; everything for people on stderr")
      .addHelpText("after", "\nExample:\n  credence person reset-factors alice --data ./data")
      // Options before the argument are the parent's, which has the same.
      .action(async (id: string, _own: Options, command: Command) => {
        const options: Options = command.optsWithGlobals();
        const path = `/v1/people/${encodeURIComponent(id)}/factors`;
        const answer = await ask(world, options, { method: "DELETE", path });
        const schema = z.object({ removed: z.number(), sessions: z.number(), grants: z.number() });
        const reset = answer && understood(world, schema, answer, id, options);
        if (!reset) return;
        if (options.json) writeJson(world, { ok: true, ...reset });
        const said = reset.removed > 0 ? "signs in with the password alone now" : "had nothing beside the password";
        peopleOf(world, options.json).write(`person ${id} ${said}.\n`);
      })
  );
}

const EXAMPLES = { connections: "assistant-ledger", people: "alice", agents: "assistant", apps: "ledger" };

function onOrOff(value: string): boolean {
  if (value === "on") return true;
  if (value === "off") return false;
  throw new InvalidArgumentError("Say on or off.");
}

// --- What the commands share --------------------------------------------------------------------------------------------

async function fileText(world: World, file: string): Promise<string | undefined> {
  try {
    return file === "-" ? await readAll(world.stdin) : readFileSync(file, "utf8");
  } catch {
    world.stderr.write(`error: ${file} can not be read. Check the path and its permissions.\n`);
    world.exit(2);
    return undefined;
  }
}

async function askForPlan(world: World, file: string, text: string, options: Options): Promise<Plan | undefined> {
  const answer = await ask(world, options, { method: "POST", path: "/v1/organization/plan", body: text });
  return answer && understood(world, planAnswer, answer, file, options);
}

function showPlan(world: World, plan: Plan, file: string, { json }: Options): void {
  if (plan.warnings.length > 0) world.stderr.write(renderProblems(`warning: ${file}`, plan.warnings));
  const paint = painter(world, json);
  const colours = { add: 32, change: 33, remove: 31 };
  peopleOf(world, json).write(renderPlan(plan.changes, (action, text) => paint(colours[action], text)));
}

async function confirmed(world: World, file: string): Promise<boolean> {
  if (file === "-" || !world.stdin.isTTY) {
    world.stderr.write("error: Nobody is there to ask. Look at the plan, then apply it with --yes.\n");
    world.exit(2);
    return false;
  }
  world.stderr.write('Apply this plan? Type "yes": ');
  if ((await readLine(world.stdin)).trim() === "yes") return true;
  world.stderr.write("Nothing was changed.\n");
  world.exit(1);
  return false;
}
