// @ts-check
// A plugin of Stryker's, loaded by it: sentences for people are not changed, for no test should repeat them word by word.

/** A literal that begins as a sentence does, and has three words or more; SQL and protocol values do not. */
const SENTENCE = /^\s*[A-Z][a-z']*(?:\s+\S+){2}/;
/** Members of the catalogue of reasons that are documentation: docs/reasons.md is made of them. */
const EXPLANATIONS = new Set(["section", "means", "mend"]);

export const strykerPlugins = [
  {
    kind: "Ignore",
    name: "sentences",
    value: {
      /**
       * @param {{ node: any, parent?: any }} path
       * @returns {string | undefined} why it is left alone
       */
      shouldIgnore({ node, parent }) {
        if (node.type === "ObjectProperty" && EXPLANATIONS.has(node.key.name) && node.value.type === "StringLiteral") {
          return "documentation of a reason";
        }
        if (parent?.type === "TSLiteralType") return undefined;
        return SENTENCE.test(textOf(node)) ? "a sentence for people" : undefined;
      },
    },
  },
];

/** @param {any} node */
function textOf(node) {
  if (node.type === "StringLiteral") return node.value;
  // What is put in counts as one word.
  if (node.type === "TemplateLiteral") return node.quasis.map((/** @type {any} */ one) => one.value.cooked).join("…");
  return "";
}
