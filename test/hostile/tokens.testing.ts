/** Tokens cut, spliced, and with another header or other claims under the same signature. */
import fc from "fast-check";
import { MEMBER_VALUES, MEMBERS, TEXTS } from "./values.testing.ts";

/** Any text: one that means something somewhere, or any bytes. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...TEXTS) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 60 }).map((text) => Buffer.from(text).toString("latin1")),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString("latin1")) },
);

/** Makes another token of one. `others` are tokens of other kinds. */
export type TokenChange = (token: string, others: readonly string[]) => string;

const base64url = (bytes: string): string => Buffer.from(bytes, "latin1").toString("base64url");
const place = fc.nat(2_000);

function parts(token: string, edit: (part: string, index: number) => string): string {
  return token.split(".").map(edit).join(".");
}

const cut: fc.Arbitrary<TokenChange> = fc.tuple(place, fc.boolean()).map(
  ([at, end]) =>
    (token) =>
      end ? token.slice(0, at % (token.length + 1)) : token.slice(at % (token.length + 1)),
);

const inserted: fc.Arbitrary<TokenChange> = fc.tuple(place, anyText, fc.nat(1)).map(([at, text, over]) => (token) => {
  const index = at % (token.length + 1);
  return token.slice(0, index) + text + token.slice(index + over);
});

const withoutPart: fc.Arbitrary<TokenChange> = fc.nat(2).map(
  (which) => (token) =>
    token
      .split(".")
      .filter((_, index) => index !== which)
      .join("."),
);

const spliced: fc.Arbitrary<TokenChange> = fc.tuple(fc.nat(9), fc.nat(3)).map(([which, part]) => (token, others) => {
  const other = others[which % Math.max(1, others.length)] ?? "";
  return part === 3 ? other : parts(token, (own, index) => (index === part ? (other.split(".")[part] ?? "") : own));
});

const withMember: fc.Arbitrary<TokenChange> = fc
  .tuple(fc.nat(1), fc.constantFrom(...MEMBERS), fc.constantFrom(...MEMBER_VALUES), fc.boolean())
  .map(([part, name, value, last]) => (token) => {
    const member = `"${name}":${value}`;
    return parts(token, (own, index) => {
      if (index !== part) return own;
      const json = Buffer.from(own, "base64url").toString("latin1");
      // Of two members with one name some parsers take the first, some the last.
      return base64url(last ? json.replace(/\}\s*$/, `,${member}}`) : json.replace("{", `{${member},`));
    });
  });

const otherPart: fc.Arbitrary<TokenChange> = fc.tuple(fc.nat(2), anyText, fc.boolean()).map(
  ([part, text, raw]) =>
    (token) =>
      parts(token, (own, index) => (index === part ? (raw ? text : base64url(text)) : own)),
);

const odd: fc.Arbitrary<TokenChange> = fc.constantFrom<TokenChange>(
  (token) => `${token}=`,
  (token) => `${token}.${token}`,
  (token) => `${token}.AA.AA`,
  (token) => `\t${token} `,
  (token) => `${token}, ${token}`,
  (token) => token.toUpperCase(),
  (token) => token.replace(/[^.]*$/, ""),
  (token) => token + "A".repeat(20_000),
);

/** Any of these. */
export const tokenChange: fc.Arbitrary<TokenChange> = fc.oneof(
  ...[cut, inserted, withoutPart, spliced, withMember, withMember, otherPart, odd],
);
