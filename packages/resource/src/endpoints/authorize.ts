/**
 * The authorization endpoint of a server that has none: clients' metadata parsers demand one, and whoever is sent here
 * should learn why there is nothing to click. Nothing of the request is shown.
 */
export function authorizePage(): Response {
  return new Response(PAGE, {
    status: 400,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Nothing to approve here</title>
<style>
:root { color-scheme: light dark; --ground: #FAF8F4; --ink: #1B1A17; }
@media (prefers-color-scheme: dark) { :root { --ground: #12151C; --ink: #E9E6DF; } }
body { margin: 0; background: var(--ground); color: var(--ink); font: 14px/22px Inter, system-ui, sans-serif; }
main { max-width: 36rem; margin: 20vh auto 0; padding: 0 24px; }
h1 { font-size: 20px; line-height: 28px; }
</style>
</head>
<body>
<main>
<h1>Nothing to approve here</h1>
<p>This app does not ask people to approve access one by one. Your organization decides which agents reach it, and its
identity provider vouches for them with an ID-JAG (Identity Assertion JWT Authorization Grant).</p>
<p>If an application sent you here, it does not use your organization's sign-in yet. Ask the people who run it, or your
IT department, to connect it there.</p>
<p>For developers: this authorization server supports the grant type
<code>urn:ietf:params:oauth:grant-type:jwt-bearer</code> with an ID-JAG, and no other.</p>
</main>
</body>
</html>
`;
