/** What is measured: its names, and what the project holds itself to. */

/** One measured value. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** What a part of the bench gives. */
export interface FigureDefinition {
  readonly name: string;
  readonly unit: string;
  /** For people: what it is. */
  readonly title: string;
  /** Where the project has promised something: at least this, or at most. */
  readonly least?: number;
  readonly most?: number;
}

/** A part of the bench that can be run by itself. */
export interface Part {
  readonly figures: readonly FigureDefinition[];
  /**
   * @param wanted - Names of those of its figures that are asked for; others may be left out.
   * @returns values by name.
   */
  run(effort: PartEffort, wanted: ReadonlySet<string>): Promise<ReadonlyMap<string, number>>;
}

/** How much a part does. */
export interface PartEffort {
  /** Only whether everything runs: the values say nothing. */
  readonly quick: boolean;
  /** For data and logs; removed at the end. */
  readonly folder: string;
  /** Told what happens. */
  readonly tell: (line: string) => void;
}

/** A value as people read it: as many digits as mean something. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

/** Whether a value keeps what was promised; `undefined` where nothing was. */
export function keeps({ least, most }: FigureDefinition, value: number): boolean | undefined {
  if (least === undefined && most === undefined) return undefined;
  return value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY);
}

export function promiseOf({ least, most, unit }: FigureDefinition): string {
  if (least !== undefined) return `at least ${least} ${unit}`;
  return most === undefined ? "" : `at most ${most} ${unit}`;
}
