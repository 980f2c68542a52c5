/** Checks of the server as a process: its keys, what it keeps in memory, when it answers, and how it ends. */
import type { Row } from "./seen-red.table.ts";

const SERVER = "packages/server/src";
const KEYRING_TEST = `${SERVER}/keys/keyring.test.ts`;
const TRANSIT_TEST = `${SERVER}/keys/transit.test.ts`;
const REMEMBERED_TEST = `${SERVER}/idp/remembered.test.ts`;
const DRAIN_TEST = `${SERVER}/http/drain.test.ts`;

export const PROCESS_ROWS: readonly Row[] = [
  {
    bug: "Keys: what a revoked key signed still counts",
    check: "only keys that sign, shall sign, or are retiring are published and verify",
    changes: [
      {
        file: `${SERVER}/keys/life.ts`,
        find: 'return maySign(state) || state === "retiring";',
        replace: 'return maySign(state) || state !== "retired";',
      },
    ],
    tests: [
      {
        file: KEYRING_TEST,
        names: [
          "keyring > rotation > because of a compromise takes the key out at once, and the next one signs at once",
        ],
      },
    ],
  },
  {
    bug: "Keys: a key signs before whoever caches the JWKS has it",
    check: "the next key is published for as long as caches may keep the JWKS before it signs",
    changes: [
      {
        file: `${SERVER}/keys/life.ts`,
        find: "return next.createdAt + lead <= now ?",
        replace: "return next.createdAt <= now ?",
      },
    ],
    tests: [
      {
        file: KEYRING_TEST,
        names: ["keyring > rotation > by a calendar does not begin before the next key was published for long enough"],
      },
    ],
  },
  {
    bug: "Keys: a signature that a signing service got wrong leaves in a token",
    check: "each signature of an external key is verified before it is handed on",
    changes: [
      {
        file: `${SERVER}/keys/external-keys.ts`,
        find: "if (await verifier.verify(data, signature)) return signature;",
        replace: "if ((await verifier.verify(data, signature)) || signature.length > 0) return signature;",
      },
    ],
    tests: [
      {
        file: TRANSIT_TEST,
        names: ["signing keys that are kept elsewhere > let nothing out when the answer is: wrong signature"],
      },
    ],
  },
  {
    bug: "Keys: whatever a KMS answers becomes the data key",
    check: "a plaintext that is no data key is refused",
    changes: [
      {
        file: `${SERVER}/keys/transit.ts`,
        find: 'return dataKeyBytes(Buffer.from(text(answer, "plaintext", options), "base64").toString("base64url"));',
        replace: 'void dataKeyBytes;\n        return Buffer.from(text(answer, "plaintext", options), "base64");',
      },
    ],
    tests: [{ file: TRANSIT_TEST, names: ["a key-encryption key in a KMS > refuses a plaintext that is no data key"] }],
  },
  {
    bug: "Signature cache: a token counts whose key is gone, or was replaced under its `kid`",
    check: "what was verified counts as long as the very key that did it is the one for the token",
    changes: [
      {
        file: `${SERVER}/idp/remembered.ts`,
        find: "(await keys(jws.header)) === before",
        replace: "(await keys(jws.header)) !== null",
      },
    ],
    tests: [
      {
        file: REMEMBERED_TEST,
        names: [
          "a signature that was found to be good > counts only as long as its key does: one that is gone, or another under the same kid, is asked again",
        ],
      },
    ],
  },
  {
    bug: "Signature cache: a token that shares a part with a good one counts",
    check: "a token is known by the hash of all of it",
    changes: [
      {
        file: `${SERVER}/idp/remembered.ts`,
        find: 'hash("sha256", token, "base64url")',
        replace: 'hash("sha256", token.split(".")[0] ?? "", "base64url")',
      },
    ],
    tests: [
      {
        file: REMEMBERED_TEST,
        names: [
          "a signature that was found to be good > says nothing of another token: not of one with other claims, another signature, or a part of it elsewhere",
        ],
      },
    ],
  },
  {
    bug: "Directory cache: a connection that was switched off still permits",
    check: "documents in memory count for one revision of the organization, which is compared each time",
    changes: [
      {
        file: `${SERVER}/store/directory-cache.ts`,
        find: "if (current !== at) {",
        replace: "if (at === undefined) {",
      },
    ],
    tests: [
      {
        file: `${SERVER}/store/sqlite.test.ts`,
        names: [
          "one store, opened several times: SQLite > shows what another one wrote once it is written; the organization, a second later at the latest",
        ],
      },
    ],
  },
  {
    bug: "Record: an answer that leaves before its event is on disk",
    check: "whoever records waits for the commit",
    changes: [
      {
        file: `${SERVER}/audit/audit.ts`,
        find: "await group.add(encodeEvent(event, now()));",
        replace: "group.add(encodeEvent(event, now())).catch(() => {});",
      },
    ],
    tests: [
      {
        file: `${SERVER}/audit/audit.test.ts`,
        names: [
          "the record > is on disk when `record` resolves: another reader sees it",
          "the record > when the store does not take an append > rejects everything that waited for it, and later events continue the chain",
        ],
      },
      {
        file: "test/exchange.test.ts",
        names: [
          "the record is what a permit stands on > when it can not be written, the answer is 503 and there is no ID-JAG",
        ],
      },
    ],
  },
  {
    bug: "Draining: a server that is about to end says that it is ready",
    check: "from the signal on readiness says `draining`",
    changes: [
      {
        file: `${SERVER}/operations/health.ts`,
        find: 'status: draining ? "draining" : working',
        replace: 'status: draining && !working ? "draining" : working',
      },
    ],
    tests: [{ file: `${SERVER}/operations/health.test.ts`, names: ["health > says that it drains"] }],
  },
  {
    bug: "Draining: a connection is closed under a request that is on its way",
    check: "an idle connection is closed when its client can no longer count on it",
    changes: [
      {
        file: `${SERVER}/http/drain.ts`,
        find: "if (performance.now() >= idleUntil) closeIdle(",
        replace: "if (performance.now() >= idleUntil - keptMs) closeIdle(",
      },
    ],
    tests: [
      {
        file: DRAIN_TEST,
        names: [
          "a listener that drains > answers on a connection that its client may still count on, when nobody new is taken any more",
        ],
      },
    ],
  },
  {
    bug: "Node's own path: a second header line is passed over",
    check: "all lines of a header count, as in a Web request",
    changes: [
      {
        file: "packages/resource/src/node/request.ts",
        find: "if (other.length === name.length && ",
        replace: "if (found === null && other.length === name.length && ",
      },
    ],
    tests: [
      {
        file: "packages/resource/src/node/same-answers.test.ts",
        names: [
          "node:http answers as the Web's requests are answered > two Authorization headers",
          "node:http answers as the Web's requests are answered > two DPoP headers",
        ],
      },
    ],
  },
  {
    bug: "Node's own path: a body of any size is kept",
    check: "what goes beyond the limit of a form is refused, and not kept",
    changes: [
      {
        file: "packages/resource/src/node/body.ts",
        find: "if (size > FORM_LIMITS.bytes) end(",
        replace: "if (size > FORM_LIMITS.bytes * 1_000) end(",
      },
    ],
    tests: [
      {
        file: "packages/resource/src/node/same-answers.test.ts",
        names: ["node:http answers as the Web's requests are answered > one byte more"],
      },
    ],
  },
  {
    bug: "Node's own path: any content type is a form",
    check: "only a POST of a form goes there",
    changes: [
      {
        file: "packages/resource/src/node/middleware.ts",
        find: 'return plain && isFormContentType(headerOf(req, "content-type"));',
        replace: 'return plain || isFormContentType(headerOf(req, "content-type"));',
      },
    ],
    tests: [
      {
        file: "packages/resource/src/node/same-answers.test.ts",
        names: [
          "node:http answers as the Web's requests are answered > another content type",
          "node:http answers as the Web's requests are answered > two Content-Type headers",
        ],
      },
    ],
  },
];
