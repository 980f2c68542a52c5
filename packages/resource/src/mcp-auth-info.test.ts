import { expect, test } from "vitest";
import { tokenOf } from "./mcp-auth-info.ts";

test.each<[string | null | undefined, string]>([
  ["Bearer abc.def-ghi", "abc.def-ghi"],
  ["DPoP abc.def-ghi", "abc.def-ghi"],
  ["bearer QQ==", "QQ=="],
  ["Bearer   abc", "abc"],
  ["Bearer \tabc\t", "abc"],
  ["Bearer", ""],
  [null, ""],
  [undefined, ""],
])("the token of the header %j is %j", (header, token) => {
  expect(tokenOf(header)).toBe(token);
});
