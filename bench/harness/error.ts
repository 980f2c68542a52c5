/** A bench that can not go on, in words for whoever runs it. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}
