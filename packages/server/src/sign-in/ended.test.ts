import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PASSWORD, startHouse, type TestHouse } from "./house.testing.ts";
import { type Asked, ask } from "./journeys.testing.ts";
import { createUserAgent, readForm, type UserAgent } from "./user-agent.testing.ts";

let house: TestHouse;
let browser: UserAgent;
let asked: Asked;
beforeEach(async () => {
  house = await startHouse();
  browser = createUserAgent();
  asked = await ask(house);
});
afterEach(() => house.stop());

/** Types a right password, and stops before the browser goes on. @returns where it would go. */
async function stopAfterPassword(): Promise<string> {
  const page = await browser.submit(await browser.go(asked.url.href), { email: "alice@acme.example" });
  const { action, values } = readForm(page);
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const body = new URLSearchParams({ ...values, password: PASSWORD });
  const headers = { cookie, "sec-fetch-site": "same-origin" };
  const answer = await fetch(action, { method: "POST", body, headers, redirect: "manual" });
  for (const line of answer.headers.getSetCookie()) {
    const [name = "", value = ""] = (line.split(";")[0] ?? "").split("=");
    browser.cookies.set(name, value);
  }
  return new URL(answer.headers.get("location") ?? "", action).href;
}

describe("a sign-in that stopped after a right password", () => {
  it("goes on", async () => {
    const next = await stopAfterPassword();
    expect((await browser.go(next)).left?.searchParams.has("code")).toBe(true);
  });

  it("does not go on once the password is another one", async () => {
    const next = await stopAfterPassword();
    await house.change((document) => ({
      ...document,
      people: document.people.map((one) => (one.id === "alice" ? { ...one, passwordHash: "another" } : one)),
    }));
    const page = await browser.go(next);
    expect([page.left, page.status]).toEqual([undefined, 400]);
    expect(await house.store.artifactsOf("alice", "Session")).toEqual([]);
  });
});
