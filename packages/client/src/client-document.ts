import { buildClientMetadata, type ClientMetadataParameters } from "@credence/protocol/metadata";

/** Seconds that whoever fetched the document may keep it. */
const MAX_AGE = 300;

/**
 * The agent's own metadata document, for IdPs and apps that know an agent by the URL of it: made once, served at that URL.
 *
 * @param parameters - What stands in it; `clientId` is its URL.
 * @returns a handler: the document; 405 for another method; `undefined` for any other URL, which somebody else answers.
 * @throws CredenceError `configuration` when the client id can not be the URL of a document.
 * @see draft-ietf-oauth-client-id-metadata-document §4, ID-JAG draft §8
 */
export function clientDocument(parameters: ClientMetadataParameters): (request: Request) => Response | undefined {
  const body = JSON.stringify(buildClientMetadata(parameters));
  const { pathname, search } = new URL(parameters.clientId);
  return (request) => {
    const url = new URL(request.url);
    // By path: behind a proxy the host is another one than people see.
    if (url.pathname !== pathname || url.search !== search) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const headers = { "content-type": "application/json", "cache-control": `public, max-age=${MAX_AGE}` };
    return new Response(request.method === "HEAD" ? null : body, { headers });
  };
}
