/** An answer of an endpoint in JSON, before it is a Web response or Node's. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

export function responseOf({ status, headers, body }: Answer): Response {
  return Response.json(body, { status, headers });
}
