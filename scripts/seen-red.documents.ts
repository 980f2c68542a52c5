/** Checks of agents at the URL of their own document. */
import type { Row } from "./seen-red.table.ts";

const PROTOCOL = "packages/protocol/src";
const SERVER = "packages/server/src";
const METADATA = `${PROTOCOL}/client-metadata.ts`;
const DOCUMENTS = `${SERVER}/directory/client-documents.ts`;

const METADATA_TEST = `${PROTOCOL}/client-metadata.test.ts`;
const DOCUMENT_TEST = "test/cimd.test.ts";
const DOCUMENTS_TEST = `${SERVER}/directory/client-documents.test.ts`;

const NO_DOCUMENT = "a document is not used";

export const DOCUMENT_ROWS: readonly Row[] = [
  {
    bug: "Agent's document that names another client",
    check: "`client_id` is the URL that it was fetched from, letter by letter",
    changes: [
      {
        file: METADATA,
        find: 'if (document.client_id !== clientId) throw wrong("client_id", "is not the URL of the document");',
        replace: "",
      },
    ],
    tests: [
      { file: METADATA_TEST, names: ["a document > of another client is refused"] },
      {
        file: DOCUMENT_TEST,
        names: [
          `${NO_DOCUMENT} > when it names another client`,
          `${NO_DOCUMENT} > when it names itself with a slash more`,
        ],
      },
    ],
  },
  {
    bug: "Agent's document with a private key or a secret in it",
    check: "what everybody can read proves nothing (two checks: both are taken out)",
    changes: [
      { file: METADATA, find: "Array.isArray(keys) && keys.some(secret)", replace: "keys === secret" },
      {
        file: METADATA,
        find: 'if (document[name] !== undefined) throw wrong(name, "must not stand in a public document");',
        replace: "void name;",
      },
    ],
    tests: [
      {
        file: METADATA_TEST,
        names: ["a document > with a private key is refused", "a document > with a secret is refused"],
      },
      {
        file: DOCUMENT_TEST,
        names: [`${NO_DOCUMENT} > when it has a private key`, `${NO_DOCUMENT} > when it has a secret`],
      },
    ],
  },
  {
    bug: "Agent's document that sends us to a private address for its keys",
    check: "the address is looked at when the document is read",
    changes: [
      {
        file: DOCUMENTS,
        find: "if (metadata.jwks_uri !== undefined) checkUrl(metadata.jwks_uri, allowLoopback);",
        replace: "void checkUrl;",
      },
    ],
    tests: [{ file: DOCUMENT_TEST, names: [`${NO_DOCUMENT} > when its keys are at a private address`] }],
  },
  {
    bug: "Agent's document that was withdrawn counts on",
    check: "an old document serves while its server is down, and not once it is answered badly",
    changes: [
      {
        file: DOCUMENTS,
        find: "if (kept && isUnavailable(failure) && now()",
        replace: "if (kept && failure !== isUnavailable && now()",
      },
    ],
    tests: [
      {
        file: DOCUMENTS_TEST,
        names: [
          "a document is kept > no longer, once it is answered with 404",
          "a document is kept > no longer, once it says what it must not",
        ],
      },
    ],
  },
  {
    bug: "Agent's document that changes, unnoticed",
    check: "what changed is on record before it counts, over restarts too",
    changes: [{ file: DOCUMENTS, find: "await noteChange(metadata, ports);", replace: "void noteChange;" }],
    tests: [
      {
        file: DOCUMENT_TEST,
        names: [
          "a document that changes > is on record with what has changed, before it counts",
          "a document that changes > while the server is down is on record when it is back",
        ],
      },
    ],
  },
  {
    bug: "Agent's new key not seen at sign-in, so that its old one counts on there",
    check: "an assertion with a key that is not known has the document read again",
    changes: [
      {
        file: `${SERVER}/directory/assertion-key.ts`,
        find: "await (await ports.keysOf(agent))?.(jws.header);",
        replace: "void ports.keysOf;",
      },
    ],
    tests: [
      {
        file: DOCUMENT_TEST,
        names: [
          "a document that changes > while a sign-in is open: the code is redeemed with the new key, and not with the old one",
        ],
      },
    ],
  },
  {
    bug: "Agent exchanges though its own document does not name the grant",
    check: "`grant_types` of the document has token exchange",
    changes: [
      {
        file: `${SERVER}/idp/client.ts`,
        find: 'if (!usesIdJag(metadata)) return refuse("client-grant");',
        replace: "void usesIdJag;",
      },
    ],
    tests: [
      {
        file: DOCUMENT_TEST,
        names: [
          "what a document says of the agent counts > without the exchange among its grants it does not exchange",
        ],
      },
    ],
  },
];
