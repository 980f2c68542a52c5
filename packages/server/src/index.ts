export type { Organization } from "./directory/types.ts";
export { LOG_LEVELS, type Logger, type LogLevel, openLog } from "./log.ts";
export { type RunningServer, type SeedOutcome, type ServerOptions, startServer } from "./process/server.ts";
