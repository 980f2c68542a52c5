import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { styles } from "./styles.ts";

/** A file that we serve under a name that changes with its content. */
export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The stylesheet and the fonts that it names. */
export interface Assets {
  /** Path of the stylesheet, below the issuer. */
  readonly stylesheet: string;
  readonly byPath: ReadonlyMap<string, Asset>;
}

/**
 * Reads what the pages need, once: the stylesheet and Inter, both served by ourselves.
 *
 * @param base - The issuer's path, without a slash at its end.
 */
export function loadAssets(base: string): Assets {
  const fonts = readFonts();
  const faces = fonts.map(({ asset, range }) => fontFace(`${base}${asset.path}`, range)).join("\n");
  const stylesheet = named("pages", "css", "text/css; charset=utf-8", new TextEncoder().encode(faces + styles));
  const all = [stylesheet, ...fonts.map(({ asset }) => asset)];
  return { stylesheet: `${base}${stylesheet.path}`, byPath: new Map(all.map((asset) => [asset.path, asset])) };
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

function named(name: string, extension: string, type: string, body: Uint8Array<ArrayBuffer>): Asset {
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, 12);
  return { path: `/assets/${name}-${hash}.${extension}`, type, body };
}

function fontFace(url: string, range: string): string {
  return `@font-face { font-family: "Inter"; font-style: normal; font-display: swap; font-weight: 100 900; src: url("${url}") format("woff2"); unicode-range: ${range}; }`;
}
