import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHouse, type TestHouse } from "../sign-in/house.testing.ts";

let house: TestHouse;

beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house.stop());

describe("below the issuer", () => {
  it("there is a page that says what this is", async () => {
    const answer = await fetch(`${house.issuer}/`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("Acme");
  });

  it.each([
    "/nothing",
    "/assets/../sign-in",
    "/assets/nothing.css",
    "/%",
    "/token/x",
    "//evil.example/",
    "/interaction/x",
  ])("nothing stands at %s, and a page says so", async (path) => {
    const answer = await fetch(`${house.issuer}${path}`, { redirect: "manual" });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toContain("text/html");
    expect(await answer.text()).toContain("There is no page here");
  });

  it("styles and fonts are ours, and kept for ever", async () => {
    const page = await (await fetch(`${house.issuer}/`)).text();
    const stylesheet = /href="(\/assets\/[^"]+\.css)"/.exec(page)?.[1] ?? "";
    const styles = await fetch(`${house.issuer}${stylesheet}`);
    expect(styles.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    const css = await styles.text();
    expect(css).not.toMatch(/https?:\/\//);
    const fonts = [...css.matchAll(/url\("([^"]+)"\)/g)].map(([, url]) => url);
    expect(fonts.length).toBeGreaterThan(3);
    const font = await fetch(`${house.issuer}${fonts.at(-1)}`);
    expect(font.headers.get("content-type")).toBe("font/woff2");
    expect((await font.arrayBuffer()).byteLength).toBeGreaterThan(10_000);
  });

  it("every answer says not to guess its type, not to frame it, and not to tell where one was", async () => {
    for (const path of ["/", "/nothing", "/jwks", "/.well-known/openid-configuration", "/authorize"]) {
      const { headers } = await fetch(`${house.issuer}${path}`);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
    }
  });
});
