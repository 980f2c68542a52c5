/**
 * A browser as a script: it knows only the authorization URL that it is given. It keeps cookies, follows redirects and
 * submits the forms that it finds in the pages.
 */

/** Somebody who types. */
export interface Typist {
  readonly email: string;
  readonly password: string;
}

/** A browser window with its own cookies. */
export interface UserAgent {
  /**
   * Opens a URL, follows redirects, and fills in and submits each form that asks for something it can answer.
   *
   * @param stopAt - Where the application waits: a redirect there is not followed but returned.
   * @returns the URL of that redirect, or the last page.
   */
  browse(url: string, stopAt?: string): Promise<{ url: string } | { url: string; status: number; html: string }>;
}

/** Forms and redirects together: more than this is a loop. */
const MAX_STEPS = 20;

/** Opens a browser window for somebody. */
export function openUserAgent(typist: Typist): UserAgent {
  const cookies = new Map<string, string>();

  async function load(url: string, body?: URLSearchParams): Promise<Response> {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "), accept: "text/html" };
    const response = await fetch(url, {
      headers,
      redirect: "manual",
      ...(body ? { method: "POST", body } : {}),
    });
    for (const line of response.headers.getSetCookie()) keepCookie(cookies, line);
    return response;
  }

  async function browse(start: string, stopAt?: string): ReturnType<UserAgent["browse"]> {
    let url = start;
    let body: URLSearchParams | undefined;
    for (let step = 0; step < MAX_STEPS; step++) {
      if (stopAt && url.startsWith(stopAt)) return { url };
      const response = await load(url, body);
      const location = response.headers.get("location");
      if (location !== null) {
        await response.body?.cancel();
        [url, body] = [new URL(location, url).href, undefined];
        continue;
      }
      const html = await response.text();
      const form = findForm(html, url);
      const filled = form && fillIn(form.fields, typist);
      if (!form || !filled || !response.ok) return { url, status: response.status, html };
      [url, body] = [form.action, filled];
    }
    throw new Error(`${new URL(url).origin} kept the browser going in circles`);
  }

  return { browse };
}

function keepCookie(cookies: Map<string, string>, line: string): void {
  const [pair = "", ...attributes] = line.split(";");
  const [name = "", ...value] = pair.split("=");
  const gone =
    attributes.some((one) => /^\s*(max-age=0|expires=thu, 01 jan 1970)/i.test(one)) || value.join("=") === "";
  if (gone) cookies.delete(name.trim());
  else cookies.set(name.trim(), value.join("="));
}

interface Field {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

function findForm(html: string, base: string): { action: string; fields: readonly Field[] } | undefined {
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(html);
  if (!form) return undefined;
  const action = new URL(attribute(form[1] ?? "", "action") ?? "", base).href;
  const inputs = [...(form[2] ?? "").matchAll(/<(?:input|button)\b([^>]*)>/gi)].map(([, attributes = ""]) => ({
    name: attribute(attributes, "name") ?? "",
    type: attribute(attributes, "type") ?? "text",
    value: attribute(attributes, "value") ?? "",
  }));
  return { action, fields: inputs.filter(({ name }) => name !== "") };
}

/** What the typist answers; `undefined` when the form asks for something that they do not know. */
function fillIn(fields: readonly Field[], { email, password }: Typist): URLSearchParams | undefined {
  const answers = new URLSearchParams();
  for (const { name, type, value } of fields) {
    if (type === "password") answers.set(name, password);
    else if (type === "email") answers.set(name, email);
    else if (type === "hidden" || type === "submit") {
      if (!answers.has(name)) answers.set(name, value);
    } else return undefined;
  }
  return answers;
}

function attribute(attributes: string, name: string): string | undefined {
  const match = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, "i").exec(attributes);
  const text = match?.[1] ?? match?.[2];
  return text
    ?.replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&#x27;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
