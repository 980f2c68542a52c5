const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** A whole number and a unit: `30s`, `15m`, `8h`, `7d`. */
export const DURATION = /^([1-9][0-9]{0,8})([smhd])$/;

/** Seconds of a duration; `undefined` when it is none. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined || !isUnit(unit)) return undefined;
  return Number(count) * UNITS[unit];
}

/** The shortest exact way to write a number of whole seconds, at least 1. */
export function formatDuration(seconds: number): string {
  const exact = (["d", "h", "m"] as const).find((unit) => seconds % UNITS[unit] === 0) ?? "s";
  return `${seconds / UNITS[exact]}${exact}`;
}

function isUnit(unit: string | undefined): unit is keyof typeof UNITS {
  return unit !== undefined && Object.hasOwn(UNITS, unit);
}
