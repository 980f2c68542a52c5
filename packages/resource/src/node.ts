/** For Node: a fetch that checks addresses at connect time, for the option `fetch` of `createResourceServer`. */
export { nodeFetch } from "@credence/protocol/node";
