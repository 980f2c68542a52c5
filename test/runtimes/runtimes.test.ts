/**
 * The libraries on every runtime that they are said to run on: one suite, which needs no test runner, run on the packed
 * packages by a process of each runtime. Each of its cases is a test here.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Consumer, createConsumer } from "../../scripts/consumer.ts";
import { type Ran, RUNTIMES } from "./runtimes.ts";
import { node } from "./suite/node.ts";
import { web } from "./suite/web.ts";

let consumer: Consumer;
beforeAll(async () => {
  consumer = await createConsumer();
}, 180_000);
afterAll(() => consumer?.[Symbol.asyncDispose]());

describe.each(RUNTIMES)("on $name", ({ run, node: hasNode, sqlite, available, name }) => {
  let ran: Ran;
  beforeAll(async () => {
    // Elsewhere than on Linux npm has no binary that needs no script; there these runtimes are not tested.
    if (available) ran = await run(consumer.folder);
  }, 300_000);

  const cases = [...web, ...(hasNode ? node(sqlite) : [])].map((one) => one.name);
  test.skipIf(!available).each(cases)("%s", (wanted) => {
    const outcome = ran.outcomes.find((one) => one.name === wanted);
    if (outcome === undefined) throw new Error(`${name} did not run this case.`);
    if (outcome.fault !== undefined) throw new Error(outcome.fault);
  });

  test.skipIf(!available)("every case of the suite is one of these", () => {
    expect(ran.outcomes.map((outcome) => outcome.name)).toEqual(cases);
  });
});
