/** Figures for people, for documents, for machines. */
import { type Figure, type FigureDefinition, keeps, promiseOf, rounded } from "./figures.ts";

type Report = (figures: readonly Figure[], definitions: readonly FigureDefinition[]) => string;

export const asJson: Report = (figures) => figures.map((figure) => `${JSON.stringify(figure)}\n`).join("");

export const asText: Report = (figures, definitions) =>
  rowsOf(figures, definitions)
    .map(({ name, value, unit, promise, kept, title }) =>
      [name.padEnd(36), `${value} ${unit}`.padStart(12), mark(kept).padEnd(4), promise.padEnd(18), title].join("  "),
    )
    .join("\n")
    .concat("\n");

export const asMarkdown: Report = (figures, definitions) => {
  const lines = rowsOf(figures, definitions).map(
    ({ name, title, value, unit, promise, kept }) =>
      `| ${title} | \`${name}\` | ${value} ${unit} | ${promise}${kept === false ? " (missed)" : ""} |`,
  );
  return ["| what | figure | measured | held to |", "| --- | --- | ---: | --- |", ...lines, ""].join("\n");
};

function rowsOf(figures: readonly Figure[], definitions: readonly FigureDefinition[]) {
  return figures.flatMap(({ name, value, unit }) => {
    const definition = definitions.find((one) => one.name === name);
    if (definition === undefined) return [];
    const { title } = definition;
    return [
      { name, unit, title, value: rounded(value), promise: promiseOf(definition), kept: keeps(definition, value) },
    ];
  });
}

function mark(kept: boolean | undefined): string {
  return kept === undefined ? "" : kept ? "ok" : "miss";
}
