/**
 * A text as both databases keep it. PostgreSQL refuses U+0000, SQLite's interface ends a text there, and neither has half a
 * surrogate pair: each becomes U+FFFD, so that no text from outside makes one of them fail, and both keep the same.
 */
export function storedText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "\ufffd") : whole;
}

/** Values of a statement, as both databases keep them. */
export function storedValues(values: readonly unknown[]): readonly unknown[] {
  return values.every(isStored)
    ? values
    : values.map((value) => (typeof value === "string" ? storedText(value) : value));
}

function isStored(value: unknown): boolean {
  return typeof value !== "string" || (value.isWellFormed() && !value.includes("\0"));
}
