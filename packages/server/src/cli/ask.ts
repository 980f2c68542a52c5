import { z } from "zod";
import { type AdminAnswer, type AdminQuestion, askAdmin } from "../admin/client.ts";
import { renderProblems } from "../organization/render.ts";
import type { World } from "./world.ts";

/** What every command takes that asks the running server. */
export interface Options {
  readonly data: string;
  readonly json?: boolean;
}

/** Problems of an organization file, as the admin API tells them. */
export const problemsAnswer = z.array(
  z.object({ line: z.number(), column: z.number(), path: z.string(), message: z.string(), mend: z.string() }),
);
const problemAnswer = z.object({ title: z.string(), detail: z.string(), problems: problemsAnswer.optional() });

/** Asks the server that runs on the data directory; that none does is told, and the exit code is 1. */
export async function ask(
  world: World,
  { data, json }: Options,
  question: AdminQuestion,
): Promise<AdminAnswer | undefined> {
  try {
    return await askAdmin(data, question);
  } catch (error) {
    const message = error instanceof Error ? error.message : "The server did not answer.";
    world.stderr.write(`error: ${message}\n`);
    if (json) writeJson(world, { ok: false, error: message });
    world.exit(1);
    return undefined;
  }
}

/** A good answer as its type; what the server refused is told, with places in the file, and the exit code is 1. */
export function understood<T extends z.ZodType>(
  world: World,
  schema: T,
  { status, body }: AdminAnswer,
  file: string,
  { json }: Options,
): z.infer<T> | undefined {
  if (status === 200) return schema.parse(body);
  const refused = problemAnswer.safeParse(body);
  const problem = refused.success
    ? refused.data
    : { title: "The server refused.", detail: `Its answer was ${status}.` };
  if (problem.problems) world.stderr.write(renderProblems(file, problem.problems));
  world.stderr.write(`error: ${problem.title} ${problem.detail}\n`);
  if (json) writeJson(world, { ok: false, status, ...problem });
  world.exit(1);
  return undefined;
}

/** One document on stdout. */
export function writeJson(world: World, value: unknown): void {
  world.stdout.write(`${JSON.stringify(value)}\n`);
}
