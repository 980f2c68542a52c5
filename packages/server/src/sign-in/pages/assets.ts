import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { passkeyScript } from "./passkey-script.ts";
import { styles } from "./styles.ts";

/** A file that we serve under a name that changes with its content. */
export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The stylesheet with the fonts that it names, and the script for passkeys. */
export interface Assets {
  /** Paths, with the issuer's. */
  readonly stylesheet: string;
  readonly script: string;
  readonly byPath: ReadonlyMap<string, Asset>;
}

/**
 * Reads what the pages need, once: the stylesheet, Inter and the script, all served by ourselves.
 *
 * @param base - The issuer's path, without a slash at its end.
 */
export function loadAssets(base: string): Assets {
  const fonts = readFonts();
  const faces = fonts.map(({ asset, range }) => fontFace(`${base}${asset.path}`, range)).join("\n");
  const stylesheet = named("pages", "css", "text/css; charset=utf-8", new TextEncoder().encode(faces + styles));
  const script = named("passkeys", "js", "text/javascript; charset=utf-8", readScript());
  const all = [stylesheet, script, ...fonts.map(({ asset }) => asset)];
  const [stylesheetPath, scriptPath] = [`${base}${stylesheet.path}`, `${base}${script.path}`];
  return { stylesheet: stylesheetPath, script: scriptPath, byPath: new Map(all.map((asset) => [asset.path, asset])) };
}

function readFonts(): { asset: Asset; range: string }[] {
  const require = createRequire(import.meta.url);
  const read = (name: string) => readFileSync(require.resolve(`@fontsource-variable/inter/${name}`));
  const subsets: unknown = JSON.parse(read("unicode.json").toString("utf8"));
  return Object.entries(subsets ?? {}).map(([subset, range]) => {
    const body = Uint8Array.from(read(`files/inter-${subset}-wght-normal.woff2`));
    return { asset: named(`inter-${subset}`, "woff2", "font/woff2", body), range: String(range) };
  });
}

/** The library's own bundle, which the browser can load as it is, and what puts it to work on our pages. */
function readScript(): Uint8Array<ArrayBuffer> {
  const require = createRequire(import.meta.url);
  const bundle = join(dirname(require.resolve("@simplewebauthn/browser")), "../dist/bundle/index.umd.min.js");
  return new TextEncoder().encode(`${readFileSync(bundle, "utf8")}\n${passkeyScript}`);
}

function named(name: string, extension: string, type: string, body: Uint8Array<ArrayBuffer>): Asset {
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, 12);
  return { path: `/assets/${name}-${hash}.${extension}`, type, body };
}

function fontFace(url: string, range: string): string {
  return `@font-face { font-family: "Inter"; font-style: normal; font-display: swap; font-weight: 100 900; src: url("${url}") format("woff2"); unicode-range: ${range}; }`;
}
