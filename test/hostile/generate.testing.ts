/**
 * Requests that no honest client sends: a good one, changed in up to four places. Texts hold one byte in each character, so that what
 * is not UTF-8 can be said.
 */
import { METHODS as HTTP_METHODS } from "node:http";
import fc from "fast-check";
import type { Wire } from "./socket.testing.ts";
import { anyText, tokenChange } from "./tokens.testing.ts";
import { ENDS, FRAMING, HEADERS, METHODS, NAMES, TARGETS } from "./values.testing.ts";

/** A good request, before anything is changed in it. */
export interface Request {
  readonly method: string;
  readonly target: string;
  /** What frames the body, and the host, is added. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Parameters, not encoded yet: of a GET in the URL, else in the body. */
  readonly form?: Readonly<Record<string, string>> | URLSearchParams;
  /** A body that is no form. */
  readonly body?: string;
  /** Tokens of other kinds, to be put where they do not belong. */
  readonly tokens?: readonly string[];
}

type Pair = [name: string, value: string];

interface Draft {
  method: string;
  target: string;
  headers: Pair[];
  /** Encoded. */
  fields: Pair[];
  body: string | undefined;
  framing: "length" | "chunked" | "short" | "long" | "both" | "none";
  readonly tokens: readonly string[];
}

/** One change; its first half says what it is, for people. */
export type Change = readonly [what: string, apply: (draft: Draft) => void];

const change = (what: string, apply: (draft: Draft) => void): Change => [what, apply];
/** As `encodeURIComponent`, of any bytes. */
const encode = (bytes: string): string =>
  bytes.replaceAll(/[^A-Za-z0-9._~-]/g, (one) => `%${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
const which = fc.nat(30);

function pick<T>(list: readonly T[], number: number): T | undefined {
  return list[number % Math.max(1, list.length)];
}

const fieldChanges: readonly fc.Arbitrary<Change>[] = [
  fc.tuple(which, anyText, fc.nat(5)).map(([n, value, how]) =>
    change("a parameter has another value", ({ fields }) => {
      const field = pick(fields, n);
      if (field !== undefined) field[1] = how === 0 ? value : how === 1 ? encode(encode(value)) : encode(value);
    }),
  ),
  which.map((n) => change("a parameter is missing", ({ fields }) => void fields.splice(n % (fields.length + 1), 1))),
  fc.tuple(which, fc.boolean()).map(([n, same]) =>
    change("a parameter stands twice", ({ fields }) => {
      const [name = "x", value = "x"] = pick(fields, n) ?? [];
      fields.push([name, same ? value : "x"]);
    }),
  ),
  fc
    .tuple(fc.oneof(fc.constantFrom(...NAMES), anyText), fc.oneof(anyText, fc.constantFrom(...NAMES)))
    .map(([name, value]) =>
      change("a parameter more", ({ fields }) => void fields.push([encode(name), encode(value)])),
    ),
  fc.tuple(which, which).map(([one, other]) =>
    change("the values of two parameters are exchanged", ({ fields }) => {
      const [a, b] = [pick(fields, one), pick(fields, other)];
      if (a !== undefined && b !== undefined) [a[1], b[1]] = [b[1], a[1]];
    }),
  ),
  fc.tuple(which, fc.constantFrom(...NAMES)).map(([n, name]) =>
    change("a parameter has another name", ({ fields }) => {
      const field = pick(fields, n);
      if (field !== undefined) field[0] = name;
    }),
  ),
  fc.nat(300).map((count) =>
    change("many parameters", ({ fields }) => {
      for (let i = 0; i < count; i++) fields.push([`p${i}`, "x"]);
    }),
  ),
];

const TOKEN = /^[\w%-]+\.[\w%-]+\.[\w%-]*$/;

/** Wherever a token stands: in a parameter, or in a header. */
const splicedToken: fc.Arbitrary<Change> = fc.tuple(which, tokenChange).map(([n, edit]) =>
  change("a token is changed", ({ fields, headers, tokens }) => {
    const inHeaders = headers.filter(([name]) => /^(authorization|dpop|cookie)$/i.test(name));
    const place = pick([...fields.filter(([, value]) => TOKEN.test(value) || value.length > 20), ...inHeaders], n);
    if (place === undefined) return;
    if (inHeaders.includes(place)) {
      const [, scheme = "", token = ""] = /^((?:\w+ )?)([\s\S]*)$/.exec(place[1]) ?? [];
      place[1] = scheme + edit(token, tokens);
    } else place[1] = encode(edit(place[1], tokens));
  }),
);

const headerChanges: readonly fc.Arbitrary<Change>[] = [
  fc.tuple(fc.constantFrom(...HEADERS), fc.boolean()).map(([[name, value], beside]) =>
    change(`another ${name}`, (draft) => {
      if (!beside) draft.headers = draft.headers.filter(([known]) => known.toLowerCase() !== name);
      draft.headers.push([name, value]);
    }),
  ),
  which.map((n) => change("a header is missing", ({ headers }) => void headers.splice(n % headers.length || 1, 1))),
  which.map((n) =>
    change("a header stands twice", ({ headers }) => {
      const [name = "x", value = "x"] = pick(headers, n) ?? [];
      headers.push([name.toUpperCase(), value]);
    }),
  ),
  fc.tuple(which, anyText).map(([n, value]) =>
    change("a header has another value", ({ headers }) => {
      const header = pick(headers, n);
      if (header !== undefined) header[1] = value;
    }),
  ),
  fc.constantFrom(100, 1_000).map((count) =>
    change("many headers", ({ headers }) => {
      for (let i = 0; i < count; i++) headers.push([`x-${i}`, "x"]);
    }),
  ),
];

const bodyChanges: readonly fc.Arbitrary<Change>[] = [
  anyText.map((text) =>
    change("another body", (draft) => {
      draft.body = text;
    }),
  ),
  fc.tuple(fc.nat(2_000), anyText, fc.boolean()).map(([at, text, goesOn]) =>
    change("bytes within the body", (draft) => {
      const body = bodyOf(draft);
      const index = at % (body.length + 1);
      draft.body = body.slice(0, index) + text + (goesOn ? body.slice(index) : "");
    }),
  ),
  fc.constantFrom(66_000, 300_000).map((size) =>
    change("a huge body", (draft) => {
      draft.body = `${bodyOf(draft)}&x=${"x".repeat(size)}`;
    }),
  ),
  fc.constantFrom<Draft["framing"]>("chunked", "chunked", "short", "long", "both", "none").map((framing) =>
    change(`framed: ${framing}`, (draft) => {
      draft.framing = framing;
    }),
  ),
];

const lineChanges: readonly fc.Arbitrary<Change>[] = [
  fc.constantFrom(...METHODS).map((method) =>
    change(`method ${method}`, (draft) => {
      draft.method = method;
    }),
  ),
  fc.tuple(anyText, fc.constantFrom("/", "?x=")).map(([text, divider]) =>
    change("a longer target", (draft) => {
      draft.target += divider + encode(text).slice(0, 6_000);
    }),
  ),
  fc.constantFrom(...ENDS).map((end) =>
    change("an odd end of the target", (draft) => {
      draft.target += end;
    }),
  ),
  fc.constantFrom(...TARGETS).map((target) =>
    change("another target", (draft) => {
      draft.target = target;
    }),
  ),
];

/** Up to four changes; now and then none, so that the good request is among them. */
export const hostileChanges: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: fc.oneof(...fieldChanges) },
    { weight: 9, arbitrary: splicedToken },
    { weight: 5, arbitrary: fc.oneof(...headerChanges) },
    { weight: 3, arbitrary: fc.oneof(...bodyChanges) },
    { weight: 2, arbitrary: fc.oneof(...lineChanges) },
  ),
  { maxLength: 4 },
);

/** A request that was changed. */
export interface Hostile extends Wire {
  /** Whether it still is for the same endpoint. */
  readonly samePlace: boolean;
  readonly sameMethod: boolean;
}

/** Makes the request with these changes. */
export function changed(request: Request, changes: readonly Change[], host: string): Hostile {
  const inQuery = request.method === "GET" && request.form !== undefined;
  const utf8 = (text: string): string => encode(Buffer.from(text, "utf8").toString("latin1"));
  const draft: Draft = {
    method: request.method,
    target: request.target,
    headers: [["host", host], ...Object.entries(request.headers ?? {})],
    fields: [...new URLSearchParams(request.form)].map(([name, value]): Pair => [utf8(name), utf8(value)]),
    body: request.body,
    framing: "length",
    tokens: request.tokens ?? [],
  };
  for (const [, apply] of changes) apply(draft);
  if (inQuery) draft.target += `${draft.target.includes("?") ? "&" : "?"}${formOf(draft)}`;
  const body = inQuery ? (draft.body ?? "") : bodyOf(draft);
  const chunked = draft.framing === "chunked" || draft.framing === "both";
  const line = `${draft.method} ${draft.target} HTTP/1.1`;
  const headers = draft.headers.map(([name, value]) => `${name}: ${value}`);
  return {
    bytes:
      [line, ...headers, ...frame(draft.framing, body), "connection: close", "", ""].join("\r\n") +
      (chunked ? chunks(body) : body),
    broken: !isWhole(draft, line, headers),
    method: draft.method,
    sameMethod: draft.method === request.method,
    samePlace: draft.target.split("?")[0] === request.target.split("?")[0],
  };
}

function formOf({ fields }: Draft): string {
  return fields.map((field) => field.join("=")).join("&");
}

function bodyOf(draft: Draft): string {
  return draft.body ?? formOf(draft);
}

function frame(framing: Draft["framing"], body: string): readonly string[] {
  switch (framing) {
    case "chunked":
      return ["transfer-encoding: chunked"];
    case "both":
      return [`content-length: ${body.length}`, "transfer-encoding: chunked"];
    // The connection ends before the body does.
    case "short":
      return [`content-length: ${body.length + 50}`];
    case "long":
      return [`content-length: ${Math.floor(body.length / 2)}`];
    case "none":
      return [];
    default:
      return body === "" ? [] : [`content-length: ${body.length}`];
  }
}

function chunks(body: string): string {
  const pieces = body.match(/[\s\S]{1,500}/g) ?? [];
  return `${pieces.map((piece) => `${piece.length.toString(16)};x=y\r\n${piece}\r\n`).join("")}0\r\n\r\n`;
}

/** Whether this is a request as HTTP has it, to its end: then an answer is due. */
function isWhole({ framing, headers: sent }: Draft, line: string, headers: readonly string[]): boolean {
  const framed = sent.filter(([name]) => FRAMING.has(name.toLowerCase()));
  return (
    (framing === "length" || framing === "chunked") &&
    framed.length === 1 &&
    /^host: [\w.-]+(?::\d+)?$/.test(headers[0] ?? "") &&
    // What Node's parser knows: a method of an own kind is no HTTP to it.
    HTTP_METHODS.includes(line.split(" ", 1)[0] ?? "") &&
    /^[A-Z]+ \/[\w!$%&'()*+,\-./:;=?@~#[\]]* HTTP\/1\.1$/.test(line) &&
    headers.every((header) => /^[\w-]+: [\t\x20-\x7e\x80-\xff]*$/.test(header)) &&
    line.length + headers.join("").length < 14_000 &&
    headers.length < 900
  );
}
