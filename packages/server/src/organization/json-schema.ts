import { z } from "zod";
import { organizationSchema } from "./schema.ts";

/** The organization file's JSON schema, for editors: made from the schema that reads the file. */
function organizationJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(organizationSchema, { io: "input" });
  return {
    $schema,
    title: "Credence organization file",
    description: "People, agents, apps, and the connections that say which agent may reach which app on whose behalf.",
    ...schema,
  };
}

/** The text of `organization.schema.json`. */
export function organizationJsonSchemaText(): string {
  return `${JSON.stringify(organizationJsonSchema(), null, 2)}\n`;
}

/** The part of the schema at a path of the file; several where the file has a choice. */
export function schemasAt(path: readonly PropertyKey[]): readonly JsonSchema[] {
  let here: readonly JsonSchema[] = choices(wholeSchema());
  for (const step of path) {
    here = here.flatMap((schema) => {
      const next =
        typeof step === "number" ? schema.items : (schema.properties?.[String(step)] ?? schema.additionalProperties);
      return typeof next === "object" ? choices(next) : [];
    });
  }
  return here;
}

/** What the schema says of the innermost described place on the way to a path. */
export function describedAt(path: readonly PropertyKey[]): string | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const found = schemasAt(path.slice(0, length)).find(({ description }) => description !== undefined);
    if (found) return found.description;
  }
  return undefined;
}

/** The parts of JSON schema that `z.toJSONSchema` makes and that are read here. */
export interface JsonSchema {
  readonly description?: string;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

let whole: JsonSchema | undefined;

function wholeSchema(): JsonSchema {
  // JsonSchema names a subset of what zod has just made.
  whole ??= organizationJsonSchema() as JsonSchema;
  return whole;
}

/** A choice counts as its alternatives, the description of the choice first. */
function choices(schema: JsonSchema): readonly JsonSchema[] {
  const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return alternatives.length === 0 ? [schema] : [schema, ...alternatives.flatMap(choices)];
}
