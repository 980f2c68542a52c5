/** What hostile requests are made of. Texts hold one byte in each character. */

const bytesOf = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** JSON that goes deep. */
const NESTED: readonly string[] = [
  ...[10, 1_000, 20_000].map((depth) => "[".repeat(depth) + "]".repeat(depth)),
  ...[20, 5_000].map((depth) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`),
];

/** Numbers that are too much for somebody. */
const NUMBERS: readonly string[] = [
  ...words("1e400 -1e400 -0 1e-400 -1 1e308 9007199254740993 18446744073709551616"),
  "9".repeat(400),
];

/** Texts that mean something to some parser, template, database or browser. */
export const TEXTS: readonly string[] = [
  ...["", " ", "\0", "a\0b", "\t", "\x7f", "\x1b[31m", "\r\n", "\r\nset-cookie: a=b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"],
  ...words("\\ \" ' % %00 %zz %u0041 %C0%80 %ED%A0%80 %F4%90%80%80 + & = ; a=b&c=d ../../../etc/passwd NaN 0x10"),
  // Not UTF-8: cut, overlong, surrogates, bytes that never stand there.
  ...["\xff\xfe", "\xc3\x28", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xc0\xae", "\xe2\x82"],
  ...["\ufeff{}", "\u202eevil", "\u{1f511}", "e\u0301", "ｅｖｉｌ", "\u2028"].map(bytesOf),
  ...words("__proto__ constructor toString hasOwnProperty null undefined true [] {} [object Object]"),
  ...[
    "' OR 1=1 --",
    "'; DROP TABLE people; --",
    "$" + "{7*7}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
  ],
  ...words("javascript:alert(1) data:text/html,x file:///etc/passwd http://169.254.169.254/ //evil.example"),
  ...words("https://evil.example/ http://127.0.0.1:1/callback https://a:b@evil.example https://[::1]:99999/ urn:x"),
  ...["x".repeat(300), "x".repeat(5_000), "a ".repeat(2_000), bytesOf("ä".repeat(3_000))],
  ...NESTED,
  ...NUMBERS,
];

/** Members of the headers and claims of JWTs. */
export const MEMBERS: readonly string[] = words(`
  alg typ kid crit jwk jku x5u x5c cty b64 enc zip iss sub aud exp iat nbf jti client_id scope resource authorization_details
  act cnf htm htu ath nonce sid tenant auth_time acr amr sub_id email __proto__`);

/** JSON for such a member. */
export const MEMBER_VALUES: readonly string[] = [
  ...words('null true [] {} "" "none" "HS256" ["b64"] {"jkt":"x"} {"kty":"oct","k":"AA"} "https://evil.example/jwks"'),
  ...words(String.raw`"\u0000" "\ud800" [null] {"x5t#S256":"x"} ["a","a"]`),
  ...NESTED,
  ...NUMBERS,
];

/** Parameters of every endpoint. */
export const NAMES: readonly string[] = words(`
  grant_type scope resource audience assertion subject_token subject_token_type actor_token actor_token_type client_id client_secret
  client_assertion client_assertion_type code code_verifier redirect_uri refresh_token token token_type_hint requested_token_type
  authorization_details state nonce request request_uri claims prompt max_age acr_values response_type response_mode login_hint
  id_token_hint ui_locales code_challenge code_challenge_method dpop_jkt registration display email password code csrf
  post_logout_redirect_uri logout logout_hint __proto__ toString`);

/** Headers, with values that somebody might stumble over. */
export const HEADERS: readonly (readonly [name: string, value: string])[] = Object.entries({
  "content-type": [
    ...words("x text/plain application/json multipart/form-data APPLICATION/X-WWW-FORM-URLENCODED text/html,x"),
    ...["", "application/x-www-form-urlencoded; charset=utf-16", "multipart/form-data; boundary=x"],
  ],
  "content-encoding": words("gzip br identity deflate,gzip"),
  authorization: [
    ...["Basic", "Basic !", "Basic Og==", "Basic YTpi", "Basic gICA", `Basic ${"QQ".repeat(3_000)}`],
    ...["Bearer", "Bearer x", "Bearer a.b.c", "DPoP x", "Negotiate x", "\xff"],
  ],
  dpop: ["", "x", "a.b.c", "a.b.c, d.e.f", "e30.e30.AA"],
  cookie: [
    "",
    "_session=x",
    "_session=x; _session=y",
    "_interaction=\xff",
    "=",
    ";;;;",
    "a".repeat(4_000),
    "__proto__=x",
  ],
  host: ["evil.example", "", "127.0.0.1:1", "a b"],
  origin: ["https://evil.example", "null", "x"],
  "sec-fetch-site": ["cross-site", "x"],
  accept: ["text/html", "application/json;q=x", "*/*, */*", "\xff"],
  "accept-language": ["de", "x".repeat(2_000), "../../x"],
  "x-forwarded-for": ["1.2.3.4", "x", "::1, 1.2.3.4", "1.2.3.4, ".repeat(500)],
  "x-forwarded-proto": ["https", "javascript"],
  "x-forwarded-host": ["evil.example"],
  forwarded: ["for=1.2.3.4;host=evil.example"],
  "client-cert": [":AAAA:", "x", `:${"A".repeat(9_000)}:`],
  "x-http-method-override": ["DELETE"],
  "if-match": ['"1"', "x", '"99999999999999999999"', "-1"],
  "if-none-match": ["*", '"x"'],
  range: ["bytes=0-0", "bytes=9-1", "x"],
  expect: ["100-continue", "x"],
  upgrade: ["websocket", "h2c"],
  connection: ["keep-alive", "upgrade", "x"],
  "transfer-encoding": ["chunked", "x", "chunked, identity"],
  "content-length": ["0", "-1", "1e3", "99999999999999999999"],
  traceparent: ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x", `ff-${"0".repeat(600)}`],
}).flatMap(([name, values]) => values.map((value) => [name, value] as const));

/** Headers that decide whether and when an answer comes. */
export const FRAMING: ReadonlySet<string> = new Set(
  words("expect upgrade connection transfer-encoding content-length host te"),
);

/** Methods: those of HTTP, and others. */
export const METHODS: readonly string[] = words("GET POST PUT DELETE PATCH HEAD OPTIONS TRACE PROPFIND QUERY post X");

/** Ends of a path. */
export const ENDS: readonly string[] = [
  "/",
  "//",
  "/%00",
  "/..%2f",
  ";x",
  "%",
  "%zz",
  "?",
  "?&&==",
  "#x",
  "\xff",
  " x",
  "\\",
];

/** Other targets of a request. */
export const TARGETS: readonly string[] = [
  "",
  "/\0",
  ...words("* // ///x http://evil.example/token /../token /%2e%2e/token x"),
];
