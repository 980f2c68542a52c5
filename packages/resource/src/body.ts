import { CredenceError } from "@credence/protocol";

/** A request whose body somebody read before us, and whether one of our endpoints would have needed it. */
export interface WithoutBody {
  readonly body: ReadableStream<Uint8Array>;
  /** Whether the body was asked for, in vain. */
  wasWanted(): boolean;
}

/**
 * Stands for a body that is gone. It fails when it is read: a form that a body parser has read is not put together again,
 * because what was doubled in it could not be seen any more.
 */
export function goneBody(): WithoutBody {
  let wanted = false;
  const source = {
    pull(): never {
      wanted = true;
      throw bodyWasRead();
    },
  };
  // Nothing is pulled before somebody reads.
  return { body: new ReadableStream(source, { highWaterMark: 0 }), wasWanted: () => wanted };
}

/** The mistake in the set-up that a body parser before us is. */
export function bodyWasRead(): CredenceError {
  return new CredenceError(
    "The request's body was read before authorizationServer saw it, so that doubled parameters can not be refused: " +
      "put authorizationServer before every body parser, or keep the raw bytes as request.rawBody.",
    { code: "configuration" },
  );
}
