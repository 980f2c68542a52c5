/** The system's clock, in whole seconds since the epoch. */
export function systemTime(): number {
  return Math.floor(Date.now() / 1_000);
}
