import { storeConformance } from "./conformance.testing.ts";
import type { StorePlace } from "./data.testing.ts";
import { createTestSchema } from "./postgresql.testing.ts";
import { sharedStoreConformance } from "./shared.testing.ts";

async function temporaryPlace(): Promise<StorePlace> {
  const { url, drop } = await createTestSchema();
  return { location: { kind: "postgresql", url }, dispose: drop };
}

storeConformance("PostgreSQL", temporaryPlace);
sharedStoreConformance("PostgreSQL", temporaryPlace);
