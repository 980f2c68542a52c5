/** Forms at their bounds, read off whole requests, and which detail the record has of a refusal. */
import { describe, expect, test } from "vitest";
import {
  FORM_LIMITS,
  type Form,
  formOf,
  isFormContentType,
  parseForm,
  readBody,
  readForm,
  readStream,
} from "./form.ts";
import type { Result } from "./result.ts";

const FORM = "application/x-www-form-urlencoded";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string): Result<Form> => parseForm(bytes(text));

/** `good`, or the reason and its detail. */
function outcome(result: Result<unknown>): unknown {
  return result.ok ? "good" : [result.refusal.reason, result.refusal.detail];
}

function read(form: Result<Form>): Form {
  if (!form.ok) throw new Error(form.refusal.reason);
  return form.value;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}=1`);
const tooLong = ["form-too-large", "more than 65536 bytes"];
const tooMany = ["form-too-large", "too many parameters"];

describe("a form", () => {
  test("has at most 65,536 bytes", () => {
    expect(outcome(parse(`a=${"x".repeat(65_534)}`))).toBe("good");
    expect(outcome(parse(`a=${"x".repeat(65_535)}`))).toEqual(tooLong);
    // Bytes are counted, not characters.
    expect(outcome(parse(`a=${"é".repeat(32_767)}`))).toBe("good");
    expect(outcome(parse(`aa=${"é".repeat(32_767)}`))).toEqual(tooLong);
  });

  test("has at most 100 parameters, and nothing between two ampersands is none", () => {
    const hundred = numbered(100);
    expect(read(parse(hundred.join("&"))).get("p99")).toBe("1");
    expect(outcome(parse(`&${hundred.join("&&&")}&&`))).toBe("good");
    expect(outcome(parse(numbered(101).join("&")))).toEqual(tooMany);
    expect(outcome(parse(Array.from({ length: 101 }, (_, i) => `resource=${i}`).join("&")))).toEqual(tooMany);
  });

  test("may be empty", () => {
    const form = read(parse(""));
    expect([form.get(""), form.get("scope"), form.all("resource")]).toEqual([undefined, undefined, []]);
  });

  test("divides a parameter at its first equals sign; without one it has no value", () => {
    const form = read(parse("a=b=c&flag&resource&=nameless&x="));
    expect(["a", "flag", "", "x"].map(form.get)).toEqual(["b=c", undefined, "nameless", undefined]);
    expect(form.all("resource")).toEqual([]);
    expect(outcome(parse("=a&=b"))).toEqual(["parameter-doubled", undefined]);
    expect(outcome(parse("scope&scope=a"))).toEqual(["parameter-doubled", "scope"]);
  });

  test("gives the values of what may repeat in order, without the empty ones; of others, all there is", () => {
    const form = read(parse("resource=b&audience=x&resource=&resource=a&resource=b&audience=y&scope=s"));
    expect([form.all("resource"), form.all("audience")]).toEqual([
      ["b", "a", "b"],
      ["x", "y"],
    ]);
    expect([form.get("resource"), form.all("scope"), form.all("actor_token")]).toEqual(["b", ["s"], []]);
  });

  test.each([
    "grant_type",
    "requested_token_type",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "scope",
    "authorization_details",
    "assertion",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
  ])("says in the record that %s was doubled, also where one of the two is empty", (name) => {
    expect(outcome(parse(`${name}=&other=1&${name}=x`))).toEqual(["parameter-doubled", name]);
  });

  test.each([
    ["bytes that are not UTF-8", new Uint8Array([0x61, 0x3d, 0xff]), "not UTF-8"],
    ["a name whose percent-encoding is broken", bytes("%zz=a"), "percent-encoding"],
    ["a value whose percent-encoding is broken", bytes("a=%e9"), "percent-encoding"],
    ["a NUL in a name", bytes("a%00=1"), "control character"],
    ["a NUL in a value", bytes("a=1%00"), "control character"],
    ["the last control character before the space", bytes("a=%1f"), "control character"],
    ["a delete", bytes("a=%7F"), "control character"],
    ["a line feed that is not encoded", bytes("a=1\nb"), "control character"],
  ])("with %s is refused, and why is on record", (_, body, detail) => {
    expect(outcome(parseForm(body))).toEqual(["form-malformed", detail]);
  });

  test("may have a space, a tilde, and what lies beyond ASCII", () => {
    expect(read(parse("a=%20~%C2%80")).get("a")).toBe(" ~\u0080");
  });
});

describe("parameters that somebody else has read", () => {
  test.each<[string, unknown]>([
    ["a number", 1],
    ["nothing", undefined],
    ["null", null],
    ["a list in a list", [["x"]]],
    ["a list with something else in it", ["x", 1]],
  ])("are refused with %s as a value", (_, value) => {
    expect(outcome(formOf({ grant_type: "g", resource: value }))).toEqual([
      "form-malformed",
      "a value that is no text",
    ]);
  });

  test("come out as they went in, whatever would have to be encoded", () => {
    const form = read(formOf({ scope: "a+b%20&c=d é", "odd name&": "1", resource: ["x", "", "y"], audience: [] }));
    expect([form.get("scope"), form.get("odd name&")]).toEqual(["a+b%20&c=d é", "1"]);
    expect([form.all("resource"), form.all("audience")]).toEqual([["x", "y"], []]);
  });

  test("are held to the limits of a form", () => {
    expect(outcome(formOf({ resource: Array.from({ length: 100 }, () => "r") }))).toBe("good");
    expect(outcome(formOf({ resource: Array.from({ length: 101 }, () => "r") }))).toEqual(tooMany);
    expect(outcome(formOf({ a: "x".repeat(65_534) }))).toBe("good");
    expect(outcome(formOf({ a: "x".repeat(65_535) }))).toEqual(tooLong);
  });
});

test.each<[string | null | undefined, boolean]>([
  [` ${FORM} `, true],
  [`${FORM} ;charset=utf-8`, true],
  [`${FORM};`, true],
  [`${FORM}; charset=iso-8859-1; x=y`, true],
  [`${FORM}, ${FORM}`, false],
  [`text/plain; ${FORM}`, false],
  ["multipart/form-data; boundary=x", false],
  ["", false],
  [undefined, false],
])("the content type %j is a form's: %s", (type, expected) => {
  expect(isFormContentType(type)).toBe(expected);
});

/** A stream that gives these chunks, one at each pull, and notes what becomes of it. */
function streamOf(...chunks: readonly Uint8Array[]) {
  const seen = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[seen.pulled++];
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

/** A request; its body comes without a declared length where it is a stream. */
function post(body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | string | null, headers: HeadersInit = {}) {
  const sent = { "content-type": FORM, ...headers };
  const duplex = body instanceof ReadableStream ? { duplex: "half" } : {};
  return new Request("https://idp.example/token", { method: "POST", headers: sent, body, ...duplex } as RequestInit);
}

describe("the form of a request", () => {
  test("is read off its body, whatever the parameters of its content type", async () => {
    const request = post("scope=a+b&resource=r", { "content-type": `${FORM}; charset=utf-8` });
    const form = read(await readForm(request));
    expect([form.get("scope"), form.all("resource")]).toEqual(["a b", ["r"]]);
  });

  test("is empty where there is no body", async () => {
    expect(read(await readForm(post(null))).get("grant_type")).toBeUndefined();
    expect(read(await readForm(post(""))).get("grant_type")).toBeUndefined();
  });

  test.each(["GET", "PUT", "PATCH", "DELETE", "HEAD"])("is not read off a %s", async (method) => {
    const request = new Request("https://idp.example/token?grant_type=x", {
      method,
      headers: { "content-type": FORM },
    });
    expect(outcome(await readForm(request))).toEqual(["method-wrong", undefined]);
  });

  test.each([
    ["JSON", { "content-type": "application/json" }],
    ["something that only begins like a form", { "content-type": `${FORM}x` }],
    ["two types at once", { "content-type": `${FORM}, ${FORM}` }],
    // A text without a type of its own is sent as text/plain.
    ["a text", { "content-type": "text/plain;charset=UTF-8" }],
  ])("is not read off %s, nor is the body", async (_, headers) => {
    const { stream, seen } = streamOf(bytes("grant_type=x"));
    expect(outcome(await readForm(post(stream, headers)))).toEqual(["form-content-type", undefined]);
    expect(seen.pulled).toBe(0);
  });

  test("is not read where no content type is given", async () => {
    const request = new Request("https://idp.example/token", { method: "POST", body: new Uint8Array(bytes("a=b")) });
    expect(outcome(await readForm(request))).toEqual(["form-content-type", undefined]);
  });

  test.each<[string, (text: string) => Request]>([
    ["with a declared length", (text) => post(text, { "content-length": String(text.length) })],
    ["without a declared length", (text) => post(streamOf(bytes(text)).stream)],
    ["whose declared length is too small", (text) => post(streamOf(bytes(text)).stream, { "content-length": "3" })],
    ["whose declared length is too large", (text) => post(text, { "content-length": "70000" })],
    ["in two pieces", (text) => post(streamOf(bytes(text.slice(0, 65_000)), bytes(text.slice(65_000))).stream)],
  ])("has at most 65,536 bytes: a body %s", async (_, request) => {
    const whole = `a=${"x".repeat(65_533)}y`;
    expect(read(await readForm(request(whole))).get("a")).toBe(whole.slice(2));
    expect(outcome(await readForm(request(`${whole}z`)))).toEqual(tooLong);
  });

  test("is refused as one that was read before would be", async () => {
    expect(outcome(await readForm(post(new Uint8Array([0x61, 0x3d, 0xff]))))).toEqual(["form-malformed", "not UTF-8"]);
    expect(outcome(await readForm(post("scope=a&scope=b")))).toEqual(["parameter-doubled", "scope"]);
  });

  test("is refused when its body breaks off, also after a good beginning", async () => {
    let pulls = 0;
    const breaking = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(bytes("grant_type=x&"));
        else controller.error(new Error("reset"));
      },
    });
    expect(outcome(await readForm(post(breaking)))).toEqual(["form-malformed", "the body broke off"]);
  });

  test("is refused when its body was read by somebody else", async () => {
    const request = post("grant_type=x");
    await request.text();
    expect(outcome(await readForm(request))).toEqual(["form-malformed", "the body broke off"]);
  });
});

describe("a body", () => {
  test("is read up to a limit of the caller's, which the record names, or else to that of a form", async () => {
    const exact = await readBody(post("12345"), 5);
    expect(exact.ok && new TextDecoder().decode(exact.value)).toBe("12345");
    expect(outcome(await readBody(post("123456"), 5))).toEqual(["form-too-large", "more than 5 bytes"]);
    expect(outcome(await readBody(post("x".repeat(FORM_LIMITS.bytes))))).toBe("good");
    expect(outcome(await readBody(post("x".repeat(FORM_LIMITS.bytes + 1))))).toEqual(tooLong);
  });

  test("of nothing is good, also where nothing is allowed", async () => {
    expect(await readBody(post(null), 0)).toEqual({ ok: true, value: new Uint8Array(0) });
    expect(outcome(await readBody(post("x"), 0))).toEqual(["form-too-large", "more than 0 bytes"]);
  });
});

describe("a stream", () => {
  test("is put together in order, empty pieces and all, and is left to end by itself", async () => {
    const { stream, seen } = streamOf(bytes("ab"), bytes(""), bytes("cde"), bytes("f"));
    expect(new TextDecoder().decode(await readStream(stream, 6))).toBe("abcdef");
    expect(seen).toEqual({ pulled: 5, cancelled: false });
  });

  test("is cancelled at the piece that goes beyond the limit, and no further one is asked for", async () => {
    const { stream, seen } = streamOf(bytes("ab"), bytes("cde"), bytes("f"), bytes("g"));
    expect(await readStream(stream, 4)).toBeUndefined();
    expect(seen).toEqual({ pulled: 2, cancelled: true });
  });

  test("that is none has no bytes", async () => {
    expect(await readStream(null, 0)).toEqual(new Uint8Array(0));
  });

  test("that fails, fails", async () => {
    const failing = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("reset")) });
    await expect(readStream(failing, 10)).rejects.toThrow("reset");
  });
});
