import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { CredenceError } from "@credence/protocol";
import { Command, InvalidArgumentError } from "commander";
import { columnWidths, eventJson, eventLine, printable } from "../audit/display.ts";
import type { RecordedEvent } from "../audit/event.ts";
import { parseHeads, printHead } from "../audit/published-heads.ts";
import { type AuditQuery, listEvents } from "../audit/read.ts";
import { type Verification, verifyRecord } from "../audit/verify.ts";
import { isErrno } from "../store/files.ts";
import { openStore } from "../store/open.ts";
import type { AuditHead, Store } from "../store/store.ts";
import { type KekOptions, kekOf } from "./kek.ts";
import { recordKeys } from "./record-keys.ts";
import { type StoreOptions, storeOf, storeOption } from "./store.ts";
import { counted, dataOption, inWorld, type World } from "./world.ts";

/** As much of the world as these commands see. */
type AuditWorld = Pick<World, "stdout" | "stderr" | "env" | "now" | "exit" | "interrupted">;

/** Not as told: the command did its work and found something. */
const NOT_AS_TOLD = 1;
const USAGE = 2;

interface Options extends StoreOptions {
  readonly json?: boolean;
}

interface FilterOptions extends Options {
  readonly limit: number;
  readonly code?: string;
  readonly agent?: string;
  readonly person?: string;
  readonly app?: string;
  readonly decision?: string;
  readonly since?: number;
}

/**
 * `credence audit list | tail | verify | heads`: reads the record of a running or a stopped server; never writes.
 * Exit codes: 0 as told, 1 the record is not as it was written, 2 usage (thrown by commander as CommanderError).
 */
export function auditCommand(world: AuditWorld): Command {
  const audit = new Command("audit").description("read and verify the record of what was decided and done");
  const commands = [listCommand(world), tailCommand(world), verifyCommand(world), headsCommand(world)];
  for (const one of commands) audit.addCommand(one);
  const example = "\nExample:\n  credence audit list --data ./data --since 1h --code exchange.denied";
  return inWorld(audit.addHelpText("after", example), world);
}

function listCommand(world: AuditWorld): Command {
  return withFilters(new Command("list"), world, 50)
    .description("the latest events that fit, oldest first")
    .addHelpText("after", "\nExample:\n  credence audit list --data ./data --person alice@acme.example --since 7d")
    .action((options: FilterOptions) =>
      withStore(world, options, async (store) => {
        const { events } = await listEvents(store, { ...queryOf(options), from: "newest" });
        print(world, options, events, columnWidths(events));
        // Nothing at all looks like a command that did not run, and a mistyped filter like "nothing happened".
        if (events.length === 0) write(world.stderr, NOTHING_FITS);
      }),
    );
}

const NOTHING_FITS =
  "No event fits. `credence audit list` without filters shows the latest of all. Requests of callers that nobody knows, " +
  "with a wrong client secret for example, are counted every minute and have no decision of their own here: --code failures.";

/** Columns of `tail`, which can not know what will come: time, code, who, verdict, why. */
const TAIL_WIDTHS = [23, 18, 34, 7, 34];
const POLL_MILLISECONDS = 500;
const POLL_LIMIT = 1_000;

function tailCommand(world: AuditWorld): Command {
  return withFilters(new Command("tail"), world, 10)
    .description("the latest events, then each new one as it comes, until interrupted")
    .addHelpText("after", "\nExample:\n  credence audit tail --data ./data --agent assistant")
    .action((options: FilterOptions) =>
      withStore(world, options, async (store) => {
        const signal = world.interrupted();
        const filters = queryOf(options);
        let page = await listEvents(store, { ...filters, from: "newest" });
        for (;;) {
          print(world, options, page.events, TAIL_WIDTHS);
          if (await interruptedWithin(POLL_MILLISECONDS, signal)) return;
          page = await listEvents(store, { ...filters, after: page.cursor, limit: POLL_LIMIT });
        }
      }),
    );
}

function verifyCommand(world: AuditWorld): Command {
  return new Command("verify")
    .description("check that nothing was changed in the record, or taken out of it")
    .addOption(dataOption(world))
    .addOption(storeOption())
    .option("--head <file>", "signed heads that were kept elsewhere (what `credence audit heads` printed)")
    .option(
      "--key-file <file>",
      "key-encryption key, to tell the record's own keys (default: DATA.key, if it is there)",
    )
    .option("--config <file>", "the deployment, where the key-encryption key is no file (or CREDENCE_CONFIG)")
    .option("--json", "one line of JSON on stdout; everything for people on stderr")
    .addHelpText("after", "\nExample:\n  credence audit verify --data ./data --head heads-of-yesterday.jsonl")
    .action((options: Options & KekOptions & { readonly head?: string }) =>
      withStore(world, options, async (store) => {
        const published = options.head === undefined ? [] : readHeads(options.head);
        const { keys, remarks } = await recordKeys(await store.keyRing(), kekOf(options, world.env));
        const found = await verifyRecord(store, keys, published);
        if (options.json) write(world.stdout, eventJson(found));
        for (const line of report(found)) write(options.json ? world.stderr : world.stdout, line);
        for (const remark of remarks) write(world.stderr, printable(remark));
        if (!found.ok) world.exit(NOT_AS_TOLD);
      }),
    );
}

function headsCommand(world: AuditWorld): Command {
  return new Command("heads")
    .description("print the newest signed head of each writer, to be kept elsewhere for `verify --head`")
    .addOption(dataOption(world))
    .addOption(storeOption())
    .option("--all", "every signed head, not only the newest of each writer")
    .option("--json", "the same: heads are always lines of JSON")
    .addHelpText("after", "\nExample:\n  credence audit heads --data ./data >> /mnt/elsewhere/heads.jsonl")
    .action((options: Options & { readonly all?: boolean }) =>
      withStore(world, options, async (store) => {
        const heads = await store.auditHeads();
        for (const head of options.all ? heads : newestOfEach(heads)) write(world.stdout, printHead(head));
      }),
    );
}

// --- What the commands share --------------------------------------------------------------------------------------------

function withFilters(to: Command, world: AuditWorld, limit: number): Command {
  return to
    .addOption(dataOption(world))
    .addOption(storeOption())
    .option("--limit <n>", "how many events at most", parseLimit, limit)
    .option("--code <code>", "only this code, or the part of it before the dot: exchange, sign-in, …")
    .option("--agent <id>", "only this agent")
    .option("--person <id or email>", "only this person")
    .option("--app <id>", "only this app")
    .option("--decision <id>", "only this decision (the ID-JAG's jti)")
    .option("--since <when>", "not older than: 30s, 15m, 8h, 7d, or a date and time", (text) => parseSince(text, world))
    .option("--json", "lines of JSON alone on stdout");
}

function queryOf(options: FilterOptions): AuditQuery {
  const { data: _, store: __, config: ___, json: ____, ...query } = options;
  return query;
}

const MOST_EVENTS = 100_000;

function parseLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MOST_EVENTS) return limit;
  throw new InvalidArgumentError(`A number from 1 to ${MOST_EVENTS} is expected.`);
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

function parseSince(text: string, world: AuditWorld): number {
  const [, amount, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) return world.now() - Number(amount) * (UNITS[unit] ?? 0);
  const time = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time / 1_000;
  throw new InvalidArgumentError("A duration (30s, 15m, 8h, 7d) or an ISO 8601 date and time is expected.");
}

/** Opens the record for reading; what stands in the way (no such directory, another version) is the usage's fault. */
async function withStore(world: AuditWorld, options: Options, use: (store: Store) => Promise<void>): Promise<void> {
  try {
    const location = storeOf(options, world.env);
    if (location.kind === "sqlite") requireDirectory(options.data);
    world.stdout.on("error", (error) => outputFailed(world, error));
    const store = await openStore(location, { readOnly: true });
    await use(store).finally(() => store.close());
  } catch (error) {
    if (!(error instanceof CredenceError)) throw error;
    write(world.stderr, `error: ${printable(error.message)}`);
    world.exit(error.code === "configuration" ? USAGE : NOT_AS_TOLD);
  }
}

function requireDirectory(dataDir: string): void {
  if (statSync(dataDir, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new CredenceError(`There is no directory ${dataDir}. Name the server's data directory (--data).`, {
    code: "configuration",
  });
}

/** A reader that has seen enough (`credence audit list | head`) is no failure; a full disk is. */
function outputFailed(world: AuditWorld, error: Error): void {
  if (isErrno(error, "EPIPE")) return;
  write(world.stderr, `error: The output can not be written: ${error.message}`);
  world.exit(NOT_AS_TOLD);
}

function print(world: AuditWorld, options: Options, events: readonly RecordedEvent[], widths: readonly number[]): void {
  const colour = world.stdout.isTTY === true && !world.env.NO_COLOR;
  for (const event of events) {
    write(world.stdout, options.json ? eventJson(event) : eventLine(event, { colour, widths }));
  }
}

function write(stream: NodeJS.WritableStream, line: string): void {
  stream.write(`${line}\n`);
}

function* report(found: Verification): Generator<string> {
  const { events, writers, heads } = found;
  const read = `${counted(events, "event")} of ${counted(writers, "start")}, ${counted(heads, "signed head")} compared`;
  if (found.ok) {
    yield `The record is as it was written: ${read}.`;
    return;
  }
  for (const { kind, writer, seq, message } of found.problems) {
    yield printable(`${kind}  writer ${writer}${seq === undefined ? "" : `, record ${seq}`}: ${message}`);
  }
  yield `The record is NOT as it was written (${read} before that).`;
}

function readHeads(file: string): readonly AuditHead[] {
  const { heads, bad } = parseHeads(readText(file));
  const [first] = bad;
  if (!first) return heads;
  throw new CredenceError(`${file}:${first.line}: ${first.message}`, { code: "configuration" });
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new CredenceError(`The file ${file} can not be read.`, { code: "configuration", cause });
  }
}

/** Heads come ordered by seq within each writer. */
function newestOfEach(heads: readonly AuditHead[]): readonly AuditHead[] {
  return [...new Map(heads.map((head) => [head.writer, head])).values()];
}

async function interruptedWithin(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
  return signal.aborted;
}
