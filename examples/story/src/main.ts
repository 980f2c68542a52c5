/**
 * The story: an agent reaches an app on behalf of a person, because the organization decided so; told step by step, over
 * real HTTP between real processes. `npm start` tells it and stays up; `-- --once` ends after it; `-- --json` prints a line of
 * JSON per step.
 */
import { parseArgs } from "node:util";
import { forMachines, forPeople } from "./print.ts";
import { createScenes } from "./scenes.ts";
import { type Stage, setStage } from "./stage.ts";

const USAGE = `npm start [-- --once] [-- --json]

  --once   end after the story: exit code 0 when every step went as told, 1 when one did not
  --json   print a line of JSON per step to stdout: step, ok, expected, actual, decision_id
  --help
`;

function readFlags() {
  try {
    const boolean = { type: "boolean", default: false } as const;
    return parseArgs({ options: { once: boolean, json: boolean, help: boolean } }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : "The flags can not be read."}\n\n${USAGE}`);
    process.exit(2);
  }
}

const flags = readFlags();
if (flags.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const teller = flags.json ? forMachines : forPeople;

let stage: Stage | undefined;
let leaving = false;
/** Ends everything that was started, once, whoever asks. */
async function leave(code: number): Promise<void> {
  if (leaving) return;
  leaving = true;
  await stage?.clear();
  process.exit(code);
}
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => void leave(code));
}

try {
  teller.say("Starting Acme's IdP and the ledger …");
  stage = await setStage(flags.once);
  const told = await tell(stage);
  if (flags.once || !told) await leave(told ? 0 : 1);
  teller.say(whereThingsAre(stage));
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  await leave(1);
}

/** Plays scene after scene; stops at the first that does not go as told, because the rest stands on it. */
async function tell(stage: Stage): Promise<boolean> {
  let number = 0;
  for (const { name, title, play } of createScenes(stage)) {
    number += 1;
    const outcome = await play().catch((error: unknown) => ({
      expected: "no error",
      actual: error instanceof Error ? error.message : String(error),
    }));
    teller.tell(number, name, title, outcome);
    if (outcome.expected !== outcome.actual) return false;
  }
  teller.say(`\nEvery step went as told: ${number} of ${number}.`);
  return true;
}

/** Secrets are printed because they are of this run alone, and whoever reads this owns both servers. */
function whereThingsAre({ places, mcp, alice, secrets, dataDir, organizationFile }: Stage): string {
  return `
Everything stays up until Ctrl-C.

  Acme's IdP        ${places.idp}
  Ledger            ${mcp}  (an MCP server; issuer ${places.ledger})
  Sign in as        ${alice.email}  password ${alice.password}
  Organization      ${organizationFile}

Try next, in another terminal, in this folder. What happened, and what the file would change back:

  npm run credence -- audit list --data ${dataDir}
  npm run credence -- plan ${organizationFile} --data ${dataDir}

Switch the connection on again, and be the assistant yourself, with the code of the README:

  npm run credence -- connection on assistant-ledger --data ${dataDir}
  export ASSISTANT_SECRET=${secrets.assistant} LEDGER_SECRET=${secrets.assistantAtLedger}
`;
}
