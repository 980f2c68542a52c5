import { storeConformance } from "./conformance.testing.ts";
import { openStore } from "./open.ts";
import { createTestSchema } from "./postgresql.testing.ts";

storeConformance("PostgreSQL", async () => {
  const schema = await createTestSchema();
  return {
    open: () => openStore({ kind: "postgresql", url: schema.url }),
    dispose: () => schema.drop(),
  };
});
