import { describe, expect, it } from "vitest";
import { compareFile } from "./compare.ts";
import { compareApart } from "./compare-apart.ts";
import { ACME, acme, NOW } from "./organization.testing.ts";

const options = { issuerIsLoopback: true, now: NOW, current: acme() };
/** Comments make a file large, and change nothing of it. */
const large = (text: string) => `${text}\n${`# ${"x".repeat(76)}\n`.repeat(500)}`;

describe("a large organization file, read on a thread of its own", () => {
  it("comes out as one that is read at once", async () => {
    const text = large(ACME.replace("name: Acme", "name: Other"));
    expect(await compareApart(text, options)).toEqual(compareFile(text, options));
    expect(await compareApart(text, options)).toMatchObject({ ok: true, changes: [{ kind: "organization" }] });
  });

  it("tells its problems at their places", async () => {
    const text = large(ACME.replace("name: Acme", "nmae: Acme"));
    const compared = await compareApart(text, options);
    expect(compared).toEqual(compareFile(text, options));
    expect(compared).toMatchObject({ ok: false, problems: [{ line: expect.any(Number) }] });
  });

  it("leaves the thread that answers requests free meanwhile", async () => {
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    }, 1);
    await compareApart(large(ACME), options);
    clearInterval(counting);
    expect(turns).toBeGreaterThan(3);
  });

  it.each([
    ["nested thousands of levels deep, in brackets", `people: ${"[".repeat(20_000)}`, /nested too deeply/],
    ["nested thousands of levels deep, in dashes", `people: \n${"- ".repeat(20_000)}`, /nested too deeply/],
    [
      "of aliases of aliases",
      large(
        `a0: &a0 [x]\n${Array.from({ length: 60 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]\n`).join("")}`,
      ),
      /Anchors are used too often/,
    ],
  ])("that is %s is a problem like any other", async (_, text, message) => {
    const compared = await compareApart(text, options);
    expect(compared).toMatchObject({ ok: false, problems: [{ line: 1, message: expect.stringMatching(message) }] });
  });

  it("is given up when it takes too long", async () => {
    expect(await compareApart(large(ACME), options, 0)).toMatchObject({
      ok: false,
      problems: [{ message: "The file takes too long to read.", mend: expect.any(String) }],
    });
  });
});
