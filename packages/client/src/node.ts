/** The desktop half: a sign-in through the person's own browser, and a fetch that refuses private addresses. */
export { nodeFetch } from "@credence/protocol/node";
export { type BrowserSignInOptions, signInWithBrowser } from "./browser-sign-in.node.ts";
export { fileTokenStore } from "./file-token-store.node.ts";
