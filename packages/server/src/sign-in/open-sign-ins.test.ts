import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { startHouse, type TestHouse } from "./house.testing.ts";
import { ask } from "./journeys.testing.ts";
import { createUserAgent } from "./user-agent.testing.ts";

let house: TestHouse;
afterEach(() => house.stop());

/** Sign-ins in the store, and how many characters they take. */
function kept(): { readonly n: number; readonly size: number } {
  const database = new DatabaseSync(house.storeFile, { readOnly: true });
  const row = database
    .prepare(
      "select count(*) as n, coalesce(sum(length(payload)), 0) as size from artifacts where model = 'Interaction'",
    )
    .get();
  database.close();
  return { n: Number(row?.n), size: Number(row?.size) };
}

async function flood(times: number, url: URL): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < times; i += 25) {
    const answers = Array.from({ length: Math.min(25, times - i) }, () => fetch(url, { redirect: "manual" }));
    for (const answer of await Promise.all(answers)) {
      statuses.push(answer.status);
      await answer.body?.cancel();
    }
  }
  return statuses;
}

describe("sign-ins that nobody answers", () => {
  it("take the same room whether a hundred are begun or a thousand", async () => {
    house = await startHouse({ limits: { openSignIns: 50, signIns: 0 } });
    const { url } = await ask(house, { parameters: { state: "s".repeat(3_000) } });
    expect(new Set(await flood(75, url))).toEqual(new Set([303]));
    const before = kept();
    expect(before.n).toBe(50);
    await flood(1_000, url);
    expect(kept()).toEqual(before);
    expect(before.size / before.n).toBeLessThan(6_000);
  }, 180_000);

  it("give way, oldest first; one that somebody has begun to answer does not", async () => {
    house = await startHouse({ limits: { openSignIns: 3, signIns: 0 } });
    const { url } = await ask(house);
    const [answering, looking] = [createUserAgent(), createUserAgent()];
    const page = await answering.go(url.href);
    const password = await answering.submit(page, { email: "alice@acme.example" });
    const other = await looking.go(url.href);
    await flood(10, url);
    expect((await answering.submit(password, { password: "correct horse battery staple" })).left).toBeDefined();
    expect((await looking.submit(other, { email: "alice@acme.example" })).html).toContain("This sign-in has expired");
  });

  it("end after a quarter of an hour, and after an hour where somebody has typed something", async () => {
    house = await startHouse();
    const { url } = await ask(house);
    const [answering, looking] = [createUserAgent(), createUserAgent()];
    const typed = await answering.submit(await answering.go(url.href), { email: "alice@acme.example" });
    const other = await looking.go(url.href);
    house.clock.offset = 899;
    expect((await looking.submit(other, { email: "" })).html).not.toContain("expired");
    const late = await createUserAgent().go(url.href);
    expect(late.status).toBe(200);
    house.clock.offset = 1_000;
    expect((await answering.submit(typed, { password: "correct horse battery staple" })).left).toBeDefined();
    const again = await looking.go(url.href);
    house.clock.offset = 1_000 + 901;
    const expired = await looking.submit(again, { email: "alice@acme.example" });
    expect(expired.html).toContain("This sign-in has expired");
  });

  it("are not begun by a request of more than 4,096 characters", async () => {
    house = await startHouse();
    const { url } = await ask(house, { parameters: { state: "s".repeat(4_100) } });
    const { status, headers } = await fetch(url, { redirect: "manual" });
    expect(status).toBe(303);
    expect(new URL(headers.get("location") ?? "").searchParams.get("error")).toBe("invalid_request");
    expect(kept().n).toBe(0);
  });
});
