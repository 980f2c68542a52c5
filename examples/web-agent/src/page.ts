import { html } from "hono/html";

/** A piece of HTML, everything in it escaped. */
export type Content = ReturnType<typeof html>;

const STYLE = `
:root { color-scheme: light dark; --ground: #faf8f4; --ink: #1b1a17; --ink-quiet: #5c5850; --rule: #ddd8ce; --seal: #9e2b25; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12151c; --ink: #e9e6df; --ink-quiet: #a9a69f; --rule: #2b303b; --seal: #d9776f; }
}
body { margin: 0 auto; max-width: 640px; padding: 48px 24px; background: var(--ground); color: var(--ink);
  font: 14px/22px Inter, system-ui, sans-serif; }
h1 { margin: 0 0 16px; font-size: 20px; line-height: 28px; font-weight: 600; }
pre { overflow-x: auto; margin: 0 0 24px; padding: 16px 0; border-block: 1px solid var(--rule);
  font: 13px/20px "JetBrains Mono", ui-monospace, monospace; }
p { margin: 0 0 24px; color: var(--ink-quiet); }
button { padding: 8px 16px; border: 1px solid var(--seal); border-radius: 6px; background: none; color: var(--seal);
  font: inherit; cursor: pointer; }
button:focus-visible, a:focus-visible { outline: 2px solid var(--seal); outline-offset: 2px; }
a { color: var(--seal); }
`;

/** A whole page. */
export function page(title: string, content: Content): Content {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Web agent</title>
<style>${STYLE}</style>
</head>
<body><main><h1>${title}</h1>${content}</main></body>
</html>`;
}
