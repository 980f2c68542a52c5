/** What the listener knows of a request beside the request itself. */
export interface RequestContext {
  /** The client's certificate in DER: shown to a TLS listener that has validated it, or handed on by a trusted proxy. */
  readonly certificate?: Uint8Array;
}
