import { describe, expect, test } from "vitest";
import { parseForm } from "./form.ts";
import type { Result } from "./result.ts";
import { parseResource, parseScope, resourcesOf, scopeOf } from "./scope.ts";

/** The value, or the reason and its detail. */
function outcome<T>(result: Result<T>): unknown {
  return result.ok ? result.value : [result.refusal.reason, result.refusal.detail];
}

function formWith(text: string) {
  const form = parseForm(new TextEncoder().encode(text));
  if (!form.ok) throw new Error(form.refusal.reason);
  return form.value;
}

const tokens = (count: number): string[] => Array.from({ length: count }, (_, i) => `s${i}`);
const refused = (detail: string) => ["scope-malformed", detail];

describe("a scope", () => {
  test("is its tokens, in order and each once, however many spaces are between them", () => {
    expect(outcome(parseScope("  b a   b c a "))).toEqual(["b", "a", "c"]);
    expect(outcome(parseScope("Read read"))).toEqual(["Read", "read"]);
  });

  test("has at most 100 tokens, doubles among them, and at least one", () => {
    expect(outcome(parseScope(tokens(100).join(" ")))).toEqual(tokens(100));
    expect(outcome(parseScope(tokens(101).join(" ")))).toEqual(refused("101 tokens"));
    expect(outcome(parseScope(Array.from({ length: 101 }, () => "a").join(" ")))).toEqual(refused("101 tokens"));
    expect(outcome(parseScope(""))).toEqual(refused("0 tokens"));
    expect(outcome(parseScope("   "))).toEqual(refused("0 tokens"));
  });

  test("has at most 4,096 characters", () => {
    const longest = "x".repeat(4_096);
    expect(outcome(parseScope(longest))).toEqual([longest]);
    expect(outcome(parseScope(`${longest}x`))).toEqual(refused("too long"));
    expect(outcome(parseScope(`${longest} `))).toEqual(refused("too long"));
  });

  test("may have every character of RFC 6749 §3.3, and no other", () => {
    for (let code = 0; code <= 0x100; code += 1) {
      if (code === 0x20) continue;
      const sign = String.fromCharCode(code);
      const good = code > 0x20 && code < 0x7f && sign !== '"' && sign !== "\\";
      for (const token of [sign, `${sign}a`, `a${sign}`, `a${sign}a`]) {
        expect([token, outcome(parseScope(`good ${token}`))]).toEqual([
          token,
          good ? ["good", token] : refused("character"),
        ]);
      }
    }
  });
});

describe("a resource", () => {
  test.each([
    "https://ledger.example",
    "HTTPS://Ledger.example/a/../b?c=d",
    "urn:example:ledger",
    "http://127.0.0.1:8080/",
  ])("%s is one, as it was sent", (resource) => {
    expect(outcome(parseResource(resource))).toBe(resource);
  });

  test.each(["", "/mcp", "ledger.example", "//ledger.example", "https://", "https://a.example/#", "urn:a#b", "#"])(
    "%j is none",
    (resource) => {
      expect(outcome(parseResource(resource))).toEqual(["resource-malformed", undefined]);
    },
  );

  test("has at most 2,048 characters", () => {
    const longest = "https://ledger.example/".padEnd(2_048, "x");
    expect(outcome(parseResource(longest))).toBe(longest);
    expect(outcome(parseResource(`${longest}x`))).toEqual(["resource-malformed", undefined]);
  });
});

describe("a request", () => {
  test("that names no scope, or an empty one, has none: that is no refusal", () => {
    for (const text of ["", "scope=", "scope"]) expect(scopeOf(formWith(text))).toEqual({ ok: true, value: undefined });
  });

  test("has the scope that it names", () => {
    expect(outcome(scopeOf(formWith("scope=b+a")))).toEqual(["b", "a"]);
    expect(outcome(scopeOf(formWith("scope=+")))).toEqual(refused("0 tokens"));
    expect(outcome(scopeOf(formWith("scope=a%22")))).toEqual(refused("character"));
  });

  test("has the resources that it names, in order and each once", () => {
    expect(outcome(resourcesOf(formWith("")))).toEqual([]);
    const text = "resource=urn:b&resource=urn:a&resource=&resource=urn:b";
    expect(outcome(resourcesOf(formWith(text)))).toEqual(["urn:b", "urn:a"]);
  });

  test("of which one resource is none is refused whole", () => {
    for (const text of ["resource=urn:a&resource=b", "resource=b&resource=urn:a"]) {
      expect(outcome(resourcesOf(formWith(text)))).toEqual(["resource-malformed", undefined]);
    }
  });
});
