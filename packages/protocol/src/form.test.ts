import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FORM_LIMITS, formOf, isFormContentType, parseForm, readBody } from "./form.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const reasonOf = (body: Uint8Array): string => {
  const form = parseForm(body);
  return form.ok ? "ok" : form.refusal.reason;
};

describe("a form", () => {
  test("gives its parameters back, decoded", () => {
    const form = parseForm(bytes("a=1&b=x+y%20z&c=%C3%A9&scope="));
    expect(form.ok && [form.value.get("a"), form.value.get("b"), form.value.get("c")]).toEqual(["1", "x y z", "é"]);
  });

  test("treats an empty parameter as omitted", () => {
    const form = parseForm(bytes("scope=&resource=&resource=r"));
    expect(form.ok && [form.value.get("scope"), form.value.all("resource")]).toEqual([undefined, ["r"]]);
  });

  test("lets audience and resource repeat, and nothing else", () => {
    expect(reasonOf(bytes("resource=a&resource=b&audience=c&audience=d"))).toBe("ok");
    expect(reasonOf(bytes("scope=a&scope=b"))).toBe("parameter-doubled");
    expect(reasonOf(bytes("grant_type=a&grant_type=a"))).toBe("parameter-doubled");
    expect(reasonOf(bytes("grant%5Ftype=a&grant_type=a"))).toBe("parameter-doubled");
  });

  test("that somebody else has read is held to the same rules", () => {
    const form = formOf({ scope: "x y", resource: ["a", "b"] });
    expect(form.ok && [form.value.get("scope"), form.value.all("resource")]).toEqual(["x y", ["a", "b"]]);
    expect(formOf({ scope: ["x", "y"] })).toMatchObject({ refusal: { reason: "parameter-doubled" } });
    expect(formOf({ scope: { x: "y" } })).toMatchObject({ refusal: { reason: "form-malformed" } });
    expect(formOf({ scope: "x\u0000" })).toMatchObject({ refusal: { reason: "form-malformed" } });
  });

  test.each([
    ["a body over the limit", bytes(`a=${"x".repeat(FORM_LIMITS.bytes)}`), "form-too-large"],
    ["too many parameters", bytes(Array.from({ length: 101 }, (_, i) => `p${i}=1`).join("&")), "form-too-large"],
    ["bytes that are not UTF-8", new Uint8Array([0x61, 0x3d, 0xff]), "form-malformed"],
    ["percent-encoding that is not UTF-8", bytes("a=%ff"), "form-malformed"],
    ["broken percent-encoding", bytes("a=%zz"), "form-malformed"],
    ["a NUL", bytes("a=%00"), "form-malformed"],
    ["a line feed in a name", bytes("a%0a=1"), "form-malformed"],
  ])("refuses %s", (_, body, reason) => {
    expect(reasonOf(body)).toBe(reason);
  });

  test("never names a parameter that it does not know", () => {
    const form = parseForm(bytes("s3cret=a&s3cret=b"));
    expect(JSON.stringify(form)).not.toContain("s3cret");
  });

  test("reads what URLSearchParams writes", () => {
    const printable = fc.string({ unit: "grapheme" }).filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text) && text !== "");
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(printable, printable), { selector: ([name]) => name, maxLength: 20 }),
        (pairs) => {
          const form = parseForm(bytes(new URLSearchParams(pairs).toString()));
          expect(form.ok).toBe(true);
          for (const [name, value] of pairs) expect(form.ok && form.value.get(name)).toBe(value);
        },
      ),
    );
  });

  test("never throws, whatever the bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (body) => typeof parseForm(body).ok === "boolean"));
  });
});

describe("the body of a request", () => {
  test("is not read past the limit", async () => {
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1_000));
      },
    });
    const request = new Request("http://x.example", { method: "POST", body: endless, duplex: "half" } as RequestInit);
    const body = await readBody(request, 10_000);
    expect(body.ok ? "ok" : body.refusal.reason).toBe("form-too-large");
    expect(pulled).toBeLessThan(20);
  });

  test("that breaks off is refused", async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
    const request = new Request("http://x.example", { method: "POST", body: broken, duplex: "half" } as RequestInit);
    const body = await readBody(request);
    expect(body.ok ? "ok" : body.refusal.reason).toBe("form-malformed");
  });
});

test.each([
  ["application/x-www-form-urlencoded", true],
  ["Application/X-WWW-Form-Urlencoded; charset=utf-8", true],
  ["application/json", false],
  ["application/x-www-form-urlencodedx", false],
  [null, false],
])("content type %s is a form: %s", (type, expected) => {
  expect(isFormContentType(type)).toBe(expected);
});
