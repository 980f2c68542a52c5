import { CredenceError } from "@credence/protocol";
import { storeFault } from "./limits.ts";

/**
 * Waits for a database no longer than a request can: drivers queue what they are given while they connect again.
 *
 * @param database - Its name, for the message.
 * @param seconds - Until when it must have answered.
 * @returns what `run` gives. Rejects with `store-unavailable` when it is late, or fails.
 */
export async function withinDeadline<T>(database: string, seconds: number, run: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fault = storeFault(`${database} did not answer within ${seconds} seconds`);
    timer = setTimeout(() => reject(fault), seconds * 1_000);
  });
  try {
    return await Promise.race([run(), late]);
  } catch (cause) {
    throw cause instanceof CredenceError ? cause : storeFault(`${database} failed`, cause);
  } finally {
    clearTimeout(timer);
  }
}
