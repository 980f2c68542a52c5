import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import type { AdminQuestion } from "../admin/client.ts";
import { kekSchema } from "../admin/kek-schema.ts";
import { ask, type Options, understood, writeJson } from "./ask.ts";
import { kekOfConfig } from "./kek.ts";
import { dataOption, peopleOf, type World } from "./world.ts";

/** `credence keys list | rotate | retire | revoke | rewrap`: the signing keys, and what seals them, of the running server. */
export function keysCommand(world: World): Command {
  const keys = new Command("keys").description("list and rotate the keys that tokens and the record are signed with");
  const commands = [listCommand(world), rotateCommand(world), endCommand(world, "retire"), endCommand(world, "revoke")];
  for (const command of [...commands, rewrapCommand(world)]) keys.addCommand(command);
  return keys.addHelpText("after", "\nExample:\n  credence keys list --data ./data");
}

const time = z.number();
const keyAnswer = z.looseObject({
  kid: z.string(),
  use: z.string(),
  alg: z.string(),
  state: z.string(),
  created_at: time,
  activated_at: time.exactOptional(),
  retiring_at: time.exactOptional(),
  ends_at: time.exactOptional(),
  external: z.string().exactOptional(),
});
const listAnswer = z.object({ keys: z.array(keyAnswer) });
const key = z.object({ kid: z.string(), use: z.string(), alg: z.string() });
const doneAnswer = z.looseObject({ events: z.array(z.object({ code: z.string(), key: key.exactOptional() })) });

type Key = z.infer<typeof keyAnswer>;

function listCommand(world: World): Command {
  return withOptions(new Command("list"), world)
    .description("show the keys, those that are gone with --all")
    .option("--all", "also keys that are retired or revoked")
    .addHelpText("after", "\nExample:\n  credence keys list --data ./data --all")
    .action(async (options: Options & { readonly all?: boolean }) => {
      const answer = await ask(world, options, { method: "GET", path: "/v1/keys" });
      const listed = answer && understood(world, listAnswer, answer, "", options);
      if (!listed) return;
      const keys = options.all ? listed.keys : listed.keys.filter(({ state }) => !isGone(state));
      if (options.json) return writeJson(world, { ok: true, keys });
      for (const line of table(keys)) world.stdout.write(`${line}\n`);
    });
}

interface RotateOptions extends Options {
  readonly use: "idp" | "audit";
  readonly alg?: string;
  readonly now?: boolean;
}

function rotateCommand(world: World): Command {
  return withOptions(new Command("rotate"), world)
    .description("let the next keys sign; the former ones verify until what they signed has expired")
    .option("--use <idp|audit>", "idp: ID tokens and ID-JAGs; audit: the record", useOf, "idp")
    .option("--alg <algorithm>", "only keys of this algorithm, ES256 for example")
    .option("--now", "even if the next key was published too lately for every cache to have it")
    .addHelpText("after", "\nExample:\n  credence keys rotate --data ./data")
    .action(async ({ use, alg, now, ...options }: RotateOptions) => {
      await act(world, options, "/v1/keys/rotate", { use, now: now === true, ...(alg === undefined ? {} : { alg }) });
    });
}

const ENDS = {
  retire: "take a key that only verifies any more out before its time",
  revoke: "take a key out at once, because somebody else may have it: nothing that it signed counts any more",
} as const;

function endCommand(world: World, how: keyof typeof ENDS): Command {
  return withOptions(new Command(how).argument("<kid>", "the key's id, as list shows it"), world)
    .description(ENDS[how])
    .addHelpText(
      "after",
      `\nExample:\n  credence keys ${how} uKhV2Zt6fTq8o3m1rXcE9sBdLw0yJnGi5aPHqOvY7MA --data ./data`,
    )
    .action(async (kid: string, options: Options) => {
      await act(world, options, `/v1/keys/${encodeURIComponent(kid)}/${how}`);
    });
}

interface RewrapOptions extends Options {
  readonly toFile?: string;
  readonly toEnv?: string;
  readonly toConfig?: string;
}

function rewrapCommand(world: World): Command {
  return withOptions(new Command("rewrap"), world)
    .description("seal the store's secrets by another key-encryption key; nothing else changes")
    .option("--to-file <file>", "a key file, made with mode 0600 when it is missing")
    .option("--to-env <name>", "a variable of the server's environment")
    .option("--to-config <file>", "what keys.kek of this configuration says: a KMS, for example")
    .addHelpText("after", "\nExample:\n  credence keys rewrap --to-file /etc/credence/key-2 --data ./data")
    .action(async (options: RewrapOptions) => {
      const kek = target(options, world);
      if (kek === undefined) {
        world.stderr.write("error: Say one of --to-file, --to-env and --to-config.\n");
        return world.exit(2);
      }
      const done = await act(world, options, "/v1/keys/rewrap", { kek });
      if (done) peopleOf(world, options.json).write("The next start needs that key: change the configuration now.\n");
    });
}

function target({ toFile, toEnv, toConfig }: RewrapOptions, { env }: World): z.infer<typeof kekSchema> | undefined {
  if ([toFile, toEnv, toConfig].filter((one) => one !== undefined).length !== 1) return undefined;
  if (toFile !== undefined) return { file: resolve(toFile) };
  if (toEnv !== undefined) return { env: toEnv };
  const parsed = kekSchema.safeParse(kekOfConfig(toConfig, env));
  return parsed.success ? parsed.data : undefined;
}

function withOptions(command: Command, world: World): Command {
  return command
    .addOption(dataOption(world))
    .option("--json", "one JSON document on stdout; everything for people on stderr");
}

async function act(world: World, options: Options, path: string, body: object = {}): Promise<boolean> {
  const question: AdminQuestion = { method: "POST", path, body: JSON.stringify(body) };
  const answer = await ask(world, options, question);
  const done = answer && understood(world, doneAnswer, answer, "", options);
  if (!done) return false;
  if (options.json) writeJson(world, { ok: true, ...done });
  for (const { code, key } of done.events) {
    const what = key === undefined ? "" : ` ${key.use} ${key.alg} ${key.kid}`;
    peopleOf(world, options.json).write(`${code}${what}\n`);
  }
  return true;
}

function useOf(text: string): string {
  if (text === "idp" || text === "audit") return text;
  throw new InvalidArgumentError("Say idp or audit.");
}

function isGone(state: string): boolean {
  return state === "retired" || state === "revoked";
}

const HEADER = ["kid", "use", "alg", "state", "since", "until"];

function table(keys: readonly Key[]): string[] {
  const rows = [
    HEADER,
    ...keys.map((one) => [one.kid, one.use, one.alg, one.state, day(sinceOf(one)), day(one.ends_at)]),
  ];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function sinceOf(one: Key): number {
  return one.retiring_at ?? one.activated_at ?? one.created_at;
}

function day(seconds: number | undefined): string {
  return seconds === undefined ? "" : new Date(seconds * 1_000).toISOString().replace(/\.\d+Z$/, "Z");
}
