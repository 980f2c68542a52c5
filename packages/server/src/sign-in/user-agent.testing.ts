/** A browser without script: keeps cookies, follows redirects, submits the form that it finds in the HTML. */
export interface UserAgent {
  /** Goes to a URL, and on through redirects, until a page, or until a redirect that leaves the origin. */
  go(url: string): Promise<Page>;
  /**
   * Submits a form of a page with these values typed in: the first, or the first whose action ends like this. `button` is the
   * value of the button pressed: else the first.
   */
  submit(page: Page, typed?: Readonly<Record<string, string>>, button?: string, action?: string): Promise<Page>;
  /** Cookies as they are, by name. */
  readonly cookies: Map<string, string>;
}

/** Where a user agent has arrived. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly html: string;
  readonly headers: Headers;
  /** A redirect that leads out of the origin, not followed. */
  readonly left?: URL;
}

/** Opens a fresh user agent: no cookies. */
export function createUserAgent(): UserAgent {
  const cookies = new Map<string, string>();

  async function request(url: string, init: RequestInit = {}): Promise<Page> {
    const origin = new URL(url).origin;
    let next: { url: string; init: RequestInit } = { url, init };
    for (let hops = 0; hops < 10; hops++) {
      const headers = new Headers(next.init.headers);
      if (cookies.size > 0) headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
      const response = await fetch(next.url, { ...next.init, headers, redirect: "manual" });
      keep(response.headers.getSetCookie());
      const html = await response.text();
      const location = response.headers.get("location");
      const page = { url: next.url, status: response.status, html, headers: response.headers };
      if (location === null) return page;
      const target = new URL(location, next.url);
      if (target.origin !== origin) return { ...page, left: target };
      next = { url: target.href, init: {} };
    }
    throw new Error("too many redirects");
  }

  function keep(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [pair = ""] = line.split(";");
      const name = pair.slice(0, pair.indexOf("="));
      const value = pair.slice(pair.indexOf("=") + 1);
      if (value === "" || /expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
  }

  return {
    cookies,
    go: (url) => request(url),
    submit(page, typed = {}, button, action = "") {
      const form = readForm(page, button, action);
      const body = new URLSearchParams({ ...form.values, ...typed });
      return request(form.action, { method: "POST", body, headers: { "sec-fetch-site": "same-origin" } });
    },
  };
}

/** Reads a form as a browser would send it. */
export function readForm(page: Page, button?: string, action = ""): { action: string; values: Record<string, string> } {
  const forms = [...page.html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)];
  const form = forms.find(([, attributes = ""]) => attribute(attributes, "action")?.endsWith(action));
  if (form === undefined) throw new Error(`no form on ${page.url} (${page.status})`);
  const values: Record<string, string> = {};
  for (const [, attributes = ""] of (form[2] ?? "").matchAll(/<input\b([^>]*)>/g)) {
    const name = attribute(attributes, "name");
    if (name !== undefined) values[name] = attribute(attributes, "value") ?? "";
  }
  const buttons = [...(form[2] ?? "").matchAll(/<button\b([^>]*)>/g)].map(([, attributes = ""]) => attributes);
  const pressed = buttons.find((one) => button === undefined || attribute(one, "value") === button) ?? "";
  const name = attribute(pressed, "name");
  if (name !== undefined) values[name] = attribute(pressed, "value") ?? "";
  return { action: new URL(attribute(form[1] ?? "", "action") ?? "", page.url).href, values };
}

/** An attribute of a tag, as text. */
export function attribute(attributes: string, name: string): string | undefined {
  const found = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1];
  return found
    ?.replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
