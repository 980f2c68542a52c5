import type { IncomingMessage, ServerResponse } from "node:http";
import { randomId } from "@credence/protocol";
import { getRequestListener } from "@hono/node-server";
import { newReference, type Report } from "../sign-in/fault.ts";
import { basePath, PATHS, urlBelow } from "../sign-in/paths.ts";
import type { SignIn } from "../sign-in/sign-in.ts";
import { sourceOf, vouchForSource } from "../sign-in/source.ts";
import { type Handler, sendPage, sendRefusal } from "./answer.ts";
import { askAgainByGet } from "./authorization-post.ts";
import type { BasicPorts } from "./basic.ts";
import { clientCertificates } from "./certificate.ts";
import { createFormEndpoint } from "./form-endpoint.ts";
import type { Counted, FloodGuard } from "./limits.ts";
import { securityHeaders } from "./secure-headers.ts";
import { createTokenEndpoint, type TokenEndpointPorts } from "./token-endpoint.ts";

/** What stands behind the IdP's listener. */
export interface RouterOptions extends BasicPorts {
  readonly issuer: string;
  /** Addresses and networks of the proxies in front, whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Whether those proxies hand on the certificates of clients (RFC 9440); false by default. */
  readonly clientCertHeader?: boolean;
  readonly signIn: Pick<SignIn, "handle" | "pages" | "tooManyPage">;
  readonly guard: Pick<FloodGuard, "admit">;
  readonly exchange: TokenEndpointPorts["exchange"];
  readonly report: Report;
  readonly refused: TokenEndpointPorts["refused"];
  readonly beforeSignIn?: NonNullable<TokenEndpointPorts["beforeSignIn"]>;
}

const METADATA = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
const FOR_CLIENTS: ReadonlySet<string> = new Set([PATHS.token, PATHS.revoke, PATHS.userinfo]);
/** Steps of oidc-provider, by an id or a word: anything else would fail where it becomes the path of a cookie. */
const STEPS = new RegExp(`^(?:${PATHS.authorize}|${PATHS.signOut})/[A-Za-z0-9_-]+$`);
const PROVIDER: ReadonlySet<string> = new Set([
  PATHS.authorize,
  PATHS.userinfo,
  PATHS.jwks,
  PATHS.signOut,
  ...METADATA,
]);

/**
 * Who answers what, below the issuer: the token endpoint, oidc-provider, and our pages for all the rest.
 *
 * @returns a listener for one node HTTP server.
 */
export function createRouter(options: RouterOptions): Handler {
  const { issuer, signIn } = options;
  const base = basePath(issuer);
  const provider: Handler = mount(base, signIn.handle);
  const pages = getRequestListener(signIn.pages.fetch, { overrideGlobalObjects: false });
  const certificates = clientCertificates(options.clientCertHeader ?? false, options.trustedProxies);
  const token = createTokenEndpoint({ ...options, provider, certificateOf: certificates.of });
  const form = createFormEndpoint({ ...options, provider });
  const authorization = createFormEndpoint({ ...options, provider }, askAgainByGet(urlBelow(issuer, PATHS.authorize)));
  const secure = securityHeaders(issuer);
  const vouch = vouchFor(new URL(issuer));
  const vouchSource = vouchForSource(options.trustedProxies);

  return (req, res) => {
    certificates.vouch(req);
    vouchSource(req);
    vouch(req);
    for (const [name, value] of secure) res.setHeader(name, value);
    req.url = insertedPath(req.url ?? "/", base);
    const path = pathBelow(base, req.url);
    const counted = countedAs(path, req.method);
    const wait = counted === undefined ? 0 : options.guard.admit(counted, sourceOf(req));
    if (counted !== undefined && wait > 0) return turnAway(req, res, counted, wait, options);
    // RFC 6749 §5.2: clients get JSON, whatever they say they accept; oidc-provider would show them a page.
    if (path !== undefined && FOR_CLIENTS.has(path)) req.headers.accept = "application/json";
    if (path === PATHS.token) return token(req, res);
    if (path === PATHS.revoke) return form(req, res);
    if (path === PATHS.authorize && req.method === "POST") return authorization(req, res);
    // Steps of an authorization have no parameters, and oidc-provider would fail over those that somebody adds.
    if (path?.startsWith(`${PATHS.authorize}/`)) req.url = base + path;
    if (path !== undefined && isProviders(path)) return provider(req, res);
    return pages(req, res);
  };
}

/** What floods are made of, and what it counts as; everything else costs less than counting it would save. */
function countedAs(path: string | undefined, method: string | undefined): Counted | undefined {
  if (path === PATHS.token || path === PATHS.revoke) return "client";
  if (path === PATHS.authorize) return "sign-in";
  return method === "POST" && path !== undefined && FORMS.test(path) ? "form" : undefined;
}

const FORMS = new RegExp(`^(?:${[PATHS.authorize, PATHS.signIn, PATHS.account, PATHS.signOut].join("|")})(?:/|$)`);

/** Clients get an OAuth error, people a page. @see RFC 6585 §4 */
async function turnAway(
  req: IncomingMessage,
  res: ServerResponse,
  counted: Counted,
  retryAfter: number,
  { refused, signIn, report }: Pick<RouterOptions, "refused" | "signIn" | "report">,
): Promise<void> {
  const decisionId = randomId();
  const refusal = { reason: "requests-too-many", retryAfter } as const;
  refused(refusal, { decisionId, source: sourceOf(req) });
  if (counted === "client") return sendRefusal(res, refusal, decisionId);
  try {
    const { html, headers } = await signIn.tooManyPage();
    sendPage(res, 429, html, { ...headers, "retry-after": String(retryAfter) });
  } catch (error) {
    // The page names the organization, and the store may be what the flood has reached.
    report({ reference: newReference(), code: "page_failed", error });
    sendRefusal(res, refusal, decisionId);
  }
}

function isProviders(path: string): boolean {
  return PROVIDER.has(path) || STEPS.test(path);
}

/** The path below the issuer's own; `undefined` for what is elsewhere. */
function pathBelow(base: string, url: string): string | undefined {
  const path = url.split("?", 1)[0] ?? "";
  return path === base || path.startsWith(`${base}/`) ? path.slice(base.length) : undefined;
}

/** Metadata of an issuer with a path stands before that path, too. @see RFC 8414 §3.1, §5 */
function insertedPath(url: string, base: string): string {
  if (base === "") return url;
  const found = METADATA.find((path) => url === `${path}${base}` || url.startsWith(`${path}${base}?`));
  return found === undefined ? url : `${base}${found}${url.slice(found.length + base.length)}`;
}

/** oidc-provider knows no base path of its own: it reads the original URL as express leaves it. */
function mount(base: string, handler: Handler): Handler {
  if (base === "") return handler;
  return (req, res) => {
    const url = req.url ?? "/";
    Object.assign(req, { originalUrl: url });
    req.url = url.slice(base.length) || "/";
    handler(req, res);
  };
}

/** What proxies say; but for the client's address, which `vouchForSource` has written anew. */
function isOfProxies(name: string): boolean {
  return name === "forwarded" || (name.startsWith("x-forwarded-") && name !== "x-forwarded-for");
}

/**
 * Every URL that goes out is made from the issuer, never from what a client says the host is; and only we say whether the
 * outside is TLS.
 */
function vouchFor(issuer: URL): (req: IncomingMessage) => void {
  return (req) => {
    for (const name of Object.keys(req.headers)) {
      if (isOfProxies(name)) delete req.headers[name];
    }
    req.headers.host = issuer.host;
    if (issuer.protocol === "https:") req.headers["x-forwarded-proto"] = "https";
  };
}
