#!/usr/bin/env node
/** The composition root of the `credence` command: configuration, server, signals. */
import { readFileSync } from "node:fs";
import { CredenceError } from "@credence/protocol";
import { runProgram } from "./cli/program.ts";
import type { Config } from "./config/config.ts";
import { openLog } from "./log.ts";
import { renderProblems } from "./organization/render.ts";
import { secretResolver } from "./organization/secrets.ts";
import { giveBackMemory } from "./process/memory.ts";
import { type RunningServer, startServer } from "./process/server.ts";
import { describeLocation, storeLocation } from "./store/location.ts";

process.exitCode = await runProgram(process.argv.slice(2), { serve });

/**
 * Serves until somebody asks it to end; a second signal ends it at once. SIGTERM comes from whoever runs servers, and may be
 * sending requests still: they are drained. Ctrl-C comes from somebody at a terminal who does not want to wait.
 */
async function serve(config: Config): Promise<void> {
  const asked = new Promise<number>((resolve) => {
    process.once("SIGTERM", () => resolve(config.drain));
    process.once("SIGINT", () => resolve(0));
  });
  const server = await start(config);
  giveBackMemory();
  // From the start of the process, as whoever waits for it counts.
  tell(config, server, performance.now() / 1_000);
  await server.close(await asked);
}

async function start(config: Config): Promise<RunningServer> {
  const { organization: path, logLevel, workers, drain: _, ...options } = config;
  const organization = path === undefined ? {} : { organization: { path, text: readOrganizationFile(path) } };
  const all = {
    ...options,
    ...organization,
    env: process.env,
    resolveSecret: secretResolver(),
    log: openLog(logLevel),
  };
  if (workers === 1) return startServer(all);
  // Only here: one process for everything needs nothing of it.
  const { startWithWorkers } = await import("./workers/primary.ts");
  return startWithWorkers(all, { count: workers, config });
}

function readOrganizationFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CredenceError(`The organization file ${path} can not be read. Check its path and permissions.`, {
      code: "configuration",
      reason: "organization-unreadable",
      cause,
    });
  }
}

function tell(config: Config, { organization, url, operationsUrl }: RunningServer, seconds: number): void {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say(`Credence is ready, after ${seconds.toFixed(2)} s.`);
  say(`  issuer        ${config.issuer}`);
  say(`  listens on    ${url}`);
  if (config.workers > 1) say(`  workers       ${config.workers}`);
  if (operationsUrl !== undefined) say(`  for operators ${operationsUrl}/metrics`);
  say(`  data          ${config.dataDir}  (key file ${config.keyFile})`);
  say(`  store         ${describeLocation(storeLocation(config.dataDir, config.store))}`);
  if (organization.revision === 0) say(`  organization  none yet: credence apply FILE --data ${config.dataDir}`);
  else if (config.organization === undefined) say(`  organization  revision ${organization.revision}`);
  else if (organization.read) say(`  organization  revision ${organization.revision}, from ${config.organization}`);
  else {
    say(`  organization  revision ${organization.revision}, from the store; ${config.organization} was not read`);
    say(`                see what differs: credence plan ${config.organization} --data ${config.dataDir}`);
  }
  if (organization.warnings.length > 0) say(renderProblems(config.organization ?? "", organization.warnings));
  say("Ctrl-C ends it.");
}
