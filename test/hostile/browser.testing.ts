/** A browser that stops at each page, so that its forms can be sent by somebody else. */

/** A page, with what its first form would send. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly title: string;
  /** The `Cookie` header that belongs to it. */
  readonly cookie: string;
  readonly forms: readonly { readonly action: string; readonly fields: Readonly<Record<string, string>> }[];
}

/** Opens pages, one after the other, with one set of cookies. */
export interface Browser {
  open(url: string, form?: Readonly<Record<string, string>>): Promise<Page>;
}

/** @param stopAt - Redirects there are not followed. */
export function openBrowser(stopAt: string): Browser {
  const cookies = new Map<string, string>();
  const cookie = () => [...cookies].map((pair) => pair.join("=")).join("; ");
  return {
    async open(start, form) {
      let [url, body] = [start, form && new URLSearchParams(form)];
      for (let step = 0; step < 10; step++) {
        const init = body === undefined ? {} : { method: "POST", body };
        const answer = await fetch(url, { headers: { cookie: cookie() }, redirect: "manual", ...init });
        for (const line of answer.headers.getSetCookie()) {
          const [name = "", value = ""] = (line.split(";")[0] ?? "").split(/=(.*)/);
          if (value === "" || /expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name);
          else cookies.set(name, value);
        }
        const location = answer.headers.get("location");
        const html = await answer.text();
        const { status } = answer;
        const title = /<title>([^<]*)/.exec(html)?.[1] ?? "";
        if (location === null) return { url, status, title, cookie: cookie(), forms: formsOf(html, url) };
        [url, body] = [new URL(location, url).href, undefined];
        if (url.startsWith(stopAt)) return { url, status, title, cookie: cookie(), forms: [] };
      }
      throw new Error(`${start} leads in circles`);
    },
  };
}

function formsOf(html: string, base: string): Page["forms"] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, head = "", inside = ""]) => {
    const fields = [...inside.matchAll(/<(?:input|button)\b([^>]*)>/gi)].map(([, text = ""]) => text);
    // Of several buttons the first is the one that Enter presses.
    const named = fields.filter((text) => attribute(text, "name") !== undefined).reverse();
    return {
      action: new URL(attribute(head, "action") ?? "", base).href,
      fields: Object.fromEntries(named.map((text) => [attribute(text, "name"), attribute(text, "value") ?? ""])),
    };
  });
}

function attribute(text: string, name: string): string | undefined {
  return new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1]?.replaceAll("&amp;", "&").replaceAll("&quot;", '"');
}
