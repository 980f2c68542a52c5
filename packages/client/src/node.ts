/** The desktop half: a sign-in through the person's own browser, and a fetch that refuses private addresses. */
export { nodeFetch } from "@credence/protocol/node";
export { type BrowserCodeFlowOptions, browserCodeFlow } from "./browser-code-flow.node.ts";
export { type BrowserSignInOptions, signInWithBrowser } from "./browser-sign-in.node.ts";
export { fileTokenStore } from "./file-token-store.node.ts";
