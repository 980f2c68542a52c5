/** Writes `organization.schema.json`: node -C \@credence/source packages/server/src/organization/write-json-schema.ts */
import { writeFileSync } from "node:fs";
import { organizationJsonSchemaText } from "./json-schema.ts";

writeFileSync(new URL("../../organization.schema.json", import.meta.url), organizationJsonSchemaText());
